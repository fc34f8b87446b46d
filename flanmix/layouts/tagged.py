"""`tagged`: `prompt` and `completion`, all turns as texts under tags on lines of their own.

A text that spells a tag would forge a turn: see `forged`.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.conversations import ASSISTANT, ROLES, SYSTEM, USER, Conversations
from flanmix.errors import SourceError
from flanmix.layouts.writing import Writing
from flanmix.order import Ints
from flanmix.spec import TurnTags

SCHEMA = pa.schema([pa.field("prompt", pa.string()), pa.field("completion", pa.string())])
REPETITIVE: tuple[str, ...] = ()
ROOM = True
_FIRST = len(ROLES)
"""The first turn of the user, beside the roles."""
_OTHER_TAGS = "give the 'turn_tags' that the rows were built with: they are in the manifest"


def columns(examples: pa.Table, writing: Writing) -> pa.Table:
    """Each turn under its tag. The prompt ends with the line that asks for an answer, which is the completion.

    Raises `SourceError` for rows that are `forged`.

    >>> columns(pa.table({"input": ["1 + 1?"], "target": ["2"]}), Writing()).to_pylist()
    [{'prompt': '<instruction>\\n1 + 1?\\n<output>\\n', 'completion': '2'}]
    """
    tags = writing.turn_tags
    if (found := np.flatnonzero(forged(examples, tags))).size:
        what = f"{len(found)} rows hold a tag of the layout 'tagged' as text, the first of them:"
        shown = examples.slice(int(found[0]), 1).select(["input", "target"]).to_pylist()[0]
        raise SourceError(f"{what} {shown}", hint="choose other 'turn_tags', or another layout")
    prompts = Conversations.of_examples(examples).prompts()
    befores = [f"{tag}\n" for tag in (tags.system, tags.input, tags.output, tags.instruction)]
    afters = ["\n", "\n", f"{tags.end}\n", f"\n{tags.output}\n"]
    opening, closing = _first_user_apart(prompts), prompts.roles.copy()
    closing[prompts.offsets[1:] - 1] = len(afters) - 1
    before, after = (
        pa.array(texts, pa.large_string()).take(pa.array(at)) for texts, at in ((befores, opening), (afters, closing))
    )
    nothing = pa.scalar("", pa.large_string())
    blocks = pc.binary_join_element_wise(before, prompts.contents, after, nothing)
    texts = pc.binary_join(pa.LargeListArray.from_arrays(pa.array(prompts.offsets), blocks), nothing)
    answers = examples["target"].cast(pa.large_string())
    end = pa.scalar(tags.end, pa.large_string())
    return pa.table({"prompt": texts, "completion": pc.binary_join_element_wise(answers, end, nothing)})


def forged(examples: pa.Table, tags: TurnTags) -> npt.NDArray[np.bool_]:
    """Of each row, whether a text in it has a line that is a tag, or holds what ends an answer.

    Such a text would look like turns that nobody took, so the row is not to be written.

    >>> forged(pa.table({"input": ["a <input> b", "<input>\\nb"], "target": ["c", "d"]}), TurnTags()).tolist()
    [False, True]
    """
    told = Conversations.of_examples(examples)
    lines = "|".join(re.escape(tag.strip()) for tag in (tags.system, tags.instruction, tags.input, tags.output))
    end = f"|{re.escape(tags.end)}" if tags.end else ""
    held = np.flatnonzero(pc.match_substring_regex(told.contents, lines + end))  # five times as fast as with lines
    spelled = pc.match_substring_regex(told.contents.take(pa.array(held)), rf"(?m:^\s*(?:{lines})\s*$){end}")
    found: npt.NDArray[np.bool_] = np.bincount(told.rows[held[np.asarray(spelled)]], minlength=len(told)) > 0
    return found


def examples(table: pa.Table, writing: Writing) -> pa.Table:
    """The other way, with the tags that the rows were built with; raises `SourceError` where they are not there."""
    tags = writing.turn_tags
    roles = {tags.system: SYSTEM, tags.instruction: USER, tags.input: USER, tags.output: ASSISTANT}
    tag = re.compile(rf"\n({'|'.join(map(re.escape, roles))})\n")
    offsets, said, texts = [0], list[int](), list[str]()
    for number, row in enumerate(zip(*(table[name].to_pylist() for name in SCHEMA.names), strict=True)):
        start, *parts = tag.split("\n" + "".join(row))
        if start or not row[0].endswith(f"\n{tags.output}\n"):
            raise SourceError(f"row {number} is not written with these tags", hint=_OTHER_TAGS)
        said += [roles[part] for part in parts[::2]]
        texts += parts[1::2]
        offsets.append(len(said))
    names = pa.array(ROLES, pa.large_string()).take(pa.array(said, pa.int64()))
    contents = _without_end(pa.array(texts, pa.large_string()), np.array(said) == ASSISTANT, tags.end)
    return Conversations(np.array(offsets, np.int64), names, contents).examples()


def _first_user_apart(conversations: Conversations) -> Ints:
    """The role of each turn, the user's first in a conversation as one of its own."""
    roles = conversations.roles.copy()
    starts = conversations.offsets[:-1]
    roles[starts + (roles[starts] == SYSTEM)] = _FIRST
    return roles


def _without_end(texts: pa.Array, answers: npt.NDArray[np.bool_], end: str) -> pa.Array:
    """The texts, without what ends those that are answers."""
    if not end:
        return texts
    if not pc.all(pc.ends_with(texts.filter(pa.array(answers)), end), min_count=0).as_py():
        raise SourceError(f"an answer does not end in '{end}'", hint=_OTHER_TAGS)
    return pc.if_else(pa.array(answers), pc.utf8_slice_codeunits(texts, 0, -len(end)), texts)
