"""How the rows of a build become tokens: the tokenizer, the text around what is said, and what is trained."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.canonical import canonical_json
from flanmix.chat.conversations import ASSISTANT, HISTORY, Conversations
from flanmix.chat.cutting import Side
from flanmix.chat.encode import Encoded, Policy, encode
from flanmix.chat.guard import check_end, steering_tokens
from flanmix.chat.library import end_tokens, load_chat_template
from flanmix.chat.render import pair_template, render_apart
from flanmix.chat.template import ChatTemplate
from flanmix.errors import TemplateError, UsageError
from flanmix.layouts import LAYOUTS, TOKENS
from flanmix.packing import Strategy
from flanmix.spec import EncodingKeys, Mixture
from flanmix.tokenizing import Counting, Tokenizer, load_tokenizer

OWN = "tokenizer"
"""The chat template of that name is the tokenizer's own."""


@dataclass(frozen=True)
class Encoding:
    """All that decides which tokens a rendered row becomes, and which of them are trained.

    `separator` stands after a row's input where no chat template does. Packs hold `max_length` tokens, and `packing`
    says how rows find theirs; without it each row is one of its own.
    """

    tokenizer: Tokenizer
    template: ChatTemplate
    separator: str = ""
    policy: Policy = "assistant"
    max_length: int | None = None
    truncate: Side | None = None
    packing: Strategy | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of it, and of the version of the library that encodes."""
        parts = [self.tokenizer.digest, self.tokenizer.version, self.template.digest, self.separator, self.policy]
        whole = [*parts, self.max_length, self.truncate, self.packing]
        return hashlib.sha256(canonical_json(whole).encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {
            "tokenizer": self.tokenizer.name,
            "tokenizer_sha256": self.tokenizer.digest,
            "tokenizers": self.tokenizer.version,
            "chat_template": self.template.name,
            "chat_template_sha256": self.template.digest,
            "loss": self.policy,
            "max_length": self.max_length,
            "truncate": self.truncate,
        }

    def check(self) -> None:
        """Raises `TemplateError` where the chat template is not of this tokenizer."""
        check_end(self.tokenizer, self.template)

    def encode(self, examples: pa.Table) -> Encoded:
        """The tokens and labels of rendered rows; raises `TemplateError` for one that the template refuses."""
        if self.separator:
            ending, nothing = (pa.scalar(text, pa.large_string()) for text in (self.separator, ""))
            inputs = pc.binary_join_element_wise(examples.column("input"), ending, nothing)
            examples = examples.set_column(examples.column_names.index("input"), "input", inputs)
        said = Conversations.of_examples(examples)
        rendered = render_apart(self.template, said, guarded=steering_tokens(self.tokenizer, self.template))
        whole = self.packing is None or self.packing == "best_fit"
        return encode(
            rendered,
            self.tokenizer,
            policy=self.policy,
            chosen=_flags(examples, said) if self.policy == "chosen" else None,
            max_length=self.max_length if whole else None,
            truncate=self.truncate,
        )

    @property
    def chat(self) -> bool:
        """Whether a chat template makes the text; otherwise nothing stands between input and target but `separator`."""
        return self.template != pair_template(self.template.eos, self.template.bos)

    @property
    def counting(self) -> Counting:
        """How the tokens of its rows are counted before they are made: the template adds to each as to a short one."""
        alone = int(bool(self.template.bos)) + 1
        if not self.chat:
            return Counting(self.separator, alone)
        alone = self._tokens_of(input="one", target="two")
        return Counting(
            None,
            alone - self._said("one", "two"),
            self._added(alone, "three", system="three"),
            self._added(alone, "three", "four", history=[{"user": "three", "assistant": "four"}]),
        )

    def _added(self, alone: int, *said: str, **column: Any) -> int:
        """What the template adds to texts that stand before a row; nothing where it refuses them, as a build will."""
        try:
            return self._tokens_of(input="one", target="two", **column) - alone - self._said(*said)
        except TemplateError:
            return 0

    def _tokens_of(self, **row: Any) -> int:
        """The tokens of a row in the chat template."""
        kinds = {"history": HISTORY}
        columns = {name: pa.array([value], kinds.get(name, pa.large_string())) for name, value in row.items()}
        rendered = render_apart(self.template, Conversations.of_examples(pa.table(columns)))
        return int(self.tokenizer.lengths(rendered.texts)[0])

    def _said(self, *texts: str) -> int:
        return int(self.tokenizer.lengths(pa.array(texts, pa.large_string())).sum())


def _flags(examples: pa.Table, said: Conversations) -> pa.Array:
    """For each turn, whether it is trained: as the data say of those of the assistant."""
    flags = np.zeros(len(said.roles), bool)
    flags[said.roles == ASSISTANT] = np.asarray(examples.column("trained").combine_chunks().flatten())
    return pa.ListArray.from_arrays(pa.array(said.offsets.astype(np.int32)), pa.array(flags))


def make_encoding(
    keys: EncodingKeys, tokenizer: str | None, *, separator: str, packed: bool = False, flagged: bool = False
) -> Encoding:
    """The encoding that these keys ask for; `flagged` says that the data flag turns.

    Raises `UsageError`, `SourceError`, `SpecError` or `TemplateError`.
    """
    if tokenizer is None:
        hint = "name a tokenizer.json, its folder or a Hub id as 'tokenizer'"
        raise UsageError("a layout of tokens needs a tokenizer", hint=hint)
    if packed and keys.max_length is None:
        raise UsageError("packs need a length", hint="say how many tokens a pack holds as 'max_length'")
    if packed and keys.packing != "best_fit" and keys.truncate is not None:
        hint = "leave 'truncate' out, or take best_fit"
        raise UsageError(f"the packing '{keys.packing}' cuts rows into pieces and truncates none", hint=hint)
    loaded = load_tokenizer(tokenizer)
    made = Encoding(
        loaded,
        make_template(keys, tokenizer) or _pairs(keys, loaded, tokenizer),
        separator if keys.chat_template is None else "",
        keys.loss or ("chosen" if flagged else "assistant"),
        keys.max_length,
        keys.truncate,
        keys.packing if packed else None,
    )
    made.check()
    return made


def counting_of(mixture: Mixture) -> Counting:
    """How the tokens of a mixture's rows are counted; raises as `make_encoding` where its layout is one of tokens."""
    layout, tokenizer = mixture.layout, mixture.tokenizer
    if layout in TOKENS:
        return make_encoding(mixture, tokenizer, separator=mixture.separator, packed=layout == "packed").counting
    template = None if LAYOUTS[layout].ROOM or tokenizer is None else make_template(mixture, tokenizer)
    if template is None or tokenizer is None:
        return Counting.of_layout(layout, mixture.separator)
    return Encoding(load_tokenizer(tokenizer), template).counting


