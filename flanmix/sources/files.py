"""Local Parquet, Arrow, JSONL, CSV, TSV and Natural Instructions files, by path or glob."""

import codecs
import csv
import glob
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from flanmix.errors import Problem, SourceError
from flanmix.mapped import Mapped, Seal
from flanmix.sources.instructions import InstructionFiles
from flanmix.sources.rows import Rows, bounded, digest_of_seals, fit, merge_schemas, normal_schema
from flanmix.spec import FileSource

_ENDINGS = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
}
_JSON_BLOCK = 8 << 20
_CSV_BLOCK = 32 << 20
"""Also the longest row that a CSV file may have."""
_MAX_LINE = 256 << 20


def open_files(source: FileSource, split: str, folder: Path | None) -> Rows:
    """Open one split of local files; raises `SourceError`."""
    patterns = _patterns(source, split)
    files = list(dict.fromkeys(file for pattern in patterns for file in _expand(pattern, folder)))
    shown = ", ".join(patterns)
    kind = source.format or _format_of(files)
    if kind not in ("csv", "tsv") and (source.columns or source.delimiter or source.quoting is not None):
        what = f"'columns', 'delimiter' and 'quoting' are for CSV and TSV, not {kind}"
        raise SourceError(Problem(what, file=shown, hint="leave them out"))
    reader = _READERS[kind](source, kind)
    schemas = [reader.schema(file) for file in files]
    schema = reduce(lambda one, other: merge_schemas(one, other, shown), schemas)

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            try:
                for batch in reader.batches(file, schema):
                    yield fit(batch, schema, str(file))
            except (pa.ArrowException, OSError, UnicodeError) as error:
                raise _broken(file, error) from error

    options = source.model_dump_json(include={"columns", "delimiter", "quoting"})
    seals = tuple(map(Seal.of, files))
    own = seals[0] if kind == "arrow" and len(seals) == 1 else None
    return Rows(shown, digest_of_seals(seals, kind, options), schema, lambda: bounded(batches()), seals, own)


def _patterns(source: FileSource, split: str) -> tuple[str, ...]:
    files = source.files
    if isinstance(files, dict):
        if split not in files:
            raise SourceError(f"no files for the split '{split}'", hint=f"there are {', '.join(files)}")
        files = files[split]
    elif split != "train":
        hint = "write files: {train: …, " + split + ": …}"
        raise SourceError(f"no files for the split '{split}'", hint=hint)
    return (files,) if isinstance(files, str) else files


def _expand(pattern: str, folder: Path | None) -> list[Path]:
    root = folder or Path()
    wanted = Path(pattern).expanduser()
    if (root / wanted).is_file():
        return [root / wanted]
    files = sorted(
        root / name for name in glob.glob(str(wanted), root_dir=root, recursive=True) if (root / name).is_file()
    )
    if not files:
        where = f"no file of that name below {'this folder' if root == Path() else root}"
        raise SourceError(Problem(where, file=pattern, hint="a path is relative to the folder of the YAML file"))
    return files


def _format_of(files: Sequence[Path]) -> str:
    kinds = {_ENDINGS.get(Path(file.name.removesuffix(".gz")).suffix) for file in files}
    if len(kinds) == 1 and (kind := kinds.pop()):
        return kind
    ending = next((file for file in files if Path(file.name.removesuffix(".gz")).suffix not in _ENDINGS), files[0])
    hint = "give 'format': parquet, arrow, jsonl, csv or tsv"
    if ending.name.removesuffix(".gz").endswith(".json"):
        hint = f"give 'format: jsonl' if each line is an object; if they are one list, {_LINES}"
    raise SourceError(Problem("the files' endings do not tell one format", file=str(ending), hint=hint))


_NO_OBJECT = "not one object a line"
_LINES = "write each object on a line of its own, e.g. jq -c '.[]' rows.json > rows.jsonl"


