"""Where the turns of a task's conversations stand in its source."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from flanmix.spec.base import Spec, Text

Speaker = Literal["system", "user", "assistant"]


class _Turns(Spec):
    """What a turn is made of: the keys of its role, its text and perhaps a flag that says whether it is trained.

    `roles` are names of speakers beside those that are known anyway: `{customer: user, agent: assistant}`. `system` is
    a column with a text of its own for the system turn.
    """

    role: Text = "role"
    content: Text = "content"
    train: Text | None = None
    roles: dict[Text, Speaker] = Field(default={})
    system: Text | None = None


class MessageColumn(_Turns):
    """All turns in one column, a list of them.

    >>> MessageColumn(messages="conversations", role="from", content="value")
    MessageColumn(role='from', content='value', messages='conversations')
    """

    messages: Text


class PromptColumns(_Turns):
    """The last two turns in two columns: two texts, or two lists of turns; `history` is for texts."""

    prompt: Text
    completion: Text
    history: Text | None = None


class InstructionColumns(Spec):
    """The last two turns in two columns or three, as Alpaca has them: the user's turn is `instruction` and `input`."""

    instruction: Text
    input: Text | None = None
    output: Text
    system: Text | None = None
    history: Text | None = None


ConversationColumns = MessageColumn | PromptColumns | InstructionColumns


def _kind_of_conversation(value: Any) -> str | None:
    if value == "detect":
        return "detect"
    if isinstance(value, Spec):
        return type(value).__name__
    kinds = {"messages": "MessageColumn", "prompt": "PromptColumns", "instruction": "InstructionColumns"}
    return next((kinds[key] for key in kinds if isinstance(value, Mapping) and key in value), None)


Conversation = Annotated[
    Annotated[Literal["detect"], Tag("detect")]
    | Annotated[MessageColumn, Tag("MessageColumn")]
    | Annotated[PromptColumns, Tag("PromptColumns")]
    | Annotated[InstructionColumns, Tag("InstructionColumns")],
    Discriminator(
        _kind_of_conversation,
        custom_error_type="conversation",
        custom_error_message="should be 'detect', or have one of the keys 'messages', 'prompt' or 'instruction'",
    ),
]
