"""The files of Natural Instructions: a JSON object with a definition, examples and instances for each task."""

import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanmix.sources.faults import HALF, fault_of
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
_TAIL = 1 << 16
"""Bytes at the end of a file that are looked through for a key."""
Example = dict[str, str]


@dataclass(frozen=True)
class Head:
    """What a file says of all its instances: its definition and its sound examples.

    `fault` is what is wrong with the definition, or empty; `left_out` are faults of examples that are not taken.
    `more_definitions` counts those after the first, which is the one that is taken.
    """

    definition: str
    positive: tuple[Example, ...]
    negative: tuple[Example, ...]
    fault: str
    left_out: tuple[str, ...]
    more_definitions: int = 0


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


def value_of_key(file: Path, key: str) -> Any:
    """The value of a key, None where it is not there; at the end of a file it is found without reading the rest."""
    if file.suffix == ".json":
        with file.open("rb") as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - _TAIL, 0))
            tail = stream.read().decode("utf-8", "replace")
        found = re.search(rf'\]\s*,\s*"{re.escape(key)}"\s*:\s*([^{{}}]*?)\s*\}}\s*\Z', tail)
        if found:
            with suppress(ValueError):
                return json.loads(found[1])
    with JsonStream(file) as stream:
        for each in stream.members():
            if each != INSTANCES:
                value = stream.value()
                if each == key:
                    return value
            else:
                deque(stream.items(), maxlen=0)
    return None


def in_lines(file: Path) -> bool:
    """Whether a file holds many tasks, one a line, by its name."""
    return file.name.removesuffix(".gz").endswith((".jsonl", ".ndjson"))


@dataclass(frozen=True)
class Line:
    """A task of a file of lines: what it says of all its instances, the one that is there, and how many there are."""

    name: str
    head: Head
    worked: dict[str, Any]
    size: int | None


def read_lines(file: Path) -> list[Line]:
    """The tasks of a file with one object a line; raises `SourceError`.

    Each has `task`, `definition`, `positive_examples` (one, or a list) and perhaps `number_examples`.
    """
    found = []
    with JsonStream(file) as stream:
        while not stream.at_end:
            line, given = stream.line, stream.value()
            try:
                found.append(_line(given))
            except ValueError as error:
                raise stream.told(str(error), "look at what the format says in docs/files.md", line) from error
    return found


def _line(given: Any) -> Line:
    keys = ("task", "definition", "positive_examples")
    if not isinstance(given, dict) or not given.keys() >= {*keys} or not isinstance(given["task"], str):
        raise ValueError("should be an object with 'task', 'definition' and 'positive_examples'")
    examples = given["positive_examples"]
    examples = examples if isinstance(examples, list) else [examples]
    head = _head({DEFINITION: given["definition"], POSITIVE: examples})
    if not examples:
        raise ValueError("'positive_examples' holds none")
    size = given.get("number_examples")
    worked = {"id": given["task"], "input": examples[0].get("input"), "output": examples[0].get("output")}
    return Line(given["task"], head, worked, size if isinstance(size, int) and size > 0 else None)


def _head(found: Mapping[str, Any]) -> Head:
    given = found[DEFINITION]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"'{DEFINITION}' should be a text, or a list of one")
    told = [text.strip() for text in texts if text.strip()]
    definition = told[0] if told else ""
    why = fault_of(definition) if definition else "nothing"
    fault = f"{why} in the definition" if why else ""
    left_out: list[str] = []
    positive, negative = (tuple(_examples(found.get(key) or [], key, left_out)) for key in (POSITIVE, NEGATIVE))
    return Head("" if fault else definition, positive, negative, fault, tuple(left_out), max(len(told) - 1, 0))


def _examples(given: Any, key: str, left_out: list[str]) -> Iterator[Example]:
    """The sound examples of a list; one whose input has no letter or digit ("-") stands for none."""
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ValueError(f"'{key}' should be a list of objects with 'input', 'output' and 'explanation'")
    for number, each in enumerate(given):
        made = {name: _first(each.get(name)) for name in ("input", "output", "explanation")}
        if not re.search(r"\w", made["explanation"]):
            made["explanation"] = ""
        fault = next(filter(None, map(fault_of, made.values())), "")
        if fault:
            left_out.append(f"{key}[{number}]: {fault}")
        elif re.search(r"\w", made["input"]) and made["output"]:
            yield made


