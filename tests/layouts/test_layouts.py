"""The columns of each layout, and the traps that trainers set: what must never be among them."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.chat.conversations import HISTORY
from flanmix.errors import SourceError, SpecError, UsageError
from flanmix.layouts import LAYOUTS, METADATA, Writing, from_layout, lay_out, schema_of, tagged
from flanmix.spec import Mixture, TurnTags
from tests.toy import TEXT_LAYOUTS

TAKEN_BY_TRAINERS = {
    "text",
    "prompt",
    "completion",
    "messages",
    "conversations",
    "chosen",
    "rejected",
    "tools",
    "images",
    "image",
    "chat_template_kwargs",
    "labels",
    "label_ids",
    "input_ids",
    "attention_mask",
    "position_ids",
    "seq_lengths",
    "length",
    "dataset_source",
    "env_config",
}
"""Columns that one trainer or another takes for data, wherever they come from."""

TURN = "struct<role: string, content: string>"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
pairs = st.lists(st.tuples(texts, texts), max_size=8)
PLAIN_WRITING = Writing()
layouts = st.sampled_from(TEXT_LAYOUTS)
talks = st.lists(
    st.tuples(st.just("") | texts, st.lists(st.tuples(texts, texts), max_size=3), texts, texts), max_size=6
)
"""System texts, earlier pairs of turns, inputs and targets."""
ROOMY = sorted(name for name in TEXT_LAYOUTS if LAYOUTS[name].ROOM)
NARROW = sorted(set(TEXT_LAYOUTS) - set(ROOMY))
TURNED = {"messages": "role", "sharegpt": "from"}


def examples_of(pairs: list[tuple[str, str]]) -> pa.Table:
    """Rendered examples, as a build gives them to a layout."""
    count = len(pairs)
    names = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["a/b"]))
    return pa.table(
        {
            "input": pa.array([pair[0] for pair in pairs], pa.large_string()),
            "target": pa.array([pair[1] for pair in pairs], pa.large_string()),
            "fm_task": names,
            "fm_type": names,
            "fm_source": names,
            "fm_split": names,
            "fm_template": names,
            "fm_style": names,
            "fm_row": pa.array(range(count), pa.int64()),
            "fm_shots": pa.array([[number + 1, number] for number in range(count)], pa.list_(pa.int64())),
            "fm_epoch": pa.array([0] * count, pa.int32()),
            "fm_stage": names,
            "position": pa.array(range(count), pa.int64()),
        }
    )


def conversations_of(talks: list[tuple[str, list[tuple[str, str]], str, str]]) -> pa.Table:
    """Rendered examples with system texts and earlier turns."""
    systems = pa.array([talk[0] for talk in talks], pa.large_string())
    history = [[{"user": user, "assistant": answer} for user, answer in talk[1]] for talk in talks]
    plain = examples_of([talk[2:] for talk in talks])
    plain = plain.add_column(2, "history", pa.array(history, HISTORY)).add_column(2, "system", systems)
    return plain.drop_columns("position")


TALK = conversations_of([("Be brief.", [("1 + 1?", "2")], "2 + 2?", "4")])


def laid_out(pairs: list[tuple[str, str]], layout: str, separator: str = "\n", metadata: bool = False) -> pa.Table:
    return lay_out(examples_of(pairs), layout, Writing(separator), metadata=metadata)


def row_of(examples: pa.Table, layout: str, writing: Writing = PLAIN_WRITING) -> dict[str, Any]:
    (row,) = lay_out(examples, layout, writing, metadata=False).to_pylist()
    return dict(row)


def test_prompt_completion_stores_the_separator_that_no_trainer_puts_there() -> None:
    rows = laid_out([("1 + 1?", "2"), ("", "x")], "prompt_completion", separator=" => ").to_pylist()
    assert rows == [{"prompt": "1 + 1? => ", "completion": "2"}, {"prompt": " => ", "completion": "x"}]


def test_messages_are_a_user_and_an_assistant_turn_without_the_separator() -> None:
    (row,) = laid_out([("1 + 1?", "2")], "messages", separator=" => ").to_pylist()
    turns = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
    assert row == {"messages": turns}


def said(row: dict[str, Any], layout: str) -> tuple[str, str]:
    """The two texts of a row, wherever its layout puts them."""
    match layout:
        case "messages" | "sharegpt":
            (turns,) = row.values()
            return tuple(list(turn.values())[1] for turn in turns)  # type: ignore[return-value]
        case "conversational":
            return row["prompt"][0]["content"], row["completion"][0]["content"]
        case "alpaca":
            return row["instruction"], row["output"]
        case "tagged":
            asked = row["prompt"].removeprefix("<instruction>\n").removesuffix("\n<output>\n")
            return asked, row["completion"]
        case _:
            first, second = row.values()
            return first, second


@given(pairs, layouts.filter(lambda name: name != "text"))
def test_every_layout_has_both_texts_to_the_byte(pairs: list[tuple[str, str]], layout: str) -> None:
    separator = "\n" if layout == "prompt_completion" else ""
    rows = laid_out(pairs, layout, "\n").to_pylist()
    assert [said(row, layout) for row in rows] == [(put + separator, got) for put, got in pairs]


def test_sharegpt_speaks_of_human_and_gpt_and_alpaca_leaves_nothing_null() -> None:
    (row,) = laid_out([("1 + 1?", "2")], "sharegpt").to_pylist()
    assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
    (row,) = laid_out([("1 + 1?", "2")], "alpaca").to_pylist()
    assert (row["input"], row["system"], row["history"]) == ("", "", [])


@given(pairs, st.sampled_from(["", "\n", "\n\n", " "]))
def test_prompt_and_completion_are_the_texts_to_the_byte(pairs: list[tuple[str, str]], separator: str) -> None:
    rows = laid_out(pairs, "prompt_completion", separator).to_pylist()
    assert [(row["prompt"], row["completion"]) for row in rows] == [(put + separator, got) for put, got in pairs]


@given(pairs)
def test_turns_are_the_texts_to_the_byte_and_alternate(pairs: list[tuple[str, str]]) -> None:
    rows = laid_out(pairs, "messages").column("messages").to_pylist()
    assert [[turn["role"] for turn in row] for row in rows] == [["user", "assistant"]] * len(pairs)
    assert [tuple(turn["content"] for turn in row) for row in rows] == pairs


@given(pairs, layouts, st.booleans(), st.integers(1, 4))
def test_the_schema_is_that_of_the_layout_and_chunks_do_not_matter(
    pairs: list[tuple[str, str]], layout: str, metadata: bool, step: int
) -> None:
    whole = examples_of(pairs)
    pieces = pa.concat_tables([whole.slice(start, step) for start in range(0, max(len(pairs), 1), step)])
    tables = [lay_out(table, layout, Writing(), metadata=metadata) for table in (whole, pieces)]
    assert [table.schema for table in tables] == [schema_of(layout, metadata=metadata)] * 2
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(
    ("layout", "columns"),
    [
        ("prompt_completion", {"prompt": "string", "completion": "string"}),
        ("messages", {"messages": f"list<element: {TURN}>"}),
        ("conversational", {"prompt": f"list<element: {TURN}>", "completion": f"list<element: {TURN}>"}),
        ("sharegpt", {"conversations": "list<element: struct<from: string, value: string>>"}),
        (
            "alpaca",
            {
                **dict.fromkeys(("instruction", "input", "output", "system"), "string"),
                "history": "list<element: list<element: string>>",
            },
        ),
        ("inputs_targets", {"inputs": "string", "targets": "string"}),
        ("text", {"text": "string"}),
        ("tagged", {"prompt": "string", "completion": "string"}),
    ],
)
def test_a_layout_has_its_own_columns_and_no_other(layout: str, columns: dict[str, str]) -> None:
    schema = schema_of(layout, metadata=False)
    assert {field.name: str(field.type) for field in schema} == columns


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
def test_every_other_column_carries_a_prefix_that_no_trainer_knows(layout: str) -> None:
    added = set(schema_of(layout, metadata=True).names) - set(schema_of(layout, metadata=False).names)
    assert added == set(METADATA.names)
    assert all(name.startswith("fm_") for name in added)
    assert not added & TAKEN_BY_TRAINERS


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
def test_no_layout_mixes_columns_that_one_trainer_reads_two_ways(layout: str) -> None:
    """`text` beside `prompt` takes the end-of-sequence away; two layouts in one table crash."""
    own = set(schema_of(layout, metadata=False).names)
    readings: list[set[str]] = [
        *({"prompt", "completion"}, {"messages"}, {"conversations"}, {"text"}, {"input_ids"}),
        *({"instruction", "input", "output", "system", "history"}, {"inputs", "targets"}),
    ]
    assert sum(bool(own & reading) for reading in readings) == 1
    assert "completion_mask" not in own  # without `labels` it is not read, and every token is trained


def test_metadata_says_where_a_row_comes_from() -> None:
    (row,) = laid_out([("a", "b")], "prompt_completion", metadata=True).to_pylist()
    names = ("fm_task", "fm_type", "fm_source", "fm_split", "fm_template", "fm_style", "fm_stage")
    expected: dict[str, Any] = {**dict.fromkeys(names, "a/b"), "fm_row": 0, "fm_shots": [1, 0], "fm_epoch": 0}
    assert row == {"prompt": "a\n", "completion": "b", **expected}
    kinds = {field.name: str(field.type) for field in METADATA if field.name not in names}
    assert kinds == {"fm_row": "int64", "fm_shots": "list<element: int64>", "fm_epoch": "int32"}


# ---- system texts and earlier turns


def test_turns_are_the_system_text_then_the_earlier_pairs_then_the_last() -> None:
    turns = [("system", "Be brief."), ("user", "1 + 1?"), ("assistant", "2"), ("user", "2 + 2?"), ("assistant", "4")]
    named = [{"role": role, "content": text} for role, text in turns]
    assert row_of(TALK, "messages") == {"messages": named}
    assert row_of(TALK, "conversational") == {"prompt": named[:-1], "completion": named[-1:]}
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    assert row_of(TALK, "sharegpt") == {"conversations": [{"from": names[role], "value": text} for role, text in turns]}


def test_alpaca_has_columns_for_the_system_text_and_the_pairs() -> None:
    texts = {"instruction": "2 + 2?", "input": "", "output": "4", "system": "Be brief."}
    assert row_of(TALK, "alpaca") == texts | {"history": [["1 + 1?", "2"]]}


def test_tagged_writes_every_turn_under_its_tag_and_asks_for_the_last() -> None:
    prompt = "<system>\nBe brief.\n<instruction>\n1 + 1?\n<output>\n2\n<input>\n2 + 2?\n<output>\n"
    assert row_of(TALK, "tagged") == {"prompt": prompt, "completion": "4"}
    plain = row_of(examples_of([("1 + 1?", "2")]), "tagged")
    assert plain == {"prompt": "<instruction>\n1 + 1?\n<output>\n", "completion": "2"}


def test_tags_are_the_mixtures_own_and_an_end_follows_every_answer() -> None:
    tags = TurnTags(instruction="### Instruction:", input="### Input:", output="### Response:", end="</s>")
    prompt = "<system>\nBe brief.\n### Instruction:\n1 + 1?\n### Response:\n2</s>\n### Input:\n2 + 2?\n### Response:\n"
    assert row_of(TALK, "tagged", Writing(turn_tags=tags)) == {"prompt": prompt, "completion": "4</s>"}


def test_text_is_one_text_without_tags() -> None:
    assert row_of(examples_of([("1 + 1?", "2")]), "text", Writing(" => ")) == {"text": "1 + 1? => 2"}


@given(talks, st.sampled_from(ROOMY))
def test_no_value_is_null_and_the_schema_is_that_of_plain_rows(talks: list[Any], layout: str) -> None:
    """Layouts with nulls crash trainers, and shards whose columns differ cannot be joined."""
    rows = conversations_of(talks)
    if layout == "tagged":  # which refuses rows that spell its tags
        rows = rows.filter(pa.array(~tagged.forged(rows, Writing().turn_tags)))
    found = lay_out(rows, layout, Writing(), metadata=True)
    assert found.schema == laid_out([], layout, metadata=True).schema == schema_of(layout, metadata=True)
    for column in found.combine_chunks().columns:
        assert column.null_count == 0
        values = column
        while pa.types.is_list(values.type):
            values = values.combine_chunks().flatten() if isinstance(values, pa.ChunkedArray) else values.flatten()
            inner = values.flatten() if pa.types.is_struct(values.type) else [values]
            assert not any(one.null_count for one in inner)


@given(talks, st.sampled_from(sorted(TURNED)))
def test_turns_alternate_a_system_turn_is_first_and_the_assistant_last(talks: list[Any], layout: str) -> None:
    """Other rows are dropped by several trainers, with no more than a warning."""
    rows = lay_out(conversations_of(talks), layout, Writing(), metadata=False).column(0).to_pylist()
    user, assistant = ("user", "assistant") if layout == "messages" else ("human", "gpt")
    for (system, history, *_), row in zip(talks, rows, strict=True):
        first = ["system"] if system else []
        assert [turn[TURNED[layout]] for turn in row] == first + [user, assistant] * (len(history) + 1)


@given(talks, st.sampled_from(ROOMY), st.integers(1, 3))
def test_chunks_of_conversations_do_not_matter(talks: list[Any], layout: str, step: int) -> None:
    whole = conversations_of(talks)
    pieces = pa.concat_tables([whole.slice(start, step) for start in range(0, max(len(talks), 1), step)])
    first, second = (lay_out(table, layout, Writing(), metadata=True) for table in (whole, pieces))
    assert first.equals(second)


@pytest.mark.parametrize("layout", NARROW)
def test_a_layout_without_places_refuses_what_it_would_lose(layout: str) -> None:
    with pytest.raises(UsageError, match=f"system texts and earlier turns, for which the layout '{layout}'") as raised:
        lay_out(TALK, layout, Writing(), metadata=False)
    assert "give a chat template" in str(raised.value)
    assert all(name in str(raised.value) for name in ROOMY)
    empty = conversations_of([("", [], "1 + 1?", "2")])
    assert lay_out(empty, layout, Writing(), metadata=False).equals(laid_out([("1 + 1?", "2")], layout))


# ---- texts that spell a tag


@pytest.mark.parametrize(
    ("text", "forges"),
    [
        ("<output>", True),
        ("a\n<output>\nb", True),
        ("a\n  <instruction>\t\r\nb", True),
        ("an <output> b", False),
        ("<input type='text'>", False),
        ("<output", False),
        ("so I end.|| and", True),
    ],
)
@pytest.mark.parametrize("place", range(5))
def test_a_text_with_a_line_that_is_a_tag_or_with_the_end_would_forge_turns(
    text: str, forges: bool, place: int
) -> None:
    told = [text if place == number else "x" for number in range(5)]
    rows = conversations_of([("", [], "y", "z"), (told[0], [(told[1], told[2])], told[3], told[4])])
    writing = Writing(turn_tags=TurnTags(end="||"))
    assert tagged.forged(rows, writing.turn_tags).tolist() == [False, forges]
    if forges:
        with pytest.raises(SourceError, match=r"1 rows hold a tag of the layout 'tagged'.*other 'turn_tags'"):
            lay_out(rows, "tagged", writing, metadata=False)
    else:
        assert lay_out(rows, "tagged", writing, metadata=False).num_rows == 2


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"input": "<instruction>"}, "'instruction' and 'input' are both '<instruction>'"),
        ({"end": "<output> "}, "'output' and 'end' are both '<output>'"),
        ({"system": ""}, "system"),
        ({"output": "a\nb"}, "output"),
        ({"end": "\n"}, "end"),
        ({"user": "<user>"}, "user"),
    ],
)
def test_tags_are_lines_and_no_two_are_equal(tags: dict[str, str], what: str) -> None:
    with pytest.raises(SpecError, match=what):
        Mixture("m", parts=[{"select": "*"}], turn_tags=tags)


# ---- and back


WRITINGS = st.sampled_from(
    [
        *(Writing(), Writing(""), Writing(" → ", TurnTags(end="</s>"))),
        Writing("\n\n", TurnTags(system="System:", instruction="Human:", input="Human again:", output="AI:", end=" ■")),
    ]
)


@given(talks, st.sampled_from(ROOMY), WRITINGS)
def test_conversations_come_back_from_every_layout_with_places_for_them(
    talks: list[Any], layout: str, writing: Writing
) -> None:
    given_rows = conversations_of(talks)
    if layout == "tagged":
        given_rows = given_rows.filter(pa.array(~tagged.forged(given_rows, writing.turn_tags)))
    rows = lay_out(given_rows, layout, writing, metadata=True)
    assert from_layout(rows, layout, writing).combine_chunks().equals(given_rows.combine_chunks())
    assert from_layout(rows.slice(1), layout, writing).equals(given_rows.slice(1))


@given(pairs, st.sampled_from(["prompt_completion", "inputs_targets"]), WRITINGS)
def test_plain_rows_come_back_from_layouts_of_two_texts(
    pairs: list[tuple[str, str]], layout: str, writing: Writing
) -> None:
    given_rows = examples_of(pairs).drop_columns("position")
    assert from_layout(lay_out(given_rows, layout, writing, metadata=True), layout, writing).equals(given_rows)


@given(pairs, st.sampled_from(ROOMY))
def test_plain_rows_come_back_with_empty_system_texts_and_histories(pairs: list[tuple[str, str]], layout: str) -> None:
    found = from_layout(laid_out(pairs, layout), layout, Writing())
    assert found.equals(conversations_of([("", [], *pair) for pair in pairs]).drop_columns(METADATA.names))


def test_text_cannot_be_taken_apart() -> None:
    with pytest.raises(UsageError, match="cannot be taken apart") as raised:
        from_layout(laid_out([("a", "b")], "text"), "text", Writing())
    assert all(name in str(raised.value) for name in set(TEXT_LAYOUTS) - {"text"})


def human(*turns: tuple[str, str]) -> pa.Table:
    rows = [[{"from": role, "value": text} for role, text in turns]]
    return pa.table({"conversations": pa.array(rows, schema_of("sharegpt", metadata=False).field(0).type)})


@pytest.mark.parametrize(
    ("rows", "layout", "what"),
    [
        (laid_out([("a", "b"), ("c", "d")], "messages"), "sharegpt", "the columns are not those of the layout"),
        (pa.table({"prompt": [1], "completion": ["b"]}).slice(1), "messages", "the columns are not those of"),
        (pa.table({"prompt": ["a\n", "b"], "completion": ["b", "c"]}), "prompt_completion", "the prompt of row 1 does"),
        (pa.table({"prompt": ["<a>\nb"], "completion": ["c"]}), "tagged", "row 0 is not written with these tags"),
        (pa.table({"prompt": ["<input>\nb\n"], "completion": ["c"]}), "tagged", "row 0 is not written with these"),
        (human(("gpt", "a"), ("human", "b")), "sharegpt", "is no conversation in turns"),
        (human(("human", "a"), ("bot", "b")), "sharegpt", "is no conversation in turns"),
        (human(), "sharegpt", "a conversation without messages"),
    ],
)
def test_rows_of_another_make_are_refused(rows: pa.Table, layout: str, what: str) -> None:
    with pytest.raises(SourceError, match=what):
        from_layout(rows, layout, Writing())


def test_alpaca_rows_of_others_are_refused() -> None:
    rows = lay_out(TALK, "alpaca", Writing(), metadata=False)
    for name, value in (("input", ["more"]), ("history", [[["a", "b", "c"]]])):
        index = rows.column_names.index(name)
        other = rows.set_column(index, rows.schema.field(name), pa.array(value, rows.schema.field(name).type))
        with pytest.raises(SourceError, match="give rows that were built with the layout 'alpaca'"):
            from_layout(other, "alpaca", Writing())


def test_answers_without_their_end_are_refused() -> None:
    rows = lay_out(TALK, "tagged", Writing(), metadata=False)
    with pytest.raises(SourceError, match="an answer does not end in '</s>'"):
        from_layout(rows, "tagged", Writing(turn_tags=TurnTags(end="</s>")))