def _broken(file: Path, error: Exception, line: int | None = None) -> SourceError:
    what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "metadata bytes" in what:
        what = "it is no Arrow IPC file"
    if "UTF8" in what.replace("-", "").upper():
        line, what = _first_bad_line(file), "is not UTF-8 text"
    hint = _LINES if what.endswith(_NO_OBJECT) else "repair or leave out the file"
    return SourceError(Problem(f"cannot be read: {what}", file=str(file), line=line, hint=hint))


def _first_bad_line(file: Path) -> int | None:
    with pa.input_stream(str(file), compression="detect") as stream:
        for number, block in _line_blocks(stream, file):
            for offset, line in enumerate(block.split(b"\n")):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return number + offset
    return None


def _line_blocks(stream: Any, file: Path) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines, each with the number of its first line (from 1)."""
    number, rest = 1, b""
    while data := stream.read(_JSON_BLOCK):
        head, newline, tail = (rest + data).rpartition(b"\n")
        rest = tail
        if newline:
            yield number, head + newline
            number += head.count(b"\n") + 1
        elif len(rest) > _MAX_LINE:
            raise _broken(file, ValueError(f"a line is longer than {_MAX_LINE:,} bytes"), number)
    if rest:
        yield number, rest


@dataclass(frozen=True)
class _Parquet:
    source: FileSource
    kind: str

    def schema(self, file: Path) -> pa.Schema:
        try:
            return normal_schema(pq.read_schema(file))
        except (pa.ArrowException, OSError) as error:
            raise _broken(file, error) from error

    def batches(self, file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            yield from parquet.iter_batches(batch_size=8192)


@dataclass(frozen=True)
class _Arrow:
    source: FileSource
    kind: str

    def schema(self, file: Path) -> pa.Schema:
        try:
            return normal_schema(Mapped(file).reader().schema)
        except (pa.ArrowException, OSError) as error:
            raise _broken(file, error) from error

    def batches(self, file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        yield from Mapped(file).batches()


@dataclass(frozen=True)
class _Delimited:
    """CSV and TSV. Every column is text as it stands: no guessed numbers, no `NA` turned into null."""

    source: FileSource
    kind: str

    @property
    def _delimiter(self) -> str:
        return self.source.delimiter or ("\t" if self.kind == "tsv" else ",")

    @property
    def _quoting(self) -> bool:
        return self.kind == "csv" if self.source.quoting is None else self.source.quoting

    def _open(self, file: Path, names: Sequence[str] | None = None) -> Any:
        return pa.csv.open_csv(
            pa.input_stream(str(file), compression="detect"),
            read_options=pa.csv.ReadOptions(column_names=self.source.columns, use_threads=False, block_size=_CSV_BLOCK),
            parse_options=pa.csv.ParseOptions(
                delimiter=self._delimiter,
                quote_char='"' if self._quoting else False,
                newlines_in_values=self._quoting,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names or (), pa.large_string()), strings_can_be_null=False
            ),
        )

    def schema(self, file: Path) -> pa.Schema:
        names = self.source.columns
        if names is None:
            try:
                names = tuple(self._open(file).schema.names)
            except (pa.ArrowException, OSError, UnicodeError) as error:
                raise self._broken(file, error) from error
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            what, hint = f"has two columns called '{twice[0]}'", "rename one, or give 'columns'"
            raise SourceError(Problem(what, file=str(file), line=1, hint=hint))
        return pa.schema([pa.field(name, pa.large_string()) for name in names])

    def batches(self, file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._open(file, schema.names)
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise self._broken(file, error) from error
        if self._quoting:
            self._refuse_open_quote(file)

    def _refuse_open_quote(self, file: Path) -> None:
        """Refuse a quote that nothing closes: Arrow takes all that follows as one cell."""
        with pa.input_stream(str(file), compression="detect") as stream:
            quotes = sum(block.count(b'"') for _, block in _line_blocks(stream, file))
        if quotes % 2 and (line := self._line_of_record(file, None)):
            raise _broken(file, ValueError("a quote that opens here is never closed"), line)

    def _broken(self, file: Path, error: Exception) -> SourceError:
        ragged = re.search(r"Row #(\d+): (Expected \d+ columns, got \d+)", str(error))
        if ragged:
            return _broken(file, ValueError(ragged[2]), self._line_of_record(file, int(ragged[1])))
        if "straddling" in str(error):
            error = ValueError(f"a row is longer than {_CSV_BLOCK:,} bytes")
        return _broken(file, error)

    def _line_of_record(self, file: Path, record: int | None) -> int | None:
        """The line where a record (from 1) starts, or where the last one does if its quote is never closed."""
        quoting: Any = csv.QUOTE_MINIMAL if self._quoting else csv.QUOTE_NONE
        line = number = 1
        with pa.input_stream(str(file), compression="detect") as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
            reader = csv.reader(text, delimiter=self._delimiter, quoting=quoting, strict=record is None)
            limit = csv.field_size_limit(2 * _CSV_BLOCK)
            try:
                for cells in reader:
                    if cells and number == record:
                        return line
                    number += bool(cells)
                    line = reader.line_num + 1
            except csv.Error as error:
                return line if "unexpected end" in str(error) else None
            finally:
                csv.field_size_limit(limit)
        return None


@dataclass(frozen=True)
class _Jsonl:
    """One JSON object a line. The schema is that of all lines, and text that looks like a date stays text."""

    source: FileSource
    kind: str

    def _tables(self, file: Path, schema: pa.Schema | None) -> Iterator[pa.Table]:
        options = pa.json.ParseOptions(explicit_schema=schema, newlines_in_values=False)
        with pa.input_stream(str(file), compression="detect") as stream:
            for number, block in _line_blocks(stream, file):
                if not block.strip():
                    continue
                block.decode("utf-8")  # Arrow's reader does not look
                reading = pa.json.ReadOptions(block_size=len(block) + 1, use_threads=False)
                try:
                    table = pa.json.read_json(pa.BufferReader(block), read_options=reading, parse_options=options)
                except pa.ArrowInvalid as error:
                    row = re.search(r" in row (\d+)", str(error))
                    line = _odd_line(block, number) or _line_of_row(block, number, int(row[1]) if row else 0)
                    what = str(error).replace(row[0], "") if row else str(error)
                    what = f"JSON parse error: {_NO_OBJECT}" if "Column()" in what else what
                    raise _broken(file, ValueError(what), line) from error
                if len(table) != sum(map(bool, map(bytes.strip, block.split(b"\n")))):
                    raise _broken(file, ValueError("not one JSON object a line"), _odd_line(block, number))
                yield table

    def schema(self, file: Path) -> pa.Schema:
        merged = pa.schema([])
        try:
            for table in self._tables(file, None):
                merged = merge_schemas(merged, _dates_as_text(table.schema), str(file))
        except (OSError, pa.ArrowException, UnicodeError) as error:
            raise _broken(file, error) from error
        return normal_schema(merged)

    def batches(self, file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for table in self._tables(file, schema):
            yield from table.to_batches()


def _odd_line(block: bytes, first: int) -> int | None:
    """The first line that is not one JSON object."""
    for number, line in enumerate(block.split(b"\n"), first):
        try:
            if line.strip() and not isinstance(json.loads(line.removeprefix(codecs.BOM_UTF8)), dict):
                return number
        except ValueError:
            return number
    return None


def _line_of_row(block: bytes, first: int, row: int) -> int:
    lines = [number for number, line in enumerate(block.split(b"\n"), first) if line.strip()]
    return lines[min(row, len(lines) - 1)]


def _dates_as_text(schema: pa.Schema) -> pa.Schema:
    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
            return pa.string()
        if pa.types.is_list(kind):
            return pa.list_(plain(kind.value_type))
        if pa.types.is_struct(kind):
            return pa.struct([pa.field(field.name, plain(field.type)) for field in kind])
        return kind

    return pa.schema([pa.field(field.name, plain(field.type)) for field in schema])


_READERS: dict[str, Any] = {
    "parquet": _Parquet,
    "arrow": _Arrow,
    "csv": _Delimited,
    "tsv": _Delimited,
    "jsonl": _Jsonl,
    "natural_instructions": InstructionFiles,
}
