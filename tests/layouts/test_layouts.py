"""The columns of each layout, and the traps that trainers set: what must never be among them."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.layouts import LAYOUTS, METADATA, lay_out, schema_of

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
layouts = st.sampled_from(sorted(LAYOUTS))


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
            "fm_template": names,
            "fm_row": pa.array(range(count), pa.int64()),
            "fm_epoch": pa.array([0] * count, pa.int32()),
            "position": pa.array(range(count), pa.int64()),
        }
    )


def laid_out(pairs: list[tuple[str, str]], layout: str, separator: str = "\n", metadata: bool = False) -> pa.Table:
    return lay_out(examples_of(pairs), layout, separator=separator, metadata=metadata)


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
        case _:
            first, second = row.values()
            return first, second


@given(pairs, layouts)
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
    tables = [lay_out(table, layout, separator="\n", metadata=metadata) for table in (whole, pieces)]
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
    ],
)
def test_a_layout_has_its_own_columns_and_no_other(layout: str, columns: dict[str, str]) -> None:
    schema = schema_of(layout, metadata=False)
    assert {field.name: str(field.type) for field in schema} == columns


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_other_column_carries_a_prefix_that_no_trainer_knows(layout: str) -> None:
    added = set(schema_of(layout, metadata=True).names) - set(schema_of(layout, metadata=False).names)
    assert added == set(METADATA.names)
    assert all(name.startswith("fm_") for name in added)
    assert not added & TAKEN_BY_TRAINERS


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
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
    expected: dict[str, Any] = {"fm_task": "a/b", "fm_type": "a/b", "fm_template": "a/b", "fm_row": 0, "fm_epoch": 0}
    assert row == {"prompt": "a\n", "completion": "b", **expected}
    assert [str(kind) for kind in METADATA.types[3:]] == ["int64", "int32"]
