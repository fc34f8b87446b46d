"""Normal form: what is repaired, what is left out, and that nothing else is lost on the way."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.chat.conversations import HISTORY, ROLES
from flanmix.chat.normalising import normalise
from flanmix.chat.turns import SPEAKERS, Turns
from flanmix.spec import InstructionColumns, MessageColumn, PromptColumns

Said = tuple[str | None, str | None]
AT = MessageColumn(messages="m")
TURN = pa.struct([("role", pa.large_string()), ("content", pa.large_string()), ("train", pa.float64())])
FIRST, LAST = "first turns of the assistant taken off", "last turns of the user taken off"
JOINED, SYSTEMS = "neighbouring turns of one speaker joined", "several system turns joined"
EMPTY, AGAIN = "empty system turns taken out", "a system turn that says the same again taken out"


def turns_of(*rows: list[Said] | None, flags: list[list[Any]] | None = None) -> Turns:
    """Each turn as `(speaker, text)`."""
    made = []
    for number, row in enumerate(rows):
        marks = flags[number] if flags is not None else [None] * len(row or ())
        turns = [{"role": r, "content": c, "train": f} for (r, c), f in zip(row or (), marks, strict=True)]
        made.append(None if row is None else turns)
    table = pa.table({"m": pa.array(made, pa.list_(TURN))})
    return Turns.of(table, MessageColumn(messages="m", train="train") if flags is not None else AT)


def normal(*rows: list[Said] | None) -> list[list[Said]]:
    found = normalise(turns_of(*rows)).conversations
    said = list(zip(found.names.to_pylist(), found.contents.to_pylist(), strict=True))
    return [said[a:b] for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


def repaired(row: list[Said]) -> tuple[list[Said], dict[str, int]]:
    (found,) = normal(row)
    return found, dict(normalise(turns_of(row)).repaired)


def dropped(row: list[Said] | None) -> str:
    found = normalise(turns_of(row))
    assert (len(found.conversations), len(found.rows), found.repaired) == (0, 0, {})
    (reason,) = found.dropped
    return reason


Q, A = ("user", "q"), ("assistant", "a")

# ---- roles


@pytest.mark.parametrize(("name", "role"), SPEAKERS.items())
def test_speakers_have_many_names_in_letters_of_any_size(name: str, role: int) -> None:
    table = pa.table({"m": pa.array([[{"role": name.upper(), "content": "x"}, {"role": f" {name}", "content": "x"}]])})
    assert Turns.of(table, AT).roles.tolist() == [role, role]


def test_a_task_may_name_speakers_of_its_own() -> None:
    table = pa.table({"m": pa.array([[{"role": "Customer", "content": "q"}, {"role": "Agent 7", "content": "a"}]])})
    at = MessageColumn(messages="m", roles={"customer": "user", "Agent 7": "assistant"})
    assert [ROLES[role] for role in Turns.of(table, at).roles] == ["user", "assistant"]


# ---- repairs


def test_a_conversation_in_order_stays_as_it_is() -> None:
    row = [("system", " s\n"), Q, A, Q, ("assistant", "a\u2028 ")]
    assert repaired(row) == (row, {})


def test_neighbouring_turns_of_one_speaker_are_joined_with_a_blank_line() -> None:
    row = [Q, ("user", "r"), ("user", "s"), A, ("bot", "b")]
    assert repaired(row) == ([("user", "q\n\nr\n\ns"), ("assistant", "a\n\nb")], {JOINED: 1})


def test_a_greeting_answers_nobody_and_is_taken_off() -> None:
    assert repaired([("system", "s"), A, A, Q, A]) == ([("system", "s"), Q, A], {FIRST: 1})


def test_what_the_user_says_last_has_no_answer_and_is_taken_off() -> None:
    assert repaired([Q, A, Q, Q]) == ([Q, A], {LAST: 1})


def test_system_turns_are_joined_and_empty_ones_taken_out() -> None:
    row = [("system", "s"), ("system", " \n"), ("system", "t"), Q, ("system", None), A]
    assert repaired(row) == ([("system", "s\n\nt"), Q, A], {EMPTY: 1, SYSTEMS: 1})


def test_a_system_turn_that_is_there_twice_is_there_once() -> None:
    assert repaired([("system", "s"), ("system", "s"), Q, A]) == ([("system", "s"), Q, A], {AGAIN: 1})
    rows = [[("system", "s"), Q, A]] * 2
    assert normal(*rows) == rows


def test_repairs_count_conversations_and_only_those_that_are_kept() -> None:
    greeted = [A, A, Q, A]
    found = normalise(turns_of(greeted, greeted, [*greeted, ("tool", "x")]))
    assert found.repaired == {FIRST: 2}
    assert found.dropped == {"a turn of an unknown role": 1}


# ---- what is left out


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "no turns"),
        ([], "no turns"),
        ([Q, (None, "x"), A], "a turn without a role"),
        ([Q, ("tool", "x"), A], "a turn of an unknown role"),
        ([Q, ("function_call", "x"), A], "a turn of an unknown role"),
        ([Q, ("assistant", None)], "a turn without text"),
        ([("user", " \n"), A], "a turn without text"),
        ([Q, A, ("user", "")], "a turn without text"),
        ([Q, ("system", "s"), A], "a system turn in the middle"),
        ([Q, A, ("system", "s")], "a system turn in the middle"),
        ([A], "no turn of the user"),
        ([("system", "s")], "no turn of the user"),
        ([("system", "")], "no turn of the user"),
        ([("system", "s"), Q], "no turn of the assistant"),
        ([A, Q], "no turn of the user is answered"),
    ],
)
def test_what_cannot_be_repaired_is_left_out_with_a_reason(row: list[Said] | None, reason: str) -> None:
    assert dropped(row) == reason


def test_rows_that_are_kept_are_told_by_number() -> None:
    found = normalise(turns_of(None, [Q, A], [A], [Q, A]))
    assert found.rows.tolist() == [1, 3]
    assert found.dropped == {"no turns": 1, "no turn of the user": 1}


def test_no_rows_are_no_conversations() -> None:
    found = normalise(turns_of())
    assert (len(found.conversations), found.dropped, found.repaired) == (0, {}, {})
    assert found.conversations.examples().num_rows == 0


# ---- flags


def test_flags_are_those_of_the_turns_of_the_assistant() -> None:
    rows = [[Q, A, Q, A], [Q, A]]
    found = normalise(turns_of(*rows, flags=[[1, 0, 0, None], [None, 1]]))
    assert found.trained is not None
    assert found.trained.to_pylist() == [[False, True], [True]]


def test_turns_that_are_joined_are_trained_if_all_of_them_are() -> None:
    found = normalise(turns_of([Q, A, A, Q, A, A], flags=[[0, 1, 0, 0, 1, 1]]))
    assert found.trained is not None
    assert found.trained.to_pylist() == [[False, True]]


def test_a_flag_that_is_neither_leaves_the_conversation_out() -> None:
    found = normalise(turns_of([Q, A], [Q, A], flags=[[0.5, 1], [1, 0.5]]))
    assert found.dropped == {"a weight that is neither 0 nor 1": 1}


@pytest.mark.parametrize("flags", [[True, False], [1, 0]])
def test_flags_are_truths_or_numbers(flags: list[Any]) -> None:
    turns = [{"role": "user", "content": "q", "weight": None}, {"role": "assistant", "content": "a"}]
    table = pa.table({"m": [[{**turn, "weight": flags[1]} for turn in turns]]})
    found = normalise(Turns.of(table, MessageColumn(messages="m", train="weight")))
    assert found.trained is not None
    assert found.trained.to_pylist() == [[False]]


# ---- columns of their own


def examples(table: pa.Table, at: Any) -> list[dict[str, Any]]:
    return normalise(Turns.of(table, at)).conversations.examples().to_pylist()


def test_alpaca_is_an_instruction_with_a_blank_line_before_its_input() -> None:
    table = pa.table({"i": ["do", "do", "do", None], "x": ["this", "", None, "this"], "o": ["a"] * 4})
    rows = examples(table, InstructionColumns(instruction="i", input="x", output="o"))
    assert [row["input"] for row in rows] == ["do\n\nthis", "do", "do", "this"]


def test_alpaca_has_a_system_text_and_a_history_of_pairs() -> None:
    table = pa.table(
        {
            "i": ["q", "q", "q", "q"],
            "o": ["a", "a", "a", "a"],
            "s": ["s", "", None, " "],
            "h": pa.array([[["x", "y"], ["z", "w"]], [], None, [["lone"]]], pa.list_(pa.list_(pa.string()))),
        }
    )
    found = normalise(Turns.of(table, InstructionColumns(instruction="i", output="o", system="s", history="h")))
    assert found.conversations.examples().to_pylist() == [
        {
            "input": "q",
            "target": "a",
            "system": "s",
            "history": [{"user": "x", "assistant": "y"}, {"user": "z", "assistant": "w"}],
        },
        *[{"input": "q", "target": "a", "system": "", "history": []}] * 2,
    ]
    assert (found.dropped, found.repaired) == ({"a history that is no list of pairs": 1}, {})


def test_a_prompt_and_a_completion_of_turns_are_one_conversation() -> None:
    def said(*turns: Said) -> list[dict[str, Any]]:
        return [{"role": role, "content": content} for role, content in turns]

    table = pa.table({"p": [said(Q, A, ("user", "r")), said(Q), None], "c": [said(("assistant", "b")), [], said(A)]})
    found = normalise(Turns.of(table, PromptColumns(prompt="p", completion="c")))
    history = [{"user": "q", "assistant": "a"}]
    assert found.conversations.examples().to_pylist() == [
        {"input": "r", "target": "b", "system": "", "history": history}
    ]
    assert found.dropped == {"no turn of the assistant": 1, "no turn of the user": 1}


def test_a_system_column_comes_before_the_turns() -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    told = [{"role": "system", "content": "s"}, *turns]
    table = pa.table({"m": [turns, told, told, turns], "s": ["s", "t", "s", None]})
    found = normalise(Turns.of(table, MessageColumn(messages="m", system="s")))
    assert found.conversations.examples().column("system").to_pylist() == ["s", "t\n\ns", "s", ""]
    assert found.repaired == {SYSTEMS: 1, AGAIN: 1}


def test_a_sliced_column_is_read_from_where_it_starts() -> None:
    made = turns_of([Q, A], [("user", "r"), ("assistant", "b")])
    table = pa.table(
        {"m": [[{"role": "user", "content": t}, {"role": "bot", "content": t.upper()}] for t in ("x", "y")]}
    )
    assert examples(table.slice(1), AT)[0]["input"] == "y"
    assert len(made) == 2


# ---- compared with a version that goes row by row

CONTENTS = st.sampled_from(["a", "b", "東京", " pad ", "x\n\ny", "", " \n", "\u3000", None])
NAMES = st.sampled_from(["system", "user", "Human", "assistant", "GPT", "user", "assistant", "tool", None])
LIKELY = st.tuples(st.sampled_from(["system", "user", "assistant"]), st.sampled_from(["a", "b", "c", "s"]))
ROWS = st.lists(st.none() | st.lists(LIKELY, max_size=7) | st.lists(st.tuples(NAMES, CONTENTS), max_size=5), max_size=8)


def is_blank(text: str | None) -> bool:
    return text is None or not text.strip()


def naive(row: list[Said] | None, flags: list[Any]) -> tuple[str, list[Said], list[bool], set[str]]:
    """A reason why a row is left out or "", and what it becomes, its flags and what was repaired."""
    if not row:
        return "no turns", [], [], set()
    if any(name is None for name, _ in row):
        return "a turn without a role", [], [], set()
    numbers = [SPEAKERS.get((name or "").lower(), -1) for name, _ in row]
    if -1 in numbers:
        return "a turn of an unknown role", [], [], set()
    turns = [[ROLES[n], text, flag in (None, 1)] for n, (_, text), flag in zip(numbers, row, flags, strict=True)]
    if any(is_blank(text) for name, text, _ in turns if name != "system"):
        return "a turn without text", [], [], set()
    done = set()
    if any(is_blank(text) for _, text, _ in turns):
        done.add(EMPTY)
        turns = [turn for turn in turns if not is_blank(turn[1])]
    names = [turn[0] for turn in turns]
    spoken = [index for index, name in enumerate(names) if name != "system"]
    if spoken and "system" in names[spoken[0] :]:
        return "a system turn in the middle", [], [], set()
    if any(
        name == "assistant" and flag == 0.5 for (name, flag) in zip([ROLES[n] for n in numbers], flags, strict=True)
    ):
        return "a weight that is neither 0 nor 1", [], [], set()
    for name in ("user", "assistant"):
        if name not in names:
            return f"no turn of the {name}", [], [], set()
    first = names.index("user")
    last = max(index for index, name in enumerate(names) if name == "assistant")
    if last < first:
        return "no turn of the user is answered", [], [], set()
    systems = [turn for turn in turns if turn[0] == "system"]
    once = [turn for index, turn in enumerate(systems) if not index or turn[1] != systems[index - 1][1]]
    kept = [*once, *turns[first : last + 1]]
    facts = {
        AGAIN: len(once) < len(systems),
        FIRST: "assistant" in names[:first],
        LAST: last + 1 < len(turns),
        SYSTEMS: len(once) > 1,
        JOINED: any(a[0] == b[0] != "system" for a, b in pairwise(kept)),
    }
    done |= {name for name, true in facts.items() if true}
    joined: list[list[Any]] = []
    for name, text, flag in kept:
        if joined and joined[-1][0] == name:
            joined[-1] = [name, f"{joined[-1][1]}\n\n{text}", joined[-1][2] and flag]
        else:
            joined.append([name, text, flag])
    said = [(name, text) for name, text, _ in joined]
    return "", said, [flag for name, _, flag in joined if name == "assistant"], done


@given(ROWS, st.data())
def test_columns_give_what_rows_one_by_one_give(rows: list[Any], data: st.DataObject) -> None:
    one = st.sampled_from([None, 1, 0, 1, 0, 0.5])
    flags = [data.draw(st.lists(one, min_size=len(row or ()), max_size=len(row or ()))) for row in rows]
    found = normalise(turns_of(*rows, flags=flags))
    wanted = [naive(row, marks) for row, marks in zip(rows, flags, strict=True)]
    kept = [each for each in wanted if not each[0]]
    assert found.rows.tolist() == [number for number, each in enumerate(wanted) if not each[0]]
    assert found.dropped == Counter(reason for reason, *_ in wanted if reason)
    assert found.repaired == Counter(repair for *_, repairs in kept for repair in repairs)
    assert found.trained is not None
    assert found.trained.to_pylist() == [flags for _, _, flags, _ in kept]
    apart = found.conversations
    said = list(zip(apart.names.to_pylist(), apart.contents.to_pylist(), strict=True))
    assert [said[a:b] for a, b in zip(apart.offsets[:-1], apart.offsets[1:], strict=True)] == [each[1] for each in kept]
    assert apart.normal.all()


SPEAKING = st.lists(st.sampled_from(["system", "user", "user", "assistant", "assistant"]), max_size=9)


@given(st.lists(SPEAKING, max_size=6))
def test_all_that_was_said_is_there_in_its_order_but_what_is_counted(speaking: list[list[str]]) -> None:
    """Each text is there once in the source, so that what is missing can be told."""
    rows: list[Any] = [
        [(name, f"{row}.{turn}") for turn, name in enumerate(names)] for row, names in enumerate(speaking)
    ]
    found = normalise(turns_of(*rows))
    assert found.conversations.normal.all()
    assert len(found.rows) + sum(found.dropped.values()) == len(rows)
    table = found.conversations.examples()
    assert table.schema.field("history").type == HISTORY
    lost_first = lost_last = 0
    for number, example in zip(found.rows.tolist(), table.to_pylist(), strict=True):
        pairs = [text for pair in example["history"] for text in (pair["user"], pair["assistant"])]
        said = "\n\n".join([example["system"], *pairs, example["input"], example["target"]]).strip().split("\n\n")
        texts = [text for name, text in rows[number] if name == "system"]
        others = [text for name, text in rows[number] if name != "system"]
        start, length = others.index(said[len(texts)]), len(said) - len(texts)
        assert said == [*texts, *others[start : start + length]]
        assert {name for name, text in rows[number] if text in others[:start]} <= {"assistant"}
        assert {name for name, text in rows[number] if text in others[start + length :]} <= {"user"}
        lost_first, lost_last = lost_first + (start > 0), lost_last + (start + length < len(others))
    assert (found.repaired.get(FIRST, 0), found.repaired.get(LAST, 0)) == (lost_first, lost_last)


def test_the_texts_of_a_conversation_in_order_are_not_copied() -> None:
    turns = turns_of(*[[Q, A]] * 10)
    contents = normalise(turns).conversations.contents
    assert contents.buffers()[2].address == turns.contents.buffers()[2].address
    assert np.array_equal(turns.offsets, normalise(turns).conversations.offsets)


@pytest.mark.parametrize(
    ("kind", "values", "kept"),
    [
        (pa.null(), [None, None], 2),
        (pa.list_(pa.null()), [[], None], 2),
        (pa.list_(pa.null()), [[None], []], 1),
        (pa.list_(pa.list_(pa.null())), [[], [[]]], 1),
        (pa.large_list(pa.large_list(pa.string())), [[["x", "y"]], [["x", "y", "z"]]], 1),
        (pa.list_(pa.list_(pa.string())), [[None], [[None, "y"]]], 0),
    ],
)
def test_a_history_may_say_nothing(kind: pa.DataType, values: list[Any], kept: int) -> None:
    table = pa.table({"i": ["q", "q"], "o": ["a", "a"], "h": pa.array(values, kind)})
    assert len(examples(table, InstructionColumns(instruction="i", output="o", history="h"))) == kept
