"""How a chat template is written down: what stands before and after the text of each role.

Both ways to render it follow from this one form: the Jinja text, for trainers and servers, and the columns.
"""

import json
import re
from typing import ClassVar

from pydantic import field_validator, model_validator

from flanmix.spec.base import Slug, Spec, Text, Title

BOS, EOS = "{{ bos_token }}", "{{ eos_token }}"
_PLACEHOLDERS = re.compile(r"(\{\{ bos_token \}\}|\{\{ eos_token \}\})")


class _Pieces(Spec):
    @field_validator("*")
    @classmethod
    def _only_placeholders(cls, piece: object) -> object:
        if isinstance(piece, str) and any(sign in _PLACEHOLDERS.sub("", piece) for sign in ("{{", "{%", "{#")):
            raise ValueError(f"holds no other Jinja than {BOS} and {EOS}")
        return piece


class Turn(_Pieces):
    """What stands around the text of a role; `first`, where given, is instead of `before` at the start of the text."""

    before: str = ""
    first: str | None = None
    after: str = ""

    @property
    def opening(self) -> str:
        """What stands before the text where the turn is the first."""
        return self.before if self.first is None else self.first


class AssistantTurn(Turn):
    """`lead`, the text and `end` are what the model writes, and what is trained; `before` prompts it."""

    lead: str = ""
    end: Text = EOS


class ChatForm(_Pieces):
    """A chat template as a file has it.

    A model without system turns has `fold`: the system text and `fold` are put before the first text of the user.
    `default_system` is the system text of conversations without one. `trim` takes the white space off all texts.

    >>> form = ChatForm("tiny", source="none", eos="</s>", fold="\\n", user=Turn(before="Q: "), assistant={"lead": " "})
    >>> form.pieces(form.assistant.end)
    '</s>'
    """

    head: ClassVar[str | None] = "chat_template"

    chat_template: Slug
    description: Title | None = None
    source: Title
    bos: str = ""
    eos: Text
    start: str = ""
    trim: bool = False
    system: Turn | None = None
    fold: str | None = None
    default_system: Text | None = None
    user: Turn
    assistant: AssistantTurn

    @model_validator(mode="after")
    def _one_way_for_system(self) -> "ChatForm":
        if (self.system is None) == (self.fold is None):
            raise ValueError("give either 'system' or 'fold'")
        if self.default_system and self.system is None:
            raise ValueError("'default_system' needs 'system'")
        return self

    def pieces(self, text: str) -> str:
        """A piece with the tokens in their places."""
        return text.replace(BOS, self.bos).replace(EOS, self.eos)

    @property
    def default(self) -> str:
        """What stands at the start of a conversation without a system turn."""
        if self.default_system is None or self.system is None:
            return ""
        return self.system.opening + self.default_system + self.system.after


def jinja_of(form: ChatForm) -> str:
    """The Jinja text of a form, with `{% generation %}` around what is trained.

    >>> form = ChatForm("tiny", source="none", eos="</s>", fold="\\n", user=Turn(), assistant=AssistantTurn())
    >>> "{%- generation %}" in jinja_of(form)
    True
    """
    content = "{{- message['content'] | trim }}" if form.trim else "{{- message['content'] }}"
    lines = ["{%- for message in messages %}", *_start(form)]
    lines += ["{%- if message['role'] == 'system' and loop.first %}", *_system(form, content)]
    lines += ["{%- elif message['role'] == 'user' %}", *_user(form, content)]
    lines += ["{%- elif message['role'] == 'assistant' %}", *_before(form, form.assistant)]
    lines += ["{%- generation %}", *_literal(form.assistant.lead), content, *_literal(form.assistant.end)]
    lines += ["{%- endgeneration %}", *_literal(form.assistant.after)]
    lines += ["{%- else %}", "{{- raise_exception('system comes first; the others are user and assistant') }}"]
    lines += ["{%- endif %}", "{%- endfor %}"]
    prompt = _literal(form.assistant.before)
    return "\n".join([*lines, *_if("add_generation_prompt", prompt)])


def _literal(piece: str) -> list[str]:
    parts = [part for part in _PLACEHOLDERS.split(piece) if part]
    tokens = {BOS: "{{- bos_token }}", EOS: "{{- eos_token }}"}
    return [tokens.get(part) or "{{- " + json.dumps(part, ensure_ascii=False) + " }}" for part in parts]


def _if(condition: str, then: list[str], otherwise: list[str] | None = None) -> list[str]:
    if then == (otherwise or []):
        return then
    between = ["{%- else %}", *otherwise] if otherwise else []
    return [f"{{%- if {condition} %}}", *then, *between, "{%- endif %}"]


def _start(form: ChatForm) -> list[str]:
    default = _literal(form.default)
    inner = [*_literal(form.start), *(_if("message['role'] != 'system'", default) if default else [])]
    return _if("loop.first", inner) if inner else []


def _before(form: ChatForm, turn: Turn) -> list[str]:
    first = turn.before if form.default else turn.opening
    return _if("loop.first", _literal(first), _literal(turn.before))


def _system(form: ChatForm, content: str) -> list[str]:
    if form.system is None:
        refused = ["{{- raise_exception('after a system turn comes one of the user') }}"]
        folded = [*_literal(form.user.opening), content, *_literal(form.fold or "")]
        return [*_if("loop.last or loop.nextitem['role'] != 'user'", refused), *folded]
    return [*_literal(form.system.opening), content, *_literal(form.system.after)]


def _user(form: ChatForm, content: str) -> list[str]:
    before = _before(form, form.user)
    if form.system is None and before:
        before = _if("loop.first or loop.previtem['role'] != 'system'", before)
    return [*before, content, *_literal(form.user.after)]
