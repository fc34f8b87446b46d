"""Datasets that `datasets.load_dataset` reads: from the Hub, from a folder, or from files by one of its builders.

Its cache hides most failures: where the Hub fails, it loads the newest commit of the config that it holds, whatever
`revision` says. So the load is taken apart here into builder and data: a builder tells its commit.
"""

import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flanmix.errors import Problem, SourceError, did_you_mean
from flanmix.sources.rows import Rows, bounded, digest_of_files, fit, normal_schema
from flanmix.spec import HubSource

_LOG_IN, _LOCAL = "log in with `hf auth login`", (".", "~", "/")
_NO_SUCH = "(Dataset|Repository)NotFound|HFValidation|Error 40[134]:|data file at (?!.* either: )"
_FAILURES = (  # a pattern of `Kind status: text`, why a load failed, the next step (or `known` names take its place)
    ("OfflineModeIsEnabled", "the Hub is not asked while HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE and go online"),
    ("is a gated dataset|GatedRepo", "it is gated", f"ask for access on its page, and {_LOG_IN}"),
    ("Revision '(?P<n>.+)' doesn't", "the Hub has no revision '{n}' of it", "name a branch, tag or commit of it"),
    (r"Entry Not Found .*/(?P<n>[^/\s]+?)\.?$", "its file '{n}' is not there", "try again, or name another revision"),
    (_NO_SUCH, "the Hub shows no such dataset", f"correct 'path' (a folder's begins with ./), or {_LOG_IN}"),
    (r"scripts are .* found (?P<n>\S+)", "it is a loading script ({n}), which is never run", "look for it as Parquet"),
    ("(is missing|multiple .* cache).*?: (?P<known>.*?)( Please| Example|$)", "'name' does not say which config", ""),
    (r"Config '(?P<n>.*)' not found.*: (?P<known>\[.*)", "it has no config '{n}'", ""),
    (r'Unknown split "(?P<n>.*)".* of (?P<known>\[.*)', "it has no split '{n}'", ""),
    (r"'(?P<n>[^']*\.incomplete)/", "a load was cut off and left {n}", "go online, or remove that folder"),
    (r"Unable to find '(hf://[^']*@\w+/)?(?P<n>[^']+)'", "no file is '{n}'", "correct 'data_files' or 'data_dir'"),
    ("DataFilesNotFound|EmptyDataset", "no data files are there", "correct or add 'data_files' or 'data_dir'"),
    (r"Error (?P<n>\d+):", "the Hub answers with error {n}", "try again later"),
    ("Couldn't reach|ConnectError|ProxyError|Timeout", "the Hub cannot be reached", "go online, and try again"),
    (r"Protocol|ReadError|WriteError|Connection\w*:", "the connection broke: {text}", "try again"),
)
_SECRETS = re.compile(r"(https?://)(?:[^\s/@]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?|\bhf_[\w.-]{16,}")
_SAYS_LITTLE = re.compile("FileNotFound.*( either: |is not cached in)|LocalEntryNotFound|DatasetGenerationError: An ")


def open_hub(source: HubSource, split: str, folder: Path | None) -> Rows:
    """Open one split through `datasets`; raises `SourceError`, and warns where the cache stands in for the Hub."""
    if split not in source.split:
        hint = did_you_mean(split, source.split) or f"there are {', '.join(source.split)}"
        raise SourceError(Problem(f"no split '{split}' in 'split'", source.path, hint=hint))
    wanted, below = source.split[split], folder or Path()
    with _explaining(source) as reasons:
        builder = _settled(_builder(source, below), source, reasons)
        builder.download_and_prepare()
        dataset = builder.as_dataset(split=wanted, in_memory=False)
        files = [Path(item["filename"]) for item in dataset.cache_files]
        identity = digest_of_files(files, wanted, str(len(dataset))) if files else None
    table = dataset.data.table
    schema = normal_schema(table.schema)
    return Rows(source.path, identity, schema, lambda: bounded(fit(batch, schema) for batch in table.to_batches()))


