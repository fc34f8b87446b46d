"""What may stand before a row's last two turns: earlier turns, system prompts, the task's type."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from flanmix.spec.base import Positive, Share, Spec, Text


class Turn(Spec):
    """What the user says, what the assistant answers, or both: first the one, then the other."""

    user: Text | None = None
    assistant: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _user_first(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and list(data) == ["assistant", "user"]:
            raise ValueError("'assistant' stands before 'user' - write the user's text first, or two turns")
        return data

    @model_validator(mode="after")
    def _someone_speaks(self) -> Self:
        if self.user is None and self.assistant is None:
            raise ValueError("a turn needs 'user' or 'assistant' - write the text under that key")
        return self


class Prompt(Spec):
    """One system prompt of a pool; an empty text is none. It is drawn in proportion to its weight."""

    head: ClassVar[str] = "text"
    text: str
    weight: Positive = 1.0


PromptPool = Text | Annotated[tuple[str | Prompt, ...], Field(min_length=1)]
"""One system prompt, or several to draw from."""


class SystemPrompts(Spec):
    """A pool of system prompts for a share of a mixture's rows.

    >>> SystemPrompts(["Be brief.", {"text": "Be kind.", "weight": 2}], share=0.5).share
    0.5
    """

    head: ClassVar[str] = "prompts"
    prompts: PromptPool
    share: Share = 1.0


Place = Literal["prefix", "system", "none"]


class TypeTag(Spec):
    """The task's type in plain words for a share of a mixture's rows: before the first turn, or in the system prompt.

    >>> TypeTag("prefix", share=0.3).place
    'prefix'
    """

    head: ClassVar[str] = "place"
    place: Place = Field(alias="as")
    share: Share = 1.0


def prompts_of(pool: PromptPool | None) -> tuple[Prompt, ...]:
    """The prompts of a pool, however it is written.

    >>> [prompt.weight for prompt in prompts_of(("Be brief.", Prompt("Be kind.", weight=2)))]
    [1.0, 2.0]
    """
    written = () if pool is None else (pool,) if isinstance(pool, str) else pool
    return tuple(prompt if isinstance(prompt, Prompt) else Prompt(prompt) for prompt in written)


def refuse_jinja(system: PromptPool | SystemPrompts | None) -> None:
    """Raise `ValueError` where a prompt of a mixture holds Jinja, which only templates have fields for."""
    for prompt in prompts_of(system.prompts if isinstance(system, SystemPrompts) else system):
        for mark in ("{{", "{%", "{#"):
            if mark in prompt.text:
                what = f"a mixture's system prompts are plain text, and one holds '{mark}'"
                raise ValueError(f"{what} - write Jinja into the 'system' of templates, which have fields")


def texts_of_pool(pool: PromptPool | None) -> dict[str, str]:
    """The texts of a template's pool, each by the key under which it is written.

    >>> texts_of_pool(("Be brief.", Prompt("Be kind.", weight=2)))
    {'system[0]': 'Be brief.', 'system[1].text': 'Be kind.'}
    """
    if isinstance(pool, str):
        return {"system": pool}
    return {
        f"system[{index}]" + (".text" if isinstance(prompt, Prompt) else ""): text.text
        for index, (prompt, text) in enumerate(zip(pool or (), prompts_of(pool), strict=True))
    }


def spoken(turns: Sequence[Turn]) -> dict[str, str]:
    """The texts of turns in the order in which they are said, each by its key.

    >>> spoken([Turn(user="Hi"), Turn(assistant="Hello")])
    {'turns[0].user': 'Hi', 'turns[1].assistant': 'Hello'}
    """
    both = (
        (f"turns[{index}].{role}", text)
        for index, turn in enumerate(turns)
        for role, text in (("user", turn.user), ("assistant", turn.assistant))
    )
    return {key: text for key, text in both if text is not None}


def refuse_out_of_turn(turns: Sequence[Turn]) -> None:
    """Raise `ValueError` where turns do not alternate, from the user's to the assistant's."""
    keys = list(spoken(turns))
    for number, key in enumerate(keys):
        role, wanted = key.rpartition(".")[2], ("user", "assistant")[number % 2]
        if role != wanted:
            after = f"after {keys[number - 1]} comes {key}" if number else f"{key} is the first to speak"
            raise ValueError(f"{after} - turns are the user's and the assistant's by turns, the user's first")
    if len(keys) % 2:
        raise ValueError(f"{keys[-1]} has no answer - end on a turn of the assistant")
