"""What pydantic finds wrong with a spec, told in flanmix's words: where it is, what it should be, the nearest name."""

import types
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from flanmix.errors import Problem, did_you_mean
from flanmix.origin import KeyPath, Origin

_Item = Mapping[str, Any]

_KINDS = {
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "'key: value' lines",
    "model_type": "'key: value' lines",
    "model_attributes_type": "'key: value' lines",
}
"""The types of a whole value; several of them at one place are the members of a union."""
_SHOULD_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
}
_IS_EMPTY = {"too_short": "give one at least", "string_too_short": "write something, or leave the key out"}


def complaints(error: ValidationError, model: type[BaseModel], data: Any, origin: Origin) -> list[Problem]:
    """The problems of `data`, which does not fit `model`; `origin` says where it was written."""
    at: dict[KeyPath, list[_Item]] = {}
    found: list[Any] = error.errors(include_url=False)
    for item in found:
        at.setdefault(_path(item["loc"], data, item["type"]), []).append(item)
    problems: list[Problem] = []
    for path, items in at.items():
        deeper = any(other[: len(path)] == path and len(other) > len(path) for other in at)
        wholes = [item for item in items if item["type"] in _KINDS]
        others = [item for item in items if item["type"] not in _KINDS]
        if any(isinstance(item["input"], str) or item["type"] in {*_IS_EMPTY, "value_error"} for item in others):
            wholes = []  # of a union, the member that takes such a value is meant
        elif wholes or deeper:
            others = [item for item in others if item["type"] != "literal_error"]
        if wholes and not deeper:
            problems.append(origin.problem(_should_be(" or ".join(dict.fromkeys(map(_kind, wholes))), wholes[0]), path))
        if deeper:  # only valid items are counted, and invalid ones tell themselves
            others = [item for item in others if item["type"] != "too_short"]
        problems += [origin.problem(*_said(item, path, model)) for item in others]
    return sorted(problems, key=lambda problem: problem.line or 0)


def _kind(item: _Item) -> str:
    unquoted = item["type"] == "string_type" and isinstance(item["input"], int | float)
    return _KINDS[item["type"]] + (" (put it in quotes)" if unquoted else "")


def _should_be(expected: str, item: _Item) -> str:
    value = item["input"]
    return f"is empty; it should be {expected}" if value is None else f"should be {expected}, not {_shown(value)}"


def _said(item: _Item, path: KeyPath, model: type[BaseModel]) -> tuple[str, KeyPath, str | None]:
    """One complaint: what, where and the next step."""
    kind, value, facts = item["type"], item["input"], item.get("ctx", {})
    what, hint = str(item["msg"]).removeprefix("Value error, "), None
    if kind == "extra_forbidden":
        name = str(item["loc"][-1])
        what, known = f"unknown key '{name}'", sorted(_keys(model, item["loc"][:-1]))
        hint = did_you_mean(name, known) or f"the keys here are {', '.join(known)}"
    elif kind == "missing":
        what = "is missing"
    elif kind == "literal_error":
        expected = str(facts.get("expected", ""))
        what = f"{_shown(value)} is not one of {expected}"
        hint = did_you_mean(str(value), expected.replace("'", "").replace(" or ", ", ").split(", "))
    elif kind == "string_pattern_mismatch" and "\\p{C}" in facts["pattern"]:
        what, hint = f"{_shown(value)} is not one line of printable text", "write it like my-name"
    elif kind == "string_pattern_mismatch":
        slug = "_.-" in facts["pattern"]
        rule = "'_', '-', '.', starting with a letter or digit" if slug else "'_', starting with a letter"
        what = f"{_shown(value)} is not a name: letters, digits, {rule}"
        hint = f"write it like {'my_name' if not slug else 'my/name' if '/' in facts['pattern'] else 'my-name'}"
    elif kind == "string_too_long":
        what, hint = f"has more than {facts['max_length']} characters", "shorten it"
    elif kind in _IS_EMPTY:
        what, hint = "is empty", _IS_EMPTY[kind]
    elif kind in _SHOULD_BE or kind.endswith("_parsing"):
        limits = {name: f"{limit:,g}" if isinstance(limit, float) else f"{limit:,}" for name, limit in _numbers(facts)}
        expected = _SHOULD_BE.get(kind, "a number").format(**limits)
        what = _should_be(expected, item)
        if "whole" in expected and isinstance(value, float) and value.is_integer():
            hint = f"write {int(value)}"
    elif kind == "source" and isinstance(value, str):
        hint = f"for a file write {{files: {value}}}"
    elif kind == "source" and isinstance(value, Mapping):
        near = (did_you_mean(str(key), ["path", "files", "generator"]) for key in value)
        hint = next((found for found in near if found), None)
    return what, path, hint


def _numbers(facts: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
    return ((name, value) for name, value in facts.items() if isinstance(value, int | float))


def _shown(value: Any) -> str:
    """A value as people write it, short enough for a line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:60]}…")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "'key: value' lines"
    return "a list" if isinstance(value, Sequence) else type(value).__name__


def _path(loc: tuple[Hashable, ...], data: Any, kind: str) -> KeyPath:
    """The part of pydantic's location that exists in `data`: without the names of union members."""
    path: KeyPath = ()
    for part in loc:
        inside = isinstance(data, Mapping) and part in data
        if inside or (isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)):
            assert isinstance(part, str | int)
            path, data = (*path, part), data[part]
    return (*path, str(loc[-1])) if kind == "missing" else path


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
