"""What in the names, columns and files of a folder a trainer misreads, each with what it does then."""

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from flanmix.errors import Problem
from flanmix.exports.batches import SAID, is_integers, is_turns, says
from flanmix.exports.seen import INDEX, OWN, Seen, hidden
from flanmix.exports.trap import FolderTrap
from flanmix.layouts import TOKENS

_RESERVED = """
    text prompt completion messages conversations chosen rejected tools images image chat_template_kwargs labels
    label_ids input_ids attention_mask position_ids seq_lengths length dataset_source env_config
"""
RESERVED = frozenset(_RESERVED.split())
"""Columns that trainers take for data of their own, wherever they come from."""
_OF_TOKENS = {"input_ids": pa.int32(), "attention_mask": pa.int8(), "labels": pa.int64()}
_SPLIT = re.compile(r"(?:.*[-._ 0-9])?(validation|valid|dev|val|testing|test|evaluation|eval)[-._ 0-9].*")
_OF_DISK = {"state.json", "dataset_info.json"}
_DIGEST = re.compile(r"[0-9a-f]{12}")


def unread(seen: Seen, trainer: str, layouts: tuple[str, ...]) -> Iterator[Problem]:
    """A layout that the trainer does not read, or none at all."""
    where = str(seen.folder)
    if seen.layout is None:
        hint = f"{trainer} reads {', '.join(layouts)}"
        yield Problem(f"has no layout that is known: its columns are {_and(seen.names)}", file=where, hint=hint)
    elif seen.layout not in layouts:
        hint = f"'flanmix export DIR --for {trainer}' writes {layouts[0]}"
        yield Problem(
            f"has the layout {seen.layout}, which {trainer} does not read as it is meant", file=where, hint=hint
        )


def beside_own(seen: Seen, trainer: str) -> Iterator[Problem]:
    """Any column beside the layout's own, for a trainer that stops at one."""
    extra = [name for name in seen.names if name not in OWN.get(seen.layout or "", ())]
    if extra and seen.layout:
        what = f"{trainer} stops at columns other than {_and(OWN[seen.layout])}, and there is {_and(extra)}"
        yield Problem(what, file=str(seen.folder), hint="export it, or build with --no-metadata")


def reserved(seen: Seen) -> Iterator[Problem]:
    """Columns that the layout does not have and trainers take for data."""
    other = {name for layout in seen.layouts[1:] for name in OWN[layout]}
    own = {*OWN.get(seen.layout or "", ()), *other}
    for name in seen.names:
        if name in RESERVED and name not in own:
            what = f"has a column '{name}' beside its data, which trainers take for data"
            yield Problem(what, file=str(seen.folder), hint=f"leave it out, or call it fm_{name}")


def several_layouts(seen: Seen) -> Iterator[Problem]:
    """`text` beside prompt and completion, and other layouts in one table."""
    for other in seen.layouts[1:]:
        if other == "text" and seen.layout in ("prompt_completion", "conversational"):
            what = "has 'text' beside 'prompt' and 'completion': the end of sequence goes to it, and is never trained"
            yield Problem(what, file=str(seen.folder), hint="leave the column 'text' out")
        else:
            what = f"has the columns of two layouts, {seen.layout} and {other}: trainers take one, or stop"
            yield Problem(what, file=str(seen.folder), hint="write one layout a folder")


def unlabelled(seen: Seen) -> Iterator[Problem]:
    """Tokens without labels: every token is trained, silently, whatever masks there are."""
    if "input_ids" in seen.names and "labels" not in seen.names:
        mask = next((name for name in ("completion_mask", "assistant_masks") if name in seen.names), None)
        what = f"has '{mask}' without 'labels'" if mask else "has 'input_ids' without 'labels'"
        hint = "write 'labels', with -100 where there is no loss"
        yield Problem(f"{what}: every token is trained", file=str(seen.folder), hint=hint)


def foreign_files(seen: Seen) -> Iterator[Problem]:
    """Whatever lies among the shards and is none."""
    known = _OF_DISK if seen.kind == "disk" else {INDEX} if _index_belongs(seen) else set()
    shards = {shard.name for shard in seen.shards}
    for file in sorted(seen.folder.iterdir()):
        if file.name in shards or file.name in known or hidden(file.name):
            continue
        hint = "move it out, or begin its name with _ or ."
        if file.name == INDEX:
            hint = "litData writes it into the folder it reads: give it a copy, and remove this one"
        yield Problem("is no shard, but lies among them", file=str(file), hint=hint)


def _index_belongs(seen: Seen) -> bool:
    return seen.kind == "mds" or seen.facts.get("trainer") == "litdata"


def splits(seen: Seen) -> Iterator[Problem]:
    """Names in which `datasets` sees another split than the one that is trained on."""
    if seen.kind in ("disk", "mds"):
        return
    for shard in seen.shards:
        if match := _SPLIT.fullmatch(shard.name):
            what = f"has '{match[1]}' in its name: 'datasets' takes it for another split, which is not trained on"
            yield Problem(what, file=str(shard), hint="name shards like train-00000-of-00001.parquet")


