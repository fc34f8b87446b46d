"""The files of Natural Instructions: a JSON object with a definition, examples and instances for each task."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanmix.sources.json_stream import JsonStream
from flanmix.spec import FileSource

DEFINITION, INSTANCES = "Definition", "Instances"
POSITIVE, NEGATIVE = "Positive Examples", "Negative Examples"
_CONSTANT = (DEFINITION, POSITIVE, NEGATIVE)
_TEXT = pa.large_string()
_EXAMPLES = pa.list_(pa.struct([pa.field(name, _TEXT) for name in ("input", "output", "explanation")]))
SCHEMA = pa.schema(
    [
        pa.field("id", _TEXT),
        pa.field("input", _TEXT),
        pa.field("output", _TEXT),
        pa.field("outputs", pa.list_(_TEXT)),
        pa.field("definition", pa.dictionary(pa.int32(), _TEXT)),
        pa.field("positive_examples", pa.dictionary(pa.int32(), _EXAMPLES)),
        pa.field("negative_examples", pa.dictionary(pa.int32(), _EXAMPLES)),
        pa.field("fault", _TEXT),
    ]
)
"""The columns of a row. What all rows of a task share is written once, and rows hold its number."""
_BATCH_ROWS, _BATCH_CHARACTERS = 4096, 8 << 20
Example = dict[str, str]


@dataclass(frozen=True)
class Head:
    """What a file says of all its instances: its definition and its sound examples.

    `fault` is what is wrong with the definition, or empty; `left_out` are faults of examples that are not taken.
    """

    definition: str
    positive: tuple[Example, ...]
    negative: tuple[Example, ...]
    fault: str
    left_out: tuple[str, ...]


def read_head(file: Path, others: Mapping[str, Callable[[Any], None]] | None = None) -> Head:
    """The head of a file, without its instances where these come last; raises `SourceError`.

    `others` are functions to call with the values of other keys that come on the way.
    """
    found: dict[str, Any] = {}
    with JsonStream(file) as stream:
        for key in stream.members():
            if key in found:
                raise stream.told(f"the key '{key}' stands here twice", "keep one")
            if key == INSTANCES:
                if found.keys() >= {*_CONSTANT}:
                    break
                found[key] = sum(1 for _ in stream.items())
                continue
            value = stream.value()
            if key in _CONSTANT:
                found[key] = value
            elif others and key in others:
                others[key](value)
        for key in (DEFINITION, POSITIVE):
            if key not in found:
                raise stream.told(f"there is no key '{key}'", "name files of one Natural Instructions task each", 1)
    try:
        return _head(found)
    except ValueError as error:
        raise stream.told(str(error), "look at what the format says in docs/files.md", 1) from error


def _head(found: Mapping[str, Any]) -> Head:
    given = found[DEFINITION]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"'{DEFINITION}' should be a text, or a list of one")
    definition = next((text.strip() for text in texts if text.strip()), "")
    fault = (
        "an empty definition" if not definition else f"{why} in the definition" if (why := fault_of(definition)) else ""
    )
    left_out: list[str] = []
    positive, negative = (tuple(_examples(found.get(key) or [], key, left_out)) for key in (POSITIVE, NEGATIVE))
    return Head("" if fault else definition, positive, negative, fault, tuple(left_out))


def _examples(given: Any, key: str, left_out: list[str]) -> Iterator[Example]:
    """The sound examples of a list; one whose input has no letter or digit ("-") stands for none."""
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ValueError(f"'{key}' should be a list of objects with 'input', 'output' and 'explanation'")
    for number, each in enumerate(given):
        made = {name: _first(each.get(name)) for name in ("input", "output", "explanation")}
        if not re.search(r"\w", made["explanation"]):
            made["explanation"] = ""
        fault = next(filter(None, map(fault_of, made.values())), "")
        if fault or not re.search(r"\w", made["input"]) or not made["output"]:
            left_out.append(f"{key}[{number}]: {fault or 'no text'}")
            continue
        yield made


def _first(value: Any) -> str:
    """A text, or the first of a list of texts, without white space around it."""
    texts = value if isinstance(value, list) else [value]
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


# ---- faults

_CONTINUED = {chr(byte) for byte in range(0x80, 0xC0)} | {*bytes(range(0x80, 0xC0)).decode("cp1252", "ignore")}
_USUAL = set("\u00a0«»‘’“”…–—·°§")
"""Characters that also stand after letters with accents where nothing is wrong."""
_ANY, _ODD = (f"[{re.escape(''.join(sorted(each)))}]" for each in (_CONTINUED, _CONTINUED - _USUAL))
_MOJIBAKE = re.compile(
    f"\ufffd|[\x80-\x84\x86-\x9f]|[ÂÃ]{_ODD}|[\xe0-\xef](?:{_ODD}{_ANY}|{_ANY}{_ODD})|[\xf0-\xf4]{_ANY}{{3}}"
)
"""UTF-8 that was read as Latin-1 or Windows-1252, such as Ã© in place of é, and what stands for lost characters."""


_LONE = re.compile("[\ud800-\udfff]")


def fault_of(text: str) -> str:
    """What is wrong with a text's characters, or nothing.

    >>> fault_of("cafÃ©"), fault_of("café"), fault_of("one\\r\\ntwo")
    ('mojibake', '', 'CRLF')
    """
    if text.isascii():
        return "CRLF" if "\r" in text else ""
    if _LONE.search(text):
        return "half a character"
    return "mojibake" if _MOJIBAKE.search(text) else "CRLF" if "\r" in text else ""


def _fault(instance: Any, outputs: list[Any]) -> str:
    """What is wrong with an instance, or nothing."""
    text = instance.get("input")
    if not isinstance(text, str):
        return "no input"
    if not text.strip():
        return "empty input"
    if not outputs or not all(isinstance(each, str) for each in outputs):
        return "no output" if not outputs else "an output that is no text"
    blank = [not each.strip() for each in outputs]
    if any(blank):
        return "empty output" if all(blank) else "an empty one among the outputs"
    return next(filter(None, map(fault_of, (text, *outputs))), "")


# ---- rows


def _squeezed(text: str) -> str:
    return " ".join(text.split())


class _Shown:
    """The lists of examples that rows see: for each task all of them, and all but those with the input of a row."""

    def __init__(self, tasks: Iterable[tuple[Example, ...]]) -> None:
        self._lists: list[list[Example]] = []
        self._of_task: list[tuple[int, dict[str, int]]] = []
        for examples in tasks:
            whole = self._add(examples)
            inputs = dict.fromkeys(_squeezed(each["input"]) for each in examples)
            without = {
                text: self._add(each for each in examples if _squeezed(each["input"]) != text) for text in inputs
            }
            self._of_task.append((whole, without))

    def _add(self, examples: Iterable[Example]) -> int:
        self._lists.append(list(examples))
        return len(self._lists) - 1

    def code(self, task: int, squeezed: str) -> int:
        """The number of the list that a row with this input sees."""
        whole, without = self._of_task[task]
        return without.get(squeezed, whole)

    @cached_property
    def dictionary(self) -> pa.Array:
        """The lists by their numbers."""
        return pa.array(self._lists, _EXAMPLES)


@dataclass(frozen=True)
class _Shared:
    """What the rows of all files have in common, once."""

    heads: Mapping[Path, Head]

    @cached_property
    def places(self) -> Mapping[Path, int]:
        """The number of each file."""
        return {file: number for number, file in enumerate(self.heads)}

    @cached_property
    def definitions(self) -> pa.Array:
        """The definition of each file."""
        return pa.array([head.definition for head in self.heads.values()], _TEXT)

    @cached_property
    def positive(self) -> _Shown:
        """The positive examples."""
        return _Shown(head.positive for head in self.heads.values())

    @cached_property
    def negative(self) -> _Shown:
        """The negative examples."""
        return _Shown(head.negative for head in self.heads.values())


class _Batch:
    """Rows of one task on their way into a record batch."""

    def __init__(self, shared: _Shared, task: int) -> None:
        self._shared, self._task, self._size = shared, task, 0
        self._rows: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether there are enough rows for a batch."""
        return len(self) >= _BATCH_ROWS or self._size >= _BATCH_CHARACTERS

    def add(self, name: Any, text: Any, outputs: list[Any], fault: str) -> None:
        """Add one row; of what is no text Arrow can hold, nothing stays but the fault."""
        text = text.strip() if isinstance(text, str) and fault != "half a character" else None
        texts = [each.strip() for each in outputs if isinstance(each, str) and each.strip()]
        if text is None:
            texts = []
        squeezed = _squeezed(text or "")
        codes = (self._shared.positive.code(self._task, squeezed), self._shared.negative.code(self._task, squeezed))
        held = name if isinstance(name, str) and not _LONE.search(name) else None
        self._rows.append((held, text, next(iter(texts), None), texts, *codes, fault))
        self._size += len(text or "") + sum(map(len, texts))

    def batch(self) -> pa.RecordBatch:
        """The rows."""
        names, inputs, first, outputs, positive, negative, faults = zip(*self._rows, strict=True)
        shared = self._shared
        coded = (([self._task] * len(self), shared.definitions), (positive, shared.positive.dictionary))
        made = [
            pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), values)
            for codes, values in (*coded, (negative, shared.negative.dictionary))
        ]
        plain = [pa.array(values, field.type) for values, field in zip((names, inputs, first, outputs), SCHEMA)]
        return pa.record_batch([*plain, *made, pa.array(faults, _TEXT)], schema=SCHEMA)


