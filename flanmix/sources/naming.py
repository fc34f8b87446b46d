"""What identifies a source, in the words of whoever wrote the task: the same on every machine."""

from collections.abc import Mapping

from flanmix.spec import FileSource, GeneratorSource, HubSource, Source, TableSource

MEMORY = "memory"


def name_of(source: Source, split: str = "train") -> tuple[str, str]:
    """The name of a source, and its own name for one of flanmix's splits: what rows are joined to their source by.

    A dataset is `path` or `path:name`, with its data files where it reads such; files are told as the task tells them.

    >>> from flanmix.spec import HubSource
    >>> name_of(HubSource(path="nyu-mll/glue", name="mnli", split={"validation": "validation_matched"}), "validation")
    ('nyu-mll/glue:mnli', 'validation_matched')
    """
    match source:
        case HubSource():
            parts = [source.path, source.name or "", source.data_dir or "", _files(source.data_files)]
            return ":".join(part for part in parts if part), source.split.get(split, split)
        case FileSource():
            files = source.files
            return _files(files.get(split) if isinstance(files, Mapping) else files), split
        case GeneratorSource():
            made = source.generator
            return (getattr(made, "__qualname__", type(made).__name__) if callable(made) else str(made)), split
        case TableSource():
            return MEMORY, split


def _files(files: str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None) -> str:
    """The names of files, one after the other."""
    if files is None or isinstance(files, str):
        return files or ""
    parts = files.values() if isinstance(files, Mapping) else files
    return ", ".join(dict.fromkeys(part if isinstance(part, str) else ", ".join(part) for part in parts))