def types(seen: Seen) -> Iterator[Problem]:
    """Columns that have no type, or another one than in the first shard, or are not in every shard."""
    if not seen.schemas:
        return
    first = seen.schemas[0]
    for shard, schema in zip(seen.shards, seen.schemas, strict=False):
        for field in schema:
            if _has_null_type(field.type):
                hint = "give the column its type, also where all is null"
                yield Problem(f"'{field.name}' has no type ({field.type})", file=str(shard), hint=hint)
            elif field.name not in first.names:
                yield Problem(f"has '{field.name}', which {seen.shards[0].name} has not", file=str(shard), hint=_SAME)
            elif field.type != first.field(field.name).type and not _has_null_type(first.field(field.name).type):
                what = f"'{field.name}' is {field.type}, where {seen.shards[0].name} has {first.field(field.name).type}"
                yield Problem(what, file=str(shard), hint=_SAME)
        for name in first.names:
            if name not in schema.names:
                yield Problem(f"lacks '{name}', which {seen.shards[0].name} has", file=str(shard), hint=_SAME)


_SAME = "write every shard with one schema"


def _has_null_type(kind: pa.DataType) -> bool:
    if pa.types.is_null(kind):
        return True
    return any(_has_null_type(kind.field(place).type) for place in range(kind.num_fields)) if _nests(kind) else False


def _nests(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind))


def turn_keys(seen: Seen) -> Iterator[Problem]:
    """Turns with other keys than exactly the two of the layout, or columns of another type than the layout's."""
    wanted = {"from", "value"} if seen.layout == "sharegpt" else {"role", "content"}
    names = {"conversational": OWN["conversational"], "messages": ("messages",), "sharegpt": ("conversations",)}
    for name in names.get(seen.layout or "", ()):
        for kind in {schema.field(name).type for schema in seen.schemas if name in schema.names}:
            keys = [field.name for field in kind.value_type] if is_turns(kind) else []
            if set(keys) != wanted:
                keys_and = _and(sorted(wanted, reverse=True))
                what = f"'{name}' is {kind}, and no list of turns with exactly {keys_and}, both texts"
                yield Problem(what, file=str(seen.folder), hint="write the two as text, and no other key")


def wrong_values(seen: Seen) -> Iterator[Problem]:
    """Columns of texts that hold something else, and columns of tokens that hold no lists of integers."""
    texts, tokens = SAID.get(seen.layout or "", ()), OWN[seen.layout] if seen.layout in TOKENS else ()
    for names, good, wanted in ((dict.fromkeys(texts), says, "text"), (tokens, is_integers, "lists of integers")):
        for name in names:
            for kind in {schema.field(name).type for schema in seen.schemas if name in schema.names}:
                if not good(kind) and not _has_null_type(kind):
                    what = f"'{name}' is {kind}, where the layout {seen.layout} has {wanted}"
                    yield Problem(what, file=str(seen.folder), hint="write it as such, or call the column otherwise")


def no_rows(seen: Seen) -> Iterator[Problem]:
    """Shards without a row."""
    if seen.kind == "parquet" and not any(pq.read_metadata(shard).num_rows for shard in seen.shards):
        yield Problem("holds no row", file=str(seen.folder), hint="see in the manifest why rows were dropped")


def token_columns(seen: Seen) -> Iterator[Problem]:
    """Tokens without an attention mask."""
    if "input_ids" in seen.names and "attention_mask" not in seen.names:
        hint = "write it, with 1 for every token"
        yield Problem("has 'input_ids' without 'attention_mask'", file=str(seen.folder), hint=hint)


def token_types(seen: Seen) -> Iterator[Problem]:
    """Tokens of other types than those that can be put behind each other."""
    for name, wanted in _OF_TOKENS.items():
        for kind in {schema.field(name).type for schema in seen.schemas if name in schema.names}:
            if not is_integers(kind) or kind.value_type != wanted:
                what = f"'{name}' is {kind}, where the trainer puts only list<{wanted}> behind each other"
                yield Problem(what, file=str(seen.folder), hint=f"write it as list<{wanted}>")


def stale_cache(seen: Seen) -> Iterator[Problem]:
    """An export whose path does not name the plan: the trainer's cache does not look at what local files hold."""
    plan = str(seen.facts.get("plan", ""))[:12]
    if seen.exported and plan not in seen.folder.name:
        what = f"does not name the plan ({plan}): the trainer's cache would give the rows of what lay here before"
        yield Problem(what, file=str(seen.folder), hint=f"call it {seen.layout}-{plan}")


def nameless(seen: Seen) -> Iterator[Problem]:
    """Any other folder without a digest in its path."""
    if not seen.exported and not any(map(_DIGEST.search, seen.folder.parts)):
        what = "has no digest in its path: the trainer's cache does not see when the files there change"
        yield Problem(what, file=str(seen.folder), hint="export it, or build into a new folder each time")


def arrow(seen: Seen) -> Iterator[Problem]:
    """Arrow files, which are read by fewer trainers."""
    if seen.kind == "arrow":
        yield Problem("holds Arrow files, not Parquet", file=str(seen.folder), hint="'flanmix export' writes Parquet")


def _and(names: list[str] | tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted) or "none"


FOREIGN = FolderTrap(foreign_files)
STALE = (FolderTrap(stale_cache), FolderTrap(nameless, warns=True))
COMMON: tuple[FolderTrap, ...] = (
    FolderTrap(reserved),
    FolderTrap(several_layouts),
    FolderTrap(unlabelled),
    FolderTrap(splits),
    FolderTrap(types),
    FolderTrap(turn_keys),
    FolderTrap(wrong_values),
    FolderTrap(no_rows),
    FolderTrap(arrow),
)
"""What holds for every trainer."""
