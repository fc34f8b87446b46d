"""Strict YAML: text in, plain values and the line of every key out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from flanmix.complaints import complaints
from flanmix.errors import Problem, SpecError
from flanmix.origin import KeyPath, Origin, dotted

MAX_BYTES = 10_000_000
MAX_DEPTH = 50
MAX_NODES = 200_000
"""Values in one file, aliases counted each time they are used: what stops an alias bomb."""

_FLATTER = "write it flatter"

M = TypeVar("M", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML whose only implicit types are null, true/false, integers and floats; `yes`, `no` and dates stay text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^[-+]?(?:0|[1-9][0-9_]*)$", list("-+0123456789")),
    ("float", r"^[-+]?(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


_FAST: Any = None
"""The same in C, where PyYAML has it: ten times as fast."""
if hasattr(yaml, "CSafeLoader"):
    _FAST = type("_FastLoader", (yaml.CSafeLoader,), {"yaml_implicit_resolvers": _Loader.yaml_implicit_resolvers})
_ITEM = r"""(?:[A-Za-z0-9_][A-Za-z0-9_./ -]*|"[\x20\x21\x23-\x5b\x5d-\x7e]*")"""
_ITEMS = rf"\[(?:{_ITEM}(?:, {_ITEM})*)?\]"
_PAIR = rf"[a-z_]+: (?:{_ITEM}|{_ITEMS})"
_EASY = re.compile(rf"(?:(?:# [\x20-\x7e]*|[a-z_]+: (?:{_ITEM}|{_ITEMS}|\{{{_PAIR}(?:, {_PAIR})*\}}))\n)+")
"""A file of simple lines, as imported tasks are: elsewhere the parser in C takes some texts that the other refuses."""


def _compose(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    """The tree of a text, by the fast parser where that makes no difference; what is wrong is left to the other."""
    if _FAST is not None and loader is _Loader and _EASY.fullmatch(text):
        try:
            return yaml.compose(text, _FAST)
        except yaml.YAMLError:
            pass  # told below, in the words that people are used to
    return yaml.compose(text, loader)


def _one_of(text: str, values: Mapping[str, Any]) -> Any:
    if text not in values:
        raise ValueError(text)
    return values[text]


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: _one_of(text, {"": None, "~": None, "null": None}),
    "tag:yaml.org,2002:bool": lambda text: _one_of(text, {"true": True, "false": False}),
    "tag:yaml.org,2002:int": lambda text: int(text.replace("_", "")),
    "tag:yaml.org,2002:float": lambda text: float(text.replace("_", "")),
    "tag:yaml.org,2002:str": lambda text: text,
}


def _short(tag: str) -> str:
    """A tag as people write it."""
    return tag.replace("tag:yaml.org,2002:", "!!")


@dataclass(frozen=True)
class Document:
    """One YAML file: its values and where they stand."""

    data: dict[str, Any]
    origin: Origin


class Reader:
    """Turns a tree of YAML nodes into plain values, noting lines and problems on the way.

    A subclass may read files of another kind: `loader` finds the nodes and their tags, `mappings` are the tags of
    'key: value' lines, `scalars` make the values of the others, `start` is what to do about a file without any.
    """

    loader: type[yaml.SafeLoader] = _Loader
    mappings = frozenset({"tag:yaml.org,2002:map"})
    scalars: Mapping[str, Callable[[str], Any]] = MappingProxyType(_SCALARS)
    start = "start it with 'task:', 'family:' or 'mixture:'"

    def __init__(self, file: str) -> None:
        self.origin = Origin(file)
        self.problems: list[Problem] = []
        self.nodes = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of a node that stands at `path`."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            what = f"more than {MAX_NODES:,} values once its aliases are written out"
            raise SpecError(self.origin.problem(what, path[:1], "split the file, or drop the aliases"))
        if len(path) > MAX_DEPTH:
            raise SpecError(self.origin.problem(f"is nested more than {MAX_DEPTH} deep", path[:1], _FLATTER))
        self.origin.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag in self.mappings:
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in self.scalars:
            if node.style == "|":  # only there do the lines of the text follow those of the file
                self.origin.text_lines[path] = node.start_mark.line + 2
            return self.scalar(node, path)
        what = f"the tag '{_short(node.tag)}' is not allowed"
        self.problems.append(self.origin.problem(what, path, "write a plain value"))
        return None

    def scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        """The value of a single word or text."""
        try:
            return self.scalars[node.tag](node.value)
        except ValueError:
            what = f"'{node.value[:60]}' does not fit its tag '{_short(node.tag)}'"
            self.problems.append(self.origin.problem(what, path, "write a plain value"))
            return None

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        """The values of 'key: value' lines."""
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in self.scalars:
                braces = isinstance(key_node, yaml.MappingNode)
                hint = "text that starts with '{' wants quotes" if braces else "write 'key: value'"
                line = key_node.start_mark.line + 1
                what, key = "a key must be one word", dotted(path) or None
                self.problems.append(Problem(what, file=self.origin.file, line=line, key=key, hint=hint))
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


def read(file: Path, shown: str, reader: type[Reader] = Reader) -> Document:
    """Read one YAML file that holds a mapping; errors call it `shown`.

    Raises `SpecError` with every problem of the file: not UTF-8, not YAML, duplicate keys, tags, alias bombs.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise SpecError(Problem(f"cannot be read: {error.strerror}", file=shown)) from error
    return read_text(raw, shown, reader)