def make_template(keys: EncodingKeys, tokenizer: str | None) -> ChatTemplate | None:
    """The chat template of these keys, with the tokens of the tokenizer; None where they name none."""
    name = keys.chat_template
    if name is None:
        return None
    if name == OWN:
        if tokenizer is None:
            hint = "name it as 'tokenizer', or a chat template that ships"
            raise UsageError("the chat template is the tokenizer's own, and there is no tokenizer", hint=hint)
        return load_chat_template(tokenizer, of_tokenizer=True, end=keys.eos)
    made = load_chat_template(name)
    bos, eos = end_tokens(tokenizer) if tokenizer else (None, None)
    written = {"bos": keys.bos if keys.bos is not None else bos, "eos": keys.eos or eos}
    return made.with_tokens(**{key: token for key, token in written.items() if f"{key}_token" in made.jinja})


def _pairs(keys: EncodingKeys, loaded: Tokenizer, tokenizer: str) -> ChatTemplate:
    """What stands around rows without a chat template: the tokens that a trainer would put there."""
    eos = keys.eos or end_tokens(tokenizer)[1]
    if eos is None:
        hint = "write it under 'eos', e.g. eos: </s>, or name a 'chat_template'"
        raise UsageError(f"nothing says which token of {tokenizer} ends a text", hint=hint)
    return pair_template(eos, loaded.start if keys.bos is None else keys.bos)
