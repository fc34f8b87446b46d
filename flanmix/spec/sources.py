"""Where the rows of a task come from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from flanmix.spec.base import Count, Identifier, Seed, Slug, Spec, Text


class HubSource(Spec):
    """A dataset that `datasets.load_dataset` reads, under its own argument names.

    `split` maps flanmix's split names to the dataset's: `{train: train, validation: test}`.
    """

    path: Text
    name: str | None = None
    revision: str | None = None
    data_dir: str | None = None
    data_files: str | tuple[str, ...] | dict[str, str | tuple[str, ...]] | None = None
    split: dict[Slug, Text] = Field(default={"train": "train"}, min_length=1)


class FileSource(Spec):
    """Local files, by path or glob, relative to the folder of the file that names them.

    `format` is read off the names' ending where it is not given. `columns` names the columns of a CSV or TSV
    without a header line; all its columns are text. A TSV has no quoting; a CSV has `"`, unless `quoting: false`.
    `natural_instructions` are JSON files of one task each, as the project of that name publishes them.
    """

    files: Text | tuple[Text, ...] | dict[Slug, Text | tuple[Text, ...]]
    format: Literal["parquet", "arrow", "jsonl", "csv", "tsv", "natural_instructions"] | None = None
    columns: tuple[Text, ...] | None = None
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    quoting: bool | None = None


class TableSource(Spec):
    """Rows in memory: a list of dicts, a pandas data frame or an Arrow table. Only from Python."""

    table: Any = Field(repr=False)


class GeneratorSource(Spec):
    """Rows made by a seeded generator: a bundled one by name, or (from Python) any function of a `Draw`."""

    generator: Any
    rows: Count
    seed: Seed = 0
    args: dict[Identifier, Any] = Field(default={})


def _kind_of_source(value: Any) -> str | None:
    if isinstance(value, Spec):
        return type(value).__name__
    kinds = {"files": "FileSource", "generator": "GeneratorSource", "table": "TableSource", "path": "HubSource"}
    return next((kinds[key] for key in kinds if isinstance(value, Mapping) and key in value), None)


Source = Annotated[
    Annotated[HubSource, Tag("HubSource")]
    | Annotated[FileSource, Tag("FileSource")]
    | Annotated[TableSource, Tag("TableSource")]
    | Annotated[GeneratorSource, Tag("GeneratorSource")],
    Discriminator(
        _kind_of_source,
        custom_error_type="source",
        custom_error_message="a source needs one of the keys 'path' (load_dataset), 'files' or 'generator'",
    ),
]