class InstructionFiles:
    """Reads the rows of such files: a row for each instance.

    A row's examples are those of its task but for any that has the row's own input, whatever the white space.
    """

    def __init__(self, source: FileSource, kind: str) -> None:
        self._heads: dict[Path, Head] = {}

    def schema(self, file: Path) -> pa.Schema:
        """The columns, which are the same for every file."""
        self._heads[file] = read_head(file)
        return SCHEMA

    @cached_property
    def _shared(self) -> _Shared:
        """What is known once the schema of every file was asked for."""
        return _Shared(self._heads)

    def batches(self, file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of one file."""
        head, task = self._heads[file], self._shared.places[file]
        seen: set[str] = set()
        made = _Batch(self._shared, task)
        with JsonStream(file) as stream:
            for instance in _instances(stream):
                name, given = instance.get("id"), instance.get("output")
                outputs = given if isinstance(given, list) else [] if given is None else [given]
                fault = head.fault or _fault(instance, outputs)
                if isinstance(name, str) and not fault:
                    fault = "duplicate id" if name in seen else ""
                    seen.add(name)
                made.add(name, instance.get("input"), outputs, fault)
                if made.full:
                    yield made.batch()
                    made = _Batch(self._shared, task)
        if len(made):
            yield made.batch()


def _instances(stream: JsonStream) -> Iterator[dict[str, Any]]:
    found = False
    for key in stream.members():
        if key != INSTANCES:
            stream.value()
            continue
        found = True
        for instance in stream.items():
            if not isinstance(instance, dict):
                raise stream.told("an instance should be an object", "repair or leave out the file")
            yield instance
    stream.end()
    if not found:
        raise stream.told(f"there is no key '{INSTANCES}'", "name files of one Natural Instructions task each", 1)
