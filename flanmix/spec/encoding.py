"""How rows become the text of a chat, and tokens."""

from typing import Annotated, Literal

from pydantic import Field

from flanmix.spec.base import Spec, Text

Length = Annotated[int, Field(strict=True, ge=2, le=2**31 - 1)]


class EncodingKeys(Spec):
    """How rows become text for a model, for the layouts that hold such texts, or tokens.

    `chat_template`: one that ships, a YAML file, a tokenizer's folder, or `tokenizer` for that of the mixture's own;
    without it a row is `bos + prompt + completion + eos`. `loss`: which tokens are trained: the `last` turn of the
    assistant, all those of the `assistant`, `all`, or those turns that flags in the data have `chosen`; by default
    `chosen` where there are such flags, else `assistant`. Rows of more than `max_length` tokens
    are dropped, or cut at the side `truncate`. `packing` decides how rows share those `max_length` tokens.

    >>> EncodingKeys(chat_template="chatml", max_length=2048).packing
    'best_fit'
    """

    chat_template: Text | None = None
    loss: Literal["last", "assistant", "all", "chosen"] | None = None
    max_length: Length | None = None
    truncate: Literal["left", "right"] | None = None
    packing: Literal["best_fit", "best_fit_split", "concatenate"] = "best_fit"
    bos: str | None = None
    eos: Text | None = None
