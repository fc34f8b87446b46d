"""A chat template as a value, with what is known of its tokens."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from flanmix.chat.form import ChatForm, jinja_of


@dataclass(frozen=True)
class ChatTemplate:
    """How conversations become text. `form` is what our own are made from; others are their Jinja text.

    `end` is the text of the token that ends a turn of the assistant. `today` is what a template that asks for the day
    is told; without it such a template is refused.

    >>> form = ChatForm("tiny", source="none", eos="</s>", fold="\\n", user={"after": "\\n"}, assistant={})
    >>> ChatTemplate.of_form(form).with_tokens(eos="<|end|>").end
    '<|end|>'
    """

    name: str
    jinja: str
    bos: str
    eos: str
    end: str
    source: str = ""
    today: date | None = None
    form: ChatForm | None = None

    @classmethod
    def of_form(cls, form: ChatForm) -> "ChatTemplate":
        """One of our own form."""
        return cls(
            name=form.chat_template,
            jinja=jinja_of(form),
            bos=form.bos,
            eos=form.eos,
            end=form.pieces(form.assistant.end),
            source=form.source,
            form=form,
        )

    @classmethod
    def of_jinja(
        cls, text: str, *, eos: str, bos: str = "", end: str | None = None, name: str = "chat_template",
        today: date | None = None,
    ) -> "ChatTemplate":  # fmt: skip
        """A tokenizer's own `chat_template`; `end` is `eos` unless the turns of the assistant end otherwise."""
        return cls(name, text, bos, eos, end or eos, today=today)

    def with_tokens(self, *, bos: str | None = None, eos: str | None = None) -> "ChatTemplate":
        """The same with a tokenizer's own tokens at the start and the end."""
        bos, eos = self.bos if bos is None else bos, self.eos if eos is None else eos
        if self.form is not None:
            return ChatTemplate.of_form(self.form.model_copy(update={"bos": bos, "eos": eos}))
        return replace(self, bos=bos, eos=eos, end=eos if self.end == self.eos else self.end)

    @property
    def supports_system(self) -> bool | None:
        """Whether it has system turns; None where only the template knows."""
        return None if self.form is None else self.form.system is not None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides what is written: the text, the tokens and the day."""
        parts = [self.jinja, self.bos, self.eos, self.end, self.today.isoformat() if self.today else None]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