def read_text(raw: bytes | str, shown: str, reader: type[Reader] = Reader) -> Document:
    """As `read`, for the bytes of a file that errors call `shown`.

    >>> read_text("a: [yes, 1]", "x.yaml").data
    {'a': ['yes', 1]}
    """
    if len(raw) > MAX_BYTES:
        raise SpecError(Problem(f"is larger than {MAX_BYTES:,} bytes", file=shown, hint="a spec is a small file"))
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        node = _compose(text, reader.loader)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1 if isinstance(raw, bytes) else 1
        problem = Problem("is not UTF-8 text", file=shown, line=line, hint="save it as UTF-8")
        raise SpecError(problem) from error
    except yaml.YAMLError as error:
        raise SpecError(_syntax_problem(error, text, shown)) from error
    except RecursionError as error:
        raise SpecError(Problem("is nested too deeply", file=shown, hint=_FLATTER)) from error
    reading = reader(shown)
    if node is None:
        raise SpecError(Problem("is empty", file=shown, hint=reader.start))
    value = reading.value(node, ())
    if not isinstance(value, dict):
        what, line = "must hold 'key: value' lines at its top", node.start_mark.line + 1
        raise SpecError([*reading.problems, Problem(what, file=shown, line=line, hint=reader.start)])
    if reading.problems:
        raise SpecError(reading.problems)
    return Document(value, reading.origin)


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else None
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
    what = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed")
    what = re.sub("'?<(.*?)>'?", lambda found: _NAMES.get(found[1], found[1]), what)
    return Problem(f"not YAML: {what}", file=file, line=line, hint=_step(error, what, text))


_NAMES = {"stream end": "the end of the file", "scalar": "more text", "block end": "the end of the block"}


def _step(error: yaml.YAMLError, what: str, text: str) -> str:
    """What to do about text that is not YAML."""
    opened = getattr(error, "context_mark", None)
    if isinstance(error, yaml.reader.ReaderError):
        return f"take out the character U+{ord(text[error.position]):04X}"
    if "\\t" in what:
        return "YAML wants spaces instead of tabs"
    if "another document" in what:
        return "a file holds one: take out the '---'"
    if "alias" in what:
        return "text that starts with '*' or '&' wants quotes"
    if opened and ("expected ','" in what or "end of stream" in what):
        return f"close what opens on line {opened.line + 1}, and put commas between its values"
    return "text with ':' '{' '#' or quotes in it wants quotes"


def parse(document: Document, model: type[M]) -> M:
    """Check a document's values against a spec; raises `SpecError` with every problem and its line."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise SpecError(complaints(error, model, document.data, document.origin)) from error
