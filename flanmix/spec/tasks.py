"""Tasks, and the templates and families that serve them."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from flanmix.spec.base import Identifier, Name, Slug, Spec, Text, Title
from flanmix.spec.conversations import Conversation
from flanmix.spec.prompts import PromptPool, Turn, refuse_out_of_turn, spoken, texts_of_pool
from flanmix.spec.sources import Source, TableSource

Dialect = Literal["native", "promptsource"]
_KEYS: Mapping[Dialect, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "native": (("input", "target"), ("jinja", "answer_choices", "truncate")),
    "promptsource": (("jinja",), ("input", "target", "turns", "system")),
}
"""The keys that a template of a dialect needs, and those that it may not have."""


class TemplateMetadata(Spec):
    """What a collection of templates says of one beside its text; it decides nothing.

    `original_task`: whether it asks for what the dataset was made for. `choices_in_prompt`: whether the input names the
    answers to choose from. `reference`: where the wording comes from.
    """

    id: str = ""
    original_task: bool | None = None
    choices_in_prompt: bool | None = None
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    reference: str = ""


class Template(Spec):
    """One wording: how a row becomes an input and a target.

    `when` is a Jinja expression; the template serves only rows for which it holds.

    `turns` stand in place of `input` and `target`, which are then the last two; the others go before them. `system` is
    a system prompt, or several to draw from.

    `extract` is a regular expression (of Python) that finds the answer in what a model writes after this wording: its
    group `answer`, in the last place where it matches.

    In the dialect `promptsource`, `jinja` makes both texts at once with `|||` between them, and reads the list that
    `answer_choices` makes with `|||` between its items. `truncate` cuts what is printed at 2,048 characters, as P3 was
    made.

    >>> Template("ask", input="{{ question }}", target="{{ answer }}").name
    'ask'
    >>> Template("ask", dialect="promptsource", jinja="{{ question }} ||| {{ answer }}").texts
    {'jinja': '{{ question }} ||| {{ answer }}'}
    >>> Template("talk", turns=[{"user": "Hi", "assistant": "Hello"}, {"user": "{{ q }}", "assistant": "{{ a }}"}]).pair
    ('turns[1].user', 'turns[1].assistant')
    """

    head: ClassVar[str] = "name"
    name: Title
    input: Text | None = None
    target: Text | None = None
    turns: tuple[Turn, ...] | None = Field(default=None, min_length=1)
    system: PromptPool | None = None
    when: Text | None = None
    tags: tuple[Slug, ...] = ()
    extract: Text | None = None
    dialect: Dialect = "native"
    jinja: Text | None = None
    answer_choices: str | None = None
    truncate: bool = False
    metadata: TemplateMetadata | None = None

    @field_validator("turns")
    @classmethod
    def _in_turn(cls, turns: tuple[Turn, ...] | None) -> tuple[Turn, ...] | None:
        refuse_out_of_turn(turns or ())
        return turns

    @field_validator("extract")
    @classmethod
    def _a_pattern_with_an_answer(cls, extract: str | None) -> str | None:
        try:
            groups = re.compile(extract).groupindex if extract is not None else {"answer": 1}
        except re.error as error:
            raise ValueError(f"is no regular expression: {error} - see 're' in Python's documentation") from None
        if "answer" not in groups:
            raise ValueError("the pattern has no group 'answer' - write (?P<answer>…) around it")
        return extract

    @model_validator(mode="after")
    def _keys_of_the_dialect(self) -> Self:
        needed, others = _KEYS[self.dialect]
        if self.dialect == "native" and self.turns:
            written = [key for key in needed if getattr(self, key) is not None]
            if written:
                raise ValueError(f"'{written[0]}' and 'turns' stand for the same - keep one of them")
            needed = ()
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a template needs {' and '.join(map(repr, missing))} - write the text under that key")
        foreign = [key for key in others if getattr(self, key)]
        if foreign:
            raise ValueError(f"'{foreign[0]}' is no key of the dialect {self.dialect} - see 'dialect' in docs/files.md")
        return self

    @property
    def texts(self) -> dict[str, str]:
        """What is compiled, by its key: `input` and `target`, or `jinja` and `answer_choices`.

        System prompts come before them (`system`, or `system[0]` …); turns stand in their place (`turns[0].user` …).
        """
        keys = ("input", "target", "jinja", "answer_choices")
        own = {key: text for key in keys if (text := getattr(self, key)) is not None}
        return {**texts_of_pool(self.system), **spoken(self.turns or ()), **own}

    @property
    def pair(self) -> tuple[str, str]:
        """The keys of the texts of a row's input and target, in a native template."""
        if self.turns is None:
            return "input", "target"
        *_, question, answer = spoken(self.turns)
        return question, answer

    @property
    def earlier(self) -> tuple[tuple[str, str], ...]:
        """The keys of the pairs of turns before those."""
        keys = list(spoken(self.turns or ()))[:-2]
        return tuple(zip(keys[::2], keys[1::2], strict=True))


class Family(Spec):
    """The templates that serve every task of one type, and the fields they may use."""

    head: ClassVar[str] = "family"
    name: Slug = Field(alias="family")
    description: str = ""
    fields: tuple[Identifier, ...] = Field(min_length=1)
    templates: tuple[Template, ...] = Field(min_length=1)


class TemplateUse(Spec):
    """Which templates serve a task: those of the families in `use`, less `without`, and those in `add`."""

    use: tuple[Slug, ...] | None = None
    without: tuple[Slug, ...] = ()
    add: tuple[Template, ...] = ()


class Task(Spec):
    """A source dataset wrapped for instruction tuning.

    `fields` maps canonical fields to a column, a nested path (`answers.text`), a constant list, or a Jinja
    expression; without it the templates use the columns as they are. Rows for which `drop` holds are left out
    and counted.

    `conversation` says where the turns of a conversation stand, or `detect`. Its templates then use `prompt` and
    `response` (the last two turns), `system` and `history`, and what is in `fields`.

    >>> Task("toy/sum", type="arithmetic", source=[{"question": "1 + 1?", "answer": "2"}]).name
    'toy/sum'
    """

    head: ClassVar[str] = "task"
    name: Name = Field(alias="task")
    type: Slug
    description: str = ""
    tags: tuple[Slug, ...] = ()
    source: Source
    fields: dict[Identifier, Text | tuple[str, ...]] | None = None
    conversation: Conversation | None = None
    drop: Text | None = None
    templates: TemplateUse = TemplateUse()
    licence: str | None = None
    citation: str | None = None
    languages: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        if isinstance(data.get("templates"), list | tuple):
            data["templates"] = {"use": (), "add": tuple(data["templates"])}
        source = data.get("source")
        if source is not None and not isinstance(source, str | Mapping | Spec):
            data["source"] = TableSource(table=source)
        return data
