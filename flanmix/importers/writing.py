"""Families, tasks and mixtures as YAML files that people read, and that flanmix reads back to the same values."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from flanmix.durable import name_to_be, write_texts
from flanmix.errors import Problem, UsageError
from flanmix.spec import Family, Mixture, Task

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_WORDS = {"true", "false", "null", "none", "yes", "no", "on", "off", "y", "n"}
_UNPRINTABLE = re.compile(
    "[^\\t\\n\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
"""What cannot stand as it is in the lines of a file, or would be read as the end of one."""
_SHORT = 80


class _Dumper(yaml.SafeDumper):
    """Writes long texts as blocks, short ones in quotes, words as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def analyze_scalar(self, scalar: str) -> Any:
        """As PyYAML's, which would not write a block with white space at the end of a line."""
        analysis = super().analyze_scalar(scalar)
        analysis.allow_block = bool(scalar) and not _UNPRINTABLE.search(scalar)
        return analysis


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if _WORDS.fullmatch(text) and text.lower() not in _NOT_WORDS and len(text) <= _SHORT:
        return None
    if not _UNPRINTABLE.search(text) and ("\n" in text or len(text) > _SHORT):
        return "|"
    if "\t" in text or _UNPRINTABLE.search(text):
        return '"'
    return "'" if '"' in text or "\\" in text or max(text, default="") > "\uffff" else '"'


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    plain = all(isinstance(item, str) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


class _OnOneLine(dict[str, Any]):
    """A mapping that is written as `{key: value}`."""


def _one_line(dumper: yaml.SafeDumper, values: _OnOneLine) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", values, flow_style=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(_OnOneLine, _one_line)


def family_text(family: Family, origin: str) -> str:
    """The file of a family; `origin` is what a comment at its head says.

    >>> from flanmix.spec import Template
    >>> ask = Template("ask", input="Q: {{ q }}\\nA:", target="{{ a }}", tags=("options",))
    >>> print(family_text(Family("riddles", fields=("q", "a"), templates=(ask,)), "Written for this example."), end="")
    # Written for this example.
    family: riddles
    fields: [q, a]
    templates:
      - name: ask
        input: |-
          Q: {{ q }}
          A:
        target: "{{ a }}"
        tags: [options]
    """
    return spec_text(family, origin)


def spec_text(spec: Family | Task | Mixture, origin: str) -> str:
    """The file of a family, a task or a mixture; `origin` is what a comment at its head says.

    >>> from flanmix.spec import FileSource
    >>> print(spec_text(Task("a/b", type="nli", source=FileSource(files="b.jsonl")), "Written by hand."), end="")
    # Written by hand.
    task: a/b
    type: nli
    source: {files: b.jsonl}
    """
    plain = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for template in plain["templates"] if isinstance(spec, Family) else []:
        if "metadata" in template:
            template["metadata"] = _OnOneLine(template["metadata"])
    for key in ("source", "templates", "defaults"):
        if isinstance(plain.get(key), dict):
            plain[key] = _OnOneLine(plain[key])
    body = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return f"# {origin}\n{body}"


def write_files(texts: Mapping[Path, str], *, replace: bool = False) -> dict[Path, str]:
    """Write the files; gives what became of each: `written`, `replaced` or `unchanged`.

    Raises `UsageError` before anything is written where a file of another content is in the way, unless `replace`.
    """
    states = {path: _state(path, text) for path, text in texts.items()}
    in_the_way = [
        path for path, state in states.items() if state == "in the way" or (state == "replaced" and not replace)
    ]
    if in_the_way:
        raise UsageError([_refusal(path) for path in in_the_way])
    for folder in {path.parent for path in texts}:
        _make(folder)
    try:
        write_texts({path: texts[path] for path, state in states.items() if state != "unchanged"})
    except OSError as error:
        place = Path(error.filename) if error.filename else None
        shown = str(place.with_name(name_to_be(place.name))) if place else None
        what = f"cannot be written: {error.strerror or error}"
        raise UsageError(Problem(what, file=shown, hint="name another folder with -o")) from error
    return states


def _state(path: Path, text: str) -> str:
    if not os.path.lexists(path):
        return "written"
    if not path.is_file():
        return "in the way"
    return "unchanged" if path.read_bytes() == text.encode() else "replaced"


def _refusal(path: Path) -> Problem:
    if path.is_file():
        return Problem("is there already, and differs", file=str(path), hint="--replace writes over it")
    return Problem("is no file that could be replaced", file=str(path), hint="name another folder with -o")


def _make(folder: Path) -> None:
    in_the_way = next((place for place in (folder, *folder.parents) if place.exists() and not place.is_dir()), None)
    if in_the_way:
        raise UsageError(f"{in_the_way} is a file", hint="name a folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}", hint="name another folder with -o") from error