def _builder(source: HubSource, below: Path) -> Any:
    """The builder of a source; what is local is below the task's folder, never below the working directory."""
    import datasets.packaged_modules  # heavy: only where a task needs it

    call = source.model_dump(mode="json", exclude={"split"})
    path, place = source.path, below / Path(source.path).expanduser()
    by_files = path in datasets.packaged_modules._PACKAGED_DATASETS_MODULES
    if source.revision and (by_files or path.startswith(_LOCAL)):
        raise SourceError(Problem("'revision' is for datasets of the Hub", source.path, hint="leave it out"))
    if by_files:
        if not (source.data_files or source.data_dir):
            raise SourceError(Problem("reads files, and none are named", source.path, hint="name them in 'data_files'"))
        call["data_dir"] = str(below / Path(source.data_dir or "").expanduser())
    elif path.startswith(_LOCAL):
        if not place.is_dir():
            raise SourceError(Problem("is no folder", source.path, hint=f"a path is relative to {below}"))
        if (place / "state.json").exists() or (place / "dataset_dict.json").exists():
            raise SourceError(Problem("is from save_to_disk", source.path, hint="name its .arrow files in 'files'"))
        call["path"] = str(place)
    elif Path(path).exists():  # in the working directory, where it would go first
        call["path"] = f"hf://datasets/{path}"
    builder = datasets.load_dataset_builder(**call)
    if builder.repo_id is None and not by_files:  # the cache knows a folder by name and card only: one for each state
        key = datasets.fingerprint.Hasher.hash(builder.config.data_files)
        builder = datasets.load_dataset_builder(**call, cache_dir=f"{datasets.config.HF_DATASETS_CACHE}/flanmix/{key}")
    return builder


def _settled(builder: Any, source: HubSource, reasons: list[BaseException]) -> Any:
    """The builder that is meant when the cache stands in for the Hub: for a commit only itself will do, for a branch or
    tag what it was when the Hub was last asked, else any. The latter two are told by a warning: library and command
    line both show it, once for a dataset, and it can be made an error.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    asked = source.revision or ""
    if builder.name != "cache" and (not re.fullmatch("[0-9a-f]{40}", asked) or builder.hash == asked):
        return builder
    kept = Path(builder.cache_dir).parent  # …/<dataset>/<config>/<version>/<commit>
    ref = Path(HF_HUB_CACHE, f"datasets--{builder.repo_id.replace('/', '--')}", "refs", asked or "main")
    meant = ref.read_text() if ref.is_file() else asked or builder.hash
    if (kept / meant).is_dir():
        builder = type(builder)(None, builder.dataset_name, kept.parent.name, kept.name, meant, repo_id=builder.repo_id)
    why, hint = _explained(reasons[0])
    if asked and builder.hash != meant:
        what = f"cannot be read: the cache holds commit {builder.hash}, not {asked}: {why}"
        raise SourceError(Problem(what, source.path, hint=hint)) from reasons[0]
    if builder.hash != asked:
        what = f"commit {builder.hash} of '{kept.parent.name}' is taken from the cache: {why}"
        warnings.warn(str(Problem(what, source.path, hint=f"{hint}, or set `revision: {builder.hash}`")), stacklevel=2)
    return builder


@contextmanager
def _explaining(source: HubSource) -> Iterator[list[BaseException]]:
    """Makes one line of what a client raises. Gives why it falls back on its cache: it logs that while it knows why."""
    reasons: list[BaseException] = [ConnectionError("Couldn't reach the Hub")]  # unless told better
    thread, log = threading.get_ident(), logging.getLogger("datasets.load")

    def take(record: logging.LogRecord) -> bool:
        ours = record.thread == thread and "the latest cached version" in record.getMessage()
        reasons[:0] = [error for error in sys.exc_info()[1:2] if ours and error]
        return not ours

    log.addFilter(take)
    try:
        yield reasons
    except SourceError:
        raise
    except Exception as error:
        why, hint = _explained(reasons[0] if "Couldn't find cache" in str(error) else error)
        raise SourceError(Problem(f"cannot be read: {why}", source.path, hint=hint)) from error
    finally:
        log.removeFilter(take)


def _explained(error: BaseException) -> tuple[str, str]:
    """Why a load failed and the next step, each on one line and without passwords, tokens and what signs a URL."""
    while _SAYS_LITTLE.match(f"{type(error).__name__}: {error}") and (inner := error.__cause__ or error.__context__):
        error = inner
    text = re.sub(_SECRETS, r"\1\2", " ".join(str(error).split()))
    kind = f"{type(error).__name__} {getattr(getattr(error, 'response', None), 'status_code', '')}".strip()
    for pattern, why, hint in _FAILURES:
        if found := re.search(pattern, f"{kind}: {text}"):
            named = found.groupdict("")
            if known := re.findall(r"[^\s,'\[\]]+", named.get("known", "")):
                hint = did_you_mean(named.get("n", ""), known) or f"there are {', '.join(known)}"
            return why.format(text=text[:200].rstrip("."), **named), hint
    return f"{kind}: {text[:400]}", "look at what 'source' says, and at the files that it leads to"
