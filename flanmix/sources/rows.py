"""What every kind of source opens to: a schema, an identity and bounded batches of rows."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from flanmix.errors import Problem, SourceError
from flanmix.mapped import Seal

MAX_BATCH_BYTES = 32 << 20
MAX_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class Rows:
    """One split of one source, open for reading.

    `identity` is a digest of the content, so that equal identities mean equal rows; None where only reading all
    of them would tell. `shown` is how errors call the source. `seals` are the files that the identity was read from,
    and `seal` the one that is an Arrow file of just these rows.
    """

    shown: str
    identity: str | None
    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]
    seals: tuple[Seal, ...] = ()
    seal: Seal | None = None

    def check(self) -> None:
        """Raises `SourceError` where a file was changed since its content was read for the identity."""
        for seal in self.seals:
            seal.check()


def normal_type(kind: pa.DataType) -> pa.DataType:
    """The type that flanmix keeps a column in: text with 64-bit offsets, dictionaries and extensions unpacked.

    >>> import pyarrow as pa
    >>> normal_type(pa.list_(pa.dictionary(pa.int8(), pa.string())))
    ListType(list<item: large_string>)
    """
    if isinstance(kind, pa.BaseExtensionType):
        return normal_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return normal_type(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, normal_type(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return pa.list_(normal_type(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(normal_type(kind.value_type))
    return kind


def normal_schema(schema: pa.Schema) -> pa.Schema:
    """A schema in normal types, without metadata; raises `SourceError` for two columns of one name."""
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise SourceError(f"has two columns called '{twice[0]}'", hint="rename one")
    return pa.schema([pa.field(field.name, normal_type(field.type)) for field in schema])


def merge_types(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds both without changing how a value prints, or None: null fits all, structs add up.

    JSON numbers are the exception that JSON itself makes: whole and broken ones in a column are all floats.

    >>> import pyarrow as pa
    >>> merge_types(pa.int32(), pa.int64()), merge_types(pa.int64(), pa.large_string())
    (DataType(int64), None)
    """
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_integer(one) and pa.types.is_integer(other):
        return None if pa.uint64() in (one, other) else pa.int64()
    if pa.types.is_list(one) and pa.types.is_list(other):
        inner = merge_types(one.value_type, other.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _merge_fields(list(one), list(other), pa.struct)
    return None


def _merge_fields(
    one: list[pa.Field], other: list[pa.Field], make: Callable[[list[pa.Field]], pa.DataType]
) -> pa.DataType | None:
    fields = {field.name: field.type for field in one}
    for field in other:
        merged = merge_types(fields.get(field.name, pa.null()), field.type)
        if merged is None:
            return None
        fields[field.name] = merged
    return make([pa.field(name, kind) for name, kind in fields.items()])


def merge_schemas(one: pa.Schema, other: pa.Schema, shown: str) -> pa.Schema:
    """The schema that holds the rows of both; raises `SourceError` naming the column that does not fit."""
    merged = _merge_fields(list(one), list(other), pa.schema)
    if merged is None:
        pairs = [(n, one.field(n).type, other.field(n).type) for n in one.names if n in other.names]
        name, first, second = next(pair for pair in pairs if merge_types(pair[1], pair[2]) is None)
        what = f"column '{name}' is {first} in one place and {second} in another"
        raise SourceError(Problem(what, file=shown, hint="give the column one type"))
    return merged


def fit(batch: pa.RecordBatch, schema: pa.Schema, shown: str | None = None) -> pa.RecordBatch:
    """A batch in exactly this schema: columns in its order, missing ones null.

    Raises `SourceError` where its buffers are not what its types say (text that is not UTF-8 …), or a value does not
    fit.
    """
    names = batch.schema.names
    try:
        batch.validate(full=True)
        columns = [
            batch.column(field.name).cast(field.type) if field.name in names else pa.nulls(len(batch), field.type)
            for field in schema
        ]
    except pa.ArrowException as error:
        raise SourceError(Problem(f"holds broken data: {error}", file=shown, hint="write the data anew")) from error
    return pa.record_batch(columns, schema=schema)


def bounded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at most `MAX_BATCH_ROWS` and about `MAX_BATCH_BYTES`, small ones joined."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        for piece in _pieces(batch):
            if waiting and (rows + len(piece) > MAX_BATCH_ROWS or size + _bytes(piece) > MAX_BATCH_BYTES):
                yield pa.concat_batches(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(piece)
            rows, size = rows + len(piece), size + _bytes(piece)
    if waiting:
        yield pa.concat_batches(waiting)


def _bytes(batch: pa.RecordBatch) -> int:
    """The bytes of the rows alone: a dictionary is shared by batches, and gets no smaller where they are cut."""
    return sum((each.indices if pa.types.is_dictionary(each.type) else each).nbytes for each in batch.columns)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch halved until no piece is too large: its rows may be long at one end and short at the other."""
    if len(batch) > 1 and (len(batch) > MAX_BATCH_ROWS or _bytes(batch) > MAX_BATCH_BYTES):
        half = len(batch) // 2
        yield from _pieces(batch.slice(0, half))
        yield from _pieces(batch.slice(half))
    elif len(batch):
        yield batch


def digest_of_files(files: Iterable[Path], *more: str) -> str:
    """SHA-256 over the content of files (not their names or times) and what else decides how they are read."""
    return digest_of_seals(map(Seal.of, files), *more)


def digest_of_seals(seals: Iterable[Seal], *more: str) -> str:
    """The same of files that were read already."""
    whole = hashlib.sha256("\0".join(more).encode())
    for seal in seals:
        whole.update(bytes.fromhex(seal.digest))
    return whole.hexdigest()
