"""One template file of promptsource: its YAML, value by value, and what is to be noted of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from flanmix import yamlio
from flanmix.errors import Problem, SpecError
from flanmix.origin import KeyPath
from flanmix.spec import Template, TemplateMetadata, Title
from flanmix.words import count_of

METRICS = frozenset(
    [
        "AUC",
        "Accuracy",
        "BLEU",
        "COQA F1",
        "Edit Distance",
        "Mean Reciprocal Rank",
        "MultiRC",
        "Other",
        "Pearson Correlation",
        "ROUGE",
        "Spearman Correlation",
        "Squad",
        "Trivia QA",
    ]
)
"""The names of metrics that promptsource offers; old files carry others."""
_KNOWN: Mapping[str, frozenset[str]] = {
    "file": frozenset({"dataset", "subset", "templates"}),
    "template": frozenset({"answer_choices", "id", "jinja", "metadata", "name", "reference"}),
    "metadata": frozenset({"choices_in_prompt", "languages", "metrics", "original_task"}),
}
_TRUTH = {**dict.fromkeys(("yes", "true", "on"), True), **dict.fromkeys(("no", "false", "off"), False)}
JOINED = "a character is written as a pair of surrogates, and read as that character"
_TITLE: TypeAdapter[str] = TypeAdapter(Title)
_MOST = 200


_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")


def _with_pairs_joined(text: str) -> str:
    """Two surrogates that stand for one character, as JavaScript writes it, become that character."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def document(file: Path, shown: str) -> tuple[yamlio.Document, bool]:
    """What a file holds, and whether its bytes had pairs of surrogates."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise SpecError(Problem(f"cannot be read: {error.strerror}", file=shown)) from error
    text: bytes | str = raw
    try:
        raw.decode()
    except UnicodeDecodeError:
        passed = raw.decode("utf-8", "surrogatepass") if _is_with_surrogates(raw) else ""
        text = _with_pairs_joined(passed) or raw
    return yamlio.read_text(text, shown, _Reader), isinstance(text, str)


def _is_with_surrogates(raw: bytes) -> bool:
    try:
        raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class _Word:
    """A value that is no text in YAML 1.1, as it is written: `yes`, `1.0`, a date."""

    text: str


_WORDS = ("bool", "int", "float", "timestamp")


class _Reader(yamlio.Reader):
    """YAML 1.1 as PyYAML's safe loader has it, with promptsource's two tags."""

    loader = yaml.SafeLoader
    mappings = yamlio.Reader.mappings | {"!Template", "!TemplateMetadata"}
    scalars = {  # noqa: RUF012
        "tag:yaml.org,2002:str": str,
        "tag:yaml.org,2002:null": lambda text: None,
        **{f"tag:yaml.org,2002:{kind}": _Word for kind in _WORDS},
    }
    start = "it should hold the key 'templates'"


class Reading:
    """One file being read: its problems and notes so far."""

    def __init__(self, document: yamlio.Document, truncate: bool) -> None:
        self.data, self.origin, self.truncate = document.data, document.origin, truncate
        self.problems: list[Problem] = []
        self.notes: dict[str, tuple[int | None, dict[str, None], int]] = {}

    def note(self, kind: str, detail: str, line: int | None) -> None:
        """Keep a note; those of one kind are told as one."""
        first, details, times = self.notes.get(kind, (line, {}, 0))
        self.notes[kind] = first, {**details, detail: None}, times + 1

    def told(self) -> Iterator[str]:
        """The notes as lines."""
        for kind, (line, details, times) in self.notes.items():
            named = ", ".join(filter(None, details))
            many = f" ({count_of(times, 'time')})" if times > 1 else ""
            yield str(Problem(f"{kind}{': ' if named else ''}{named}{many}", file=self.origin.file, line=line))

    def problem(self, what: str, path: KeyPath, hint: str) -> None:
        """Keep a problem."""
        self.problems.append(self.origin.problem(what, path, hint))

    def templates(self) -> Iterator[Template]:
        """Every template that can be one."""
        self.unknown("file", self.data, ())
        if "templates" not in self.data:
            self.problem("has no key 'templates'", (), "is it a file of promptsource?")
            return
        held = self.data["templates"]
        if held is None or held == {}:
            self.note("holds no templates", "", self.origin.line(("templates",)))
        elif not isinstance(held, Mapping):
            self.problem("should be 'id: !Template' lines", ("templates",), "write each template below its id")
        else:
            for key, value in held.items():
                template = self.template(key, value, ("templates", key))
                if template is not None:
                    yield template

    def template(self, key: str, value: Any, path: KeyPath) -> Template | None:
        """One template, or None where it is a problem or has no text."""
        if not isinstance(value, Mapping):
            self.problem("should be a template", path, "write '!Template' and its keys below")
            return None
        self.unknown("template", value, path)
        jinja = self.text(value, "jinja", path)
        choices = self.text(value, "answer_choices", path)
        metadata = self.metadata(key, value, path)
        name = self.name(value, path, metadata.id)
        if not jinja:
            if self.origin_is_sound(path):
                self.note("a template without text is left out", name, self.origin.line(path))
            return None
        return Template(
            name,
            dialect="promptsource",
            jinja=jinja,
            answer_choices=choices,
            truncate=self.truncate,
            tags=("options",) if metadata.choices_in_prompt else (),
            metadata=metadata,
        )

    def origin_is_sound(self, path: KeyPath) -> bool:
        """Whether nothing is wrong with the text of a template: then it has none."""
        line = self.origin.line((*path, "jinja"))
        return not any(problem.line == line for problem in self.problems)

    def metadata(self, key: str, value: Mapping[str, Any], path: KeyPath) -> TemplateMetadata:
        """All that a template says of itself."""
        held, inside = value.get("metadata"), (*path, "metadata")
        if held is not None and not isinstance(held, Mapping):
            self.problem("should be '!TemplateMetadata' and its keys", inside, "write them below, or leave it out")
        held = held if isinstance(held, Mapping) else {}
        self.unknown("metadata", held, inside)
        metrics = self.words(held, "metrics", inside)
        for metric in metrics:
            if metric not in METRICS:
                line = self.origin.line((*inside, "metrics"))
                self.note("a metric is none of promptsource's, and is kept", repr(metric), line)
        return TemplateMetadata(
            id=self.words(value, "id", path, single=True)[0] or self.sound(key, path),
            original_task=self.truth(held, "original_task", inside),
            choices_in_prompt=self.truth(held, "choices_in_prompt", inside),
            metrics=metrics,
            languages=self.words(held, "languages", inside),
            reference=self.words(value, "reference", path, single=True)[0],
        )

    def name(self, value: Mapping[str, Any], path: KeyPath, fallback: str) -> str:
        """The name as it is, or what is left of it on one line of printable text."""
        name = self.words(value, "name", path, single=True)[0]
        try:
            return _TITLE.validate_python(name)
        except ValidationError:
            tidy = " ".join("".join(char if char.isprintable() else " " for char in name).split())[:_MOST].strip()
            self.note(
                "a name is not one line of printable text, and is changed", repr(name)[:60], self.line(path, "name")
            )
            return tidy or fallback or "template"

    def named(self, key: str) -> str | None:
        """The dataset or the subset that the file gives."""
        text = self.words(self.data, key, (), single=True)[0]
        if text and not text.isprintable():
            self.problem("should be one line of printable text", (key,), "give the dataset's name")
        return text or None

    def line(self, path: KeyPath, key: str) -> int | None:
        """The line of a key."""
        return self.origin.line((*path, key))

    def unknown(self, kind: str, value: Mapping[str, Any], path: KeyPath) -> None:
        """Note the keys that are not known here."""
        for key in value:
            if key not in _KNOWN[kind]:
                self.note(f"a key of the {kind} is not known, and is left out", repr(key), self.line(path, key))

    def text(self, value: Mapping[str, Any], key: str, path: KeyPath) -> str | None:
        """A text that is rendered: `yes` without quotes is none, and fails on every row in promptsource."""
        held, here = value.get(key), (*path, key)
        if held is None or isinstance(held, str):
            return None if held is None else self.sound(held, here)
        shown = (
            repr(held.text) if isinstance(held, _Word) else "a list" if isinstance(held, list) else "'key: value' lines"
        )
        hint = "put it in quotes" if isinstance(held, _Word) else "write a text"
        self.problem(f"should be text, not {shown}", here, hint)
        return None

    def sound(self, text: str, path: KeyPath) -> str:
        """A text with pairs of surrogates joined; lone ones are a problem."""
        if not _LONE.search(text):
            return text
        joined = _with_pairs_joined(text)
        lone = _LONE.search(joined)
        if lone:
            what = f"holds half a character (U+{ord(lone[0]):04X})"
            self.problem(what, path, "write the whole character; no UTF-8 file can hold half of one")
            return _LONE.sub("?", joined)
        self.note(JOINED, "", self.origin.line(path))
        return joined

    def words(self, value: Mapping[str, Any], key: str, path: KeyPath, *, single: bool = False) -> tuple[str, ...]:
        """Texts that tell something, as they are written; of one that is not there an empty one, or no list."""
        held, here = value.get(key), (*path, key)
        items = held if isinstance(held, list) and not single else [held]
        found: list[str] = []
        for item in items:
            if isinstance(item, str):
                found.append(self.sound(item, here))
            elif isinstance(item, _Word):
                kind = f"'{key}' is no text in YAML 1.1, and is kept as it is written"
                self.note(kind, repr(item.text), self.origin.line(here))
                found.append(item.text)
            elif item is not None:
                self.problem("should be text", here, "write it on one line")
        return tuple(found) or (("",) if single else ())

    def truth(self, value: Mapping[str, Any], key: str, path: KeyPath) -> bool | None:
        """True, false or unknown."""
        held, here = value.get(key), (*path, key)
        written = held.text if isinstance(held, _Word) else held
        truth = _TRUTH.get(written.lower()) if isinstance(written, str) else None
        if held is not None and truth is None:
            self.note(f"'{key}' is neither true nor false, and is left out", "", self.origin.line(here))
        return truth
