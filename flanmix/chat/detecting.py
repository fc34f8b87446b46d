"""Which columns of a source hold its conversations: as a task says, or found from the source's schema."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from flanmix.chat.turns import is_flag, is_text
from flanmix.errors import Problem, SourceError, did_you_mean
from flanmix.origin import Where
from flanmix.spec import Conversation, ConversationColumns, InstructionColumns, MessageColumn, PromptColumns

_MESSAGES = ("messages", "conversations", "conversation", "chat", "dialogue", "dialog", "turns")
"""What a column of turns is mostly called; one of another name is taken where there is none of these."""
_TURNS = ((("role", "content"), ("from", "value")), (("role", "value"), ("from", "content")))
"""The keys of turns; the second two only where there is none of the first."""
_FLAGS = ("train", "weight")
_SYSTEMS = ("system", "system_prompt")
_PAIRS = (
    ("instruction", "output"),
    ("instruction", "response"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
)
_INPUTS = ("input", "context")
_MORE = {"choices", "options", "passage", "paragraph", "document", "text", *_INPUTS}
"""Columns that belong to what is asked: beside them the two columns of a pair are not all."""


def resolved(conversation: Conversation, schema: pa.Schema, where: Where, shown: str) -> ConversationColumns:
    """Where the turns stand in a source of this schema, which errors call `shown`.

    Raises `SourceError` where a column or a key is not there or holds something else, and where detection finds no
    conversation, or more than one.
    """
    if conversation == "detect":
        found = candidates(schema)
        if len(found) != 1:
            raise SourceError(_not_one(found, schema, where, shown))
        (conversation,) = found
    problems = list(_problems(conversation, schema, where, shown))
    if problems:
        raise SourceError(problems)
    return conversation


def candidates(schema: pa.Schema) -> list[ConversationColumns]:
    """All that look like the conversations of a source with this schema.

    >>> turn = pa.struct({"from": pa.string(), "value": pa.string()})
    >>> candidates(pa.schema({"id": pa.int64(), "conversations": pa.list_(turn)}))
    [MessageColumn(role='from', content='value', messages='conversations')]
    """
    if _is_judged(schema):
        return []
    systems: list[str | None] = [
        name for name in _SYSTEMS if name in schema.names and _is_said(schema.field(name).type)
    ]
    found: list[ConversationColumns] = []
    for system in systems or [None]:
        found += [*_in_messages(schema, system), *_in_pairs(schema, system)]
    return found


def _in_messages(schema: pa.Schema, system: str | None) -> Iterator[ConversationColumns]:
    columns = {field.name: ways for field in schema if (ways := _ways(field.type))}
    for prompt, completion in _PAIRS:
        if prompt in columns and completion in columns:
            for way in columns[prompt]:
                if way in columns[completion]:
                    yield PromptColumns(prompt=prompt, completion=completion, system=system, **way)
    said = {name for pair in _PAIRS for name in pair}
    usual = [name for name in columns if name.lower() in _MESSAGES]
    for name in usual or [name for name in columns if name not in said]:
        yield from (MessageColumn(messages=name, system=system, **way) for way in columns[name])


def _ways(kind: pa.DataType) -> list[dict[str, Any]]:
    """How turns may be read from a column of this type."""
    keys = _keys(kind)
    flag = next((name for name in _FLAGS if name in keys and is_flag(keys[name])), None)
    for pairs in _TURNS:
        there = [pair for pair in pairs if all(_is_said(keys.get(name)) for name in pair)]
        if there:
            return [{"role": r, "content": c, **({"train": flag} if flag else {})} for r, c in there]
    return []


def _in_pairs(schema: pa.Schema, system: str | None) -> Iterator[ConversationColumns]:
    texts = {field.name for field in schema if _is_said(field.type)}
    there = {field.name for field in schema if not pa.types.is_null(field.type)}
    history = "history" if "history" in there else None
    for asked, answer in _PAIRS:
        if not {asked, answer} <= texts:
            continue
        if asked == "instruction":
            inputs: list[str | None] = [name for name in _INPUTS if name in texts]
            for given in inputs or [None]:
                yield InstructionColumns(instruction=asked, input=given, output=answer, system=system, history=history)
        elif asked != "question" or not there & _MORE:
            yield PromptColumns(prompt=asked, completion=answer, system=system, history=history)


def _is_said(kind: pa.DataType | None) -> bool:
    """Whether something says a text, and not only nulls."""
    return kind is not None and is_text(kind) and not pa.types.is_null(kind)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _keys(kind: pa.DataType) -> dict[str, pa.DataType]:
    """The keys of the turns in a list of them, and their types."""
    if not (_is_list(kind) and pa.types.is_struct(kind.value_type)):
        return {}
    return {field.name: field.type for field in kind.value_type}


def _not_one(found: list[ConversationColumns], schema: pa.Schema, where: Where, shown: str) -> Problem:
    if {"chosen", "rejected"} <= set(schema.names):
        return where.problem(*_preference(schema, shown))
    if _is_judged(schema):
        what = f"{shown} has answers that are judged good or bad in 'label', for training on preferences"
        hint = "drop the bad ones (drop: '{{ not label }}'), and write conversation: {prompt: …, completion: …}"
        return where.problem(f"{what}, which is not made here", hint)
    if found:
        ways = [_written(each) for each in found]
        what = f"more than one thing in {shown} may be the conversation: {' or '.join(ways)}"
        return where.problem(what, f"write the one that you mean, e.g. conversation: {ways[0]}")
    columns = ", ".join(f"{field.name} ({_type(field.type)})" for field in schema) or "none"
    what = f"no conversation is found in {shown}, whose columns are {columns}"
    example = "{messages: COLUMN, role: KEY, content: KEY} or {prompt: COLUMN, completion: COLUMN}"
    return where.problem(what, _unread(schema) or f"say where the turns stand: conversation: {example}")


def _is_judged(schema: pa.Schema) -> bool:
    """Whether each row has an answer and a verdict on it."""
    return "label" in schema.names and pa.types.is_boolean(schema.field("label").type)


def _preference(schema: pa.Schema, shown: str) -> tuple[str, str]:
    """What is wrong with pairs of answers, and how to take one of each."""
    what = f"{shown} has pairs of answers, 'chosen' and 'rejected', for training on preferences, which is not made here"
    prompt = next((name for name in ("prompt", "instruction", "question", "input") if name in schema.names), "COLUMN")
    turns = "{messages: chosen}" if _ways(schema.field("chosen").type) else f"{{prompt: {prompt}, completion: chosen}}"
    return what, f"to train on the chosen ones alone, write conversation: {turns}"


def _unread(schema: pa.Schema) -> str | None:
    """What to do with turns in a form that is not read."""
    for field in schema:
        parts = [key for key, kind in _keys(field.type).items() if key in ("content", "value") and _is_list(kind)]
        if parts:
            return f"'{parts[0]}' in the turns of '{field.name}' is a list of parts: make each one text first"
        if field.name.lower() in (*_MESSAGES, "data") and _is_list(field.type) and is_text(field.type.value_type):
            return f"the turns in '{field.name}' do not say who speaks: make each a {{role, content}} first"
    return None


def _written(columns: ConversationColumns) -> str:
    """Columns as they are written in a task, without what goes without saying."""
    said = columns.model_dump(exclude_defaults=True)
    return "{" + ", ".join(f"{name}: {said[name]}" for name in sorted(said, key=_place)) + "}"


def _place(name: str) -> tuple[bool, str]:
    return name not in ("messages", "prompt", "instruction"), name


def _type(kind: pa.DataType) -> str:
    """A type in words short enough for a line."""
    if _is_list(kind):
        return f"list of {_type(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{field.name}: {_type(field.type)}" for field in kind) + "}"
    return "nothing" if pa.types.is_null(kind) else "text" if is_text(kind) else str(kind)


def _problems(at: ConversationColumns, schema: pa.Schema, where: Where, shown: str) -> Iterator[Problem]:
    """What is wrong with columns that are to hold conversations."""
    kinds = {field.name: field.type for field in schema}
    said = at.model_dump(exclude_none=True, exclude={"role", "content", "train", "roles"})
    named = {key: said[key] for key in sorted(said, key=_place)}
    missing = {key: name for key, name in named.items() if name not in kinds}
    for key, name in missing.items():
        yield where.at(key).problem(f"no column '{name}' in {shown}", _near(name, kinds))
    there = {key: kinds[name] for key, name in named.items() if key not in missing}
    in_lists = isinstance(at, PromptColumns) and any(_is_list(there.get(key, pa.null())) for key in _BOTH)
    for key, kind in there.items():
        place, name = where.at(key), named[key]
        if isinstance(at, MessageColumn | PromptColumns) and (key == "messages" or (in_lists and key in _BOTH)):
            yield from _problems_of_turns(at, name, kind, where, place)
        elif key == "history" and in_lists:
            yield place.problem("stands beside lists of turns", "leave it out: the earlier turns belong to the prompt")
        elif key == "history" and not _is_pairs(kind):
            what = f"the column '{name}' holds {_type(kind)}, where the history is a list of pairs of texts"
            yield place.problem(what, "name another column, or leave it out")
        elif key != "history" and not is_text(kind):
            yield place.problem(f"the column '{name}' holds {_type(kind)}, not text", "name a column with text")


_BOTH = ("prompt", "completion")


def _is_pairs(kind: pa.DataType) -> bool:
    """Whether a type is that of lists of lists of texts; where all are empty, it says nothing of what they hold."""
    for _ in range(2):
        if pa.types.is_null(kind):
            return True
        if not _is_list(kind):
            return False
        kind = kind.value_type
    return is_text(kind)


def _problems_of_turns(
    at: MessageColumn | PromptColumns, name: str, kind: pa.DataType, where: Where, place: Where
) -> Iterator[Problem]:
    keys = _keys(kind)
    if not keys:
        yield place.problem(f"the column '{name}' holds {_type(kind)}, not lists of turns", "name a column with turns")
        return
    for key, wanted in (("role", at.role), ("content", at.content), ("train", at.train)):
        if wanted is None:
            continue
        if wanted not in keys:
            yield where.at(key).problem(f"no key '{wanted}' in the turns of '{name}'", _near(wanted, keys))
        elif key == "train" and not is_flag(keys[wanted]):
            what = f"'{wanted}' in the turns of '{name}' holds {_type(keys[wanted])}"
            yield where.at(key).problem(what, "a flag is true or false, 1 or 0")
        elif key != "train" and not is_text(keys[wanted]):
            what = f"'{wanted}' in the turns of '{name}' holds {_type(keys[wanted])}, not text"
            parts = ", or make each list of parts one text first" if _is_list(keys[wanted]) else ""
            yield where.at(key).problem(what, f"name a key with text{parts}")


def _near(name: str, known: dict[str, pa.DataType]) -> str:
    return did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}"
