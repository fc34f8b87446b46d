"""Strict YAML: text in, plain values and the line of every key out."""

import re
import types
import typing
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from flanmix.errors import Problem, SpecError, did_you_mean
from flanmix.origin import KeyPath, Origin, dotted

MAX_BYTES = 10_000_000
MAX_DEPTH = 50
MAX_NODES = 200_000
"""Values in one file, aliases counted each time they are used: what stops an alias bomb."""

M = TypeVar("M", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML whose only implicit types are null, true/false, integers and floats; `yes`, `no` and dates stay text."""

    yaml_implicit_resolvers: typing.ClassVar[dict[str, Any]] = {}


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^[-+]?(?:0|[1-9][0-9_]*)$", list("-+0123456789")),
    ("float", r"^[-+]?(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def _one_of(text: str, values: Mapping[str, Any]) -> Any:
    if text not in values:
        raise ValueError(text)
    return values[text]


_SCALARS = {
    "tag:yaml.org,2002:null": lambda text: _one_of(text, {"": None, "~": None, "null": None}),
    "tag:yaml.org,2002:bool": lambda text: _one_of(text, {"true": True, "false": False}),
    "tag:yaml.org,2002:int": lambda text: int(text.replace("_", "")),
    "tag:yaml.org,2002:float": lambda text: float(text.replace("_", "")),
    "tag:yaml.org,2002:str": lambda text: text,
}


@dataclass(frozen=True)
class Document:
    """One YAML file: its values and where they stand."""

    data: dict[str, Any]
    origin: Origin


class _Reader:
    """Turns a tree of YAML nodes into plain values, noting lines and problems on the way."""

    def __init__(self, file: str) -> None:
        self.origin = Origin(file)
        self.problems: list[Problem] = []
        self.nodes = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            what = f"more than {MAX_NODES:,} values once its aliases are written out"
            raise SpecError(self.origin.problem(what, path, "split the file, or drop the aliases"))
        if len(path) > MAX_DEPTH:
            raise SpecError(Problem(f"is nested more than {MAX_DEPTH} deep", file=self.origin.file))
        self.origin.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            if node.style == "|":  # only there do the lines of the text follow those of the file
                self.origin.text_lines[path] = node.start_mark.line + 2
            return self.scalar(node, path)
        self.problems.append(self.origin.problem(f"the tag {node.tag!r} is not allowed", path, "write a plain value"))
        return None

    def scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        try:
            return _SCALARS[node.tag](node.value)
        except ValueError:
            self.problems.append(self.origin.problem(f"{node.value!r} does not fit its tag {node.tag!r}", path))
            return None

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _SCALARS:
                hint = "text that starts with '{' wants quotes" if isinstance(key_node, yaml.MappingNode) else None
                self.problems.append(self.origin.problem("a key must be one word", path, hint))
                continue
            key = key_node.value
            here = (*path, key)
            line = key_node.start_mark.line + 1
            if key in values:
                problem = Problem(
                    f"the key '{key}' stands here twice",
                    file=self.origin.file,
                    line=line,
                    key=dotted(here),
                    hint=f"keep one; the first is on line {self.origin.lines[here]}",
                )
                self.problems.append(problem)
                continue
            self.origin.lines[here] = line
            values[key] = self.value(value_node, here)
        return values


def read(file: Path, shown: str) -> Document:
    """Read one YAML file that holds a mapping; errors call it `shown`.

    Raises `SpecError` with every problem of the file: not UTF-8, not YAML, duplicate keys, tags, alias bombs.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise SpecError(Problem(f"cannot be read: {error.strerror}", file=shown)) from error
    return read_text(raw, shown)


def read_text(raw: bytes | str, shown: str) -> Document:
    """As `read`, for the bytes of a file that errors call `shown`.

    >>> read_text("a: [yes, 1]", "x.yaml").data
    {'a': ['yes', 1]}
    """
    if len(raw) > MAX_BYTES:
        raise SpecError(Problem(f"is larger than {MAX_BYTES:,} bytes", file=shown, hint="a spec is a small file"))
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        node = yaml.compose(text, _Loader)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1 if isinstance(raw, bytes) else 1
        problem = Problem("is not UTF-8 text", file=shown, line=line, hint="save it as UTF-8")
        raise SpecError(problem) from error
    except yaml.YAMLError as error:
        raise SpecError(_syntax_problem(error, text, shown)) from error
    except RecursionError as error:
        raise SpecError(Problem("is nested too deeply", file=shown)) from error
    reader = _Reader(shown)
    if node is None:
        raise SpecError(Problem("is empty", file=shown, hint="start it with 'task:', 'family:' or 'mixture:'"))
    value = reader.value(node, ())
    if not isinstance(value, dict):
        problem = Problem("must hold 'key: value' lines at its top", file=shown, line=node.start_mark.line + 1)
        raise SpecError([*reader.problems, problem])
    if reader.problems:
        raise SpecError(reader.problems)
    return Document(value, reader.origin)


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else None
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    hint = "YAML wants spaces instead of tabs" if "\\t" in str(what) else "text with ':' '{' '#' or quotes in it wants quotes"
    return Problem(f"not YAML: {what}", file=file, line=line, hint=hint)


def parse(document: Document, model: type[M]) -> M:
    """Check a document's values against a spec; raises `SpecError` with every problem and its line."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise SpecError(list(_problems(error, document, model))) from error


def _problems(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Problem]:
    found = error.errors()
    paths = [tuple(item["loc"]) for item in found]
    for item, loc in zip(found, paths, strict=True):
        inner = any(other[: len(loc)] == loc and len(other) > len(loc) for other in paths)
        if item["type"] == "too_short" and inner:
            continue  # pydantic counts only the valid items; the invalid ones are reported themselves
        path = _real_path(loc, document)
        what, hint = str(item["msg"]).removeprefix("Value error, "), None
        if item["type"] == "extra_forbidden":
            what = f"unknown key '{loc[-1]}'"
            known = sorted(_keys(model, loc[:-1]))
            hint = did_you_mean(str(loc[-1]), known) or f"the keys here are {', '.join(known)}"
        elif item["type"] == "missing":
            path, what = (*path, str(loc[-1])), "is missing"
        elif item["type"] == "literal_error":
            expected = str(item.get("ctx", {}).get("expected", ""))
            what = f"{item['input']!r} is not one of {expected}"
            hint = did_you_mean(str(item["input"]), expected.replace("'", "").replace(" or ", ", ").split(", "))
        elif item["type"] == "string_pattern_mismatch":
            what = f"{item['input']!r} is not a name: letters, digits, '_', '-', '.', starting with a letter or digit"
        else:
            what = f"{_PLAIN_WORDS.get(item['type'], what)}, not {item['input']!r:.80}" if _is_value(item) else what
        yield document.origin.problem(what, path, hint)


_PLAIN_WORDS = {
    "string_type": "should be text (put it in quotes)",
    "tuple_type": "should be a list",
    "dict_type": "should be 'key: value' lines",
    "model_type": "should be 'key: value' lines",
    "model_attributes_type": "should be 'key: value' lines",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
}


def _is_value(item: Mapping[str, Any]) -> bool:
    return item["type"] not in ("value_error", "source", "too_short") and not isinstance(item["input"], dict)


def _real_path(loc: tuple[Hashable, ...], document: Document) -> KeyPath:
    """The part of pydantic's location that exists in the file: without the names of union members."""
    path: KeyPath = ()
    for part in loc:
        if isinstance(part, str | int) and (*path, part) in document.origin.lines:
            path = (*path, part)
    return path


def _keys(model: type[BaseModel], loc: tuple[Hashable, ...]) -> set[str]:
    """The keys a mapping at `loc` of `model` may have."""
    types_here: list[Any] = [model]
    for part in loc:
        types_here = [inner for kind in types_here for inner in _step(kind, part)]
    models = [m for kind in types_here for m in _members(kind)]
    return {f.alias or name for m in models for name, f in m.model_fields.items()}


def _step(kind: Any, part: Hashable) -> list[Any]:
    """Where `part` of a location leads: to a field, to a member of a union, or (an index, a key) nowhere new."""
    models = list(_members(kind))
    fields = [f.annotation for m in models for name, f in m.model_fields.items() if part in (name, f.alias)]
    return fields or [m for m in models if m.__name__ == part] or [kind]


def _members(kind: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation: of a union, a tuple or a dict."""
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, BaseModel):
        yield kind
    for inner in typing.get_args(kind):
        yield from _members(inner)