def _first(value: Any) -> str:
    """A text, or the first of a list of texts, without white space around it."""
    texts = value if isinstance(value, list) else [value]
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


# ---- rows


def _fault(text: Any, outputs: list[Any]) -> str:
    """What is wrong with an instance, or nothing."""
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


class _Shared:
    """What the rows of all files have in common, once."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = heads
        self.definitions = pa.array([head.definition for head in heads], _TEXT)
        self.positive = _Shown(head.positive for head in heads)
        self.negative = _Shown(head.negative for head in heads)


class _Batch:
    """Rows on their way into a record batch."""

    def __init__(self, shared: _Shared) -> None:
        self._shared, self._size = shared, 0
        self._rows: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether there are enough rows for a batch."""
        return len(self) >= _BATCH_ROWS or self._size >= _BATCH_CHARACTERS

    def add(self, task: int, instance: Mapping[str, Any], seen: set[str]) -> None:
        """Add a row of a task; `seen` are the ids before it."""
        shared, name, given = self._shared, instance.get("id"), instance.get("output")
        outputs = given if isinstance(given, list) else [] if given is None else [given]
        fault = shared.heads[task].fault or _fault(instance.get("input"), outputs)
        name = _held(name)
        if name is not None and not fault:
            fault = "duplicate id" if name in seen else ""
            seen.add(name)
        text, texts = _held(instance.get("input")), list(filter(None, map(_held, outputs)))
        squeezed = _squeezed(text or "")
        shown = (task, shared.positive.code(task, squeezed), shared.negative.code(task, squeezed))
        self._rows.append((name, text, next(iter(texts), None), texts, *shown, fault))
        self._size += len(text or "") + sum(map(len, texts))

    def batch(self) -> pa.RecordBatch:
        """The rows."""
        columns = list(zip(*self._rows, strict=True))
        shared = self._shared
        dictionaries = {4: shared.definitions, 5: shared.positive.dictionary, 6: shared.negative.dictionary}
        arrays = [
            pa.DictionaryArray.from_arrays(pa.array(values, pa.int32()), dictionaries[number])
            if number in dictionaries
            else pa.array(values, SCHEMA.field(number).type)
            for number, values in enumerate(columns)
        ]
        return pa.record_batch(arrays, schema=SCHEMA)


def _held(value: Any) -> str | None:
    """A text without white space around it; nothing where it is none, or one that Arrow cannot hold."""
    return value.strip() if isinstance(value, str) and fault_of(value) != HALF else None


class InstructionFiles:
    """Reads the rows of such files: a row for each instance, or in a file of lines for each task's worked example.

    A row's examples are those of its task but for any that has the row's own input, whatever the white space.
    """

    def __init__(self, source: FileSource, kind: str) -> None:
        self._heads: list[Head] = []
        self._first: dict[Path, int] = {}
        self._worked: dict[Path, list[dict[str, Any]]] = {}

    def schema(self, file: Path) -> pa.Schema:
        """The columns, which are the same for every file."""
        self._first[file] = len(self._heads)
        if in_lines(file):
            told = read_lines(file)
            self._worked[file] = [each.worked for each in told]
            self._heads += [each.head for each in told]
        else:
            self._heads.append(read_head(file))
        return SCHEMA

    @cached_property
    def _shared(self) -> _Shared:
        """What is known once the schema of every file was asked for."""
        return _Shared(self._heads)

    def batches(self, file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of one file."""
        first, seen, made = self._first[file], set[str](), _Batch(self._shared)
        for task, instance in enumerate(self._worked[file], first) if file in self._worked else _rows(file, first):
            made.add(task, instance, seen)
            if made.full:
                yield made.batch()
                made = _Batch(self._shared)
        if len(made):
            yield made.batch()


def _rows(file: Path, task: int) -> Iterator[tuple[int, dict[str, Any]]]:
    with JsonStream(file) as stream:
        yield from ((task, instance) for instance in _instances(stream))


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
