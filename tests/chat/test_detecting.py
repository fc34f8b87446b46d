"""Which columns hold the conversations: found from a schema alone, or written and checked against it."""

from typing import Any

import pyarrow as pa
import pytest

from flanmix.chat.detecting import candidates, resolved
from flanmix.errors import SourceError
from flanmix.origin import Origin, Where
from flanmix.spec import ConversationColumns, InstructionColumns, MessageColumn, PromptColumns, Task

TEXT = pa.large_string()


def messages(role: str = "role", content: str = "content", **more: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct([(role, TEXT), (content, TEXT), *more.items()]))


def texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, TEXT)


MESSAGES = MessageColumn(messages="messages")
KNOWN: list[tuple[str, dict[str, pa.DataType], ConversationColumns]] = [
    ("messages", {"id": pa.int64(), "messages": messages()}, MESSAGES),
    ("messages of large lists", {"messages": pa.large_list(messages().value_type)}, MESSAGES),
    (
        "messages of narrow texts",
        {"messages": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))},
        MESSAGES,
    ),
    ("messages with other keys", {"messages": messages(name=TEXT, tool_calls=pa.null())}, MESSAGES),
    ("messages beside a prompt", {"prompt": TEXT, "messages": messages()}, MESSAGES),
    (
        "messages beside pairs to prefer",
        {"chosen": messages(), "rejected": messages(), "messages": messages()},
        MESSAGES,
    ),
    ("a chat", {"chat": messages()}, MessageColumn(messages="chat")),
    ("a column of any name", {"exchange": messages()}, MessageColumn(messages="exchange")),
    (
        "ShareGPT",
        {"conversations": messages("from", "value")},
        MessageColumn(messages="conversations", role="from", content="value"),
    ),
    (
        "ShareGPT with weights",
        {"conversations": messages("from", "value", weight=pa.float64())},
        MessageColumn(messages="conversations", role="from", content="value", train="weight"),
    ),
    ("weights that are all null", {"messages": messages(weight=pa.null())}, MESSAGES),
    ("flags", {"messages": messages(train=pa.bool_())}, MessageColumn(messages="messages", train="train")),
    (
        "messages and a system text",
        {"system_prompt": TEXT, "messages": messages()},
        MessageColumn(messages="messages", system="system_prompt"),
    ),
    (
        "instruction and output",
        texts("instruction", "output"),
        InstructionColumns(instruction="instruction", output="output"),
    ),
    (
        "Alpaca",
        {**texts("instruction", "input", "output", "system", "text"), "history": pa.list_(pa.list_(TEXT))},
        InstructionColumns(
            instruction="instruction", input="input", output="output", system="system", history="history"
        ),
    ),
    (
        "Alpaca without inputs",
        {**texts("instruction", "output"), "input": pa.null(), "history": pa.null(), "system": pa.null()},
        InstructionColumns(instruction="instruction", output="output"),
    ),
    (
        "Dolly",
        texts("instruction", "context", "response", "category"),
        InstructionColumns(instruction="instruction", input="context", output="response"),
    ),
    ("prompt and completion", texts("prompt", "completion"), PromptColumns(prompt="prompt", completion="completion")),
    ("prompt and response", texts("prompt", "response"), PromptColumns(prompt="prompt", completion="response")),
    (
        "prompt and completion in turns",
        {"prompt": messages(), "completion": messages()},
        PromptColumns(prompt="prompt", completion="completion"),
    ),
    ("question and answer", texts("id", "question", "answer"), PromptColumns(prompt="question", completion="answer")),
]


@pytest.mark.parametrize(("columns", "wanted"), [pair[1:] for pair in KNOWN], ids=[pair[0] for pair in KNOWN])
def test_the_usual_forms_are_found(columns: dict[str, pa.DataType], wanted: ConversationColumns) -> None:
    assert candidates(pa.schema(columns)) == [wanted]
    assert resolved("detect", pa.schema(columns), Where(Origin("t.yaml")), "rows") == wanted


@pytest.mark.parametrize("columns", [pair[1] for pair in KNOWN], ids=[pair[0] for pair in KNOWN])
def test_other_columns_do_not_matter(columns: dict[str, pa.DataType]) -> None:
    more = {"id": pa.int64(), "scores": pa.list_(pa.float64()), "note": TEXT, "meta": pa.struct([("role", TEXT)])}
    assert candidates(pa.schema({**more, **columns})) == candidates(pa.schema(columns))


def refused(conversation: Any, columns: dict[str, pa.DataType]) -> list[str]:
    lines = {("task",): 1, ("conversation",): 3, ("conversation", "role"): 4}
    where = Where(Origin("t.yaml", lines), ("conversation",))
    at = Task("t", type="dialogue", source=[{}], conversation=conversation).conversation
    assert at is not None
    with pytest.raises(SourceError) as caught:
        resolved(at, pa.schema(columns), where, "rows.jsonl")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    "columns",
    [
        {},
        texts("prompt", "text"),
        texts("question", "answer", "context"),
        {**texts("question", "answer"), "choices": pa.list_(TEXT)},
        {"labels": pa.list_(TEXT)},
        {"messages": pa.null()},
        {"prompt": TEXT, "completion": messages()},
    ],
)
def test_where_nothing_is_found_the_columns_are_told_and_what_to_write(columns: dict[str, pa.DataType]) -> None:
    (line,) = refused("detect", columns)
    assert line.startswith("t.yaml:3: conversation: no conversation is found in rows.jsonl, whose columns are ")
    assert all(f"{name} (" in line for name in columns)
    assert line.endswith(
        " - say where the turns stand: conversation: "
        "{messages: COLUMN, role: KEY, content: KEY} or {prompt: COLUMN, completion: COLUMN}"
    )


@pytest.mark.parametrize(
    ("columns", "step"),
    [
        (
            {"messages": pa.list_(TEXT)},
            "the turns in 'messages' do not say who speaks: make each a {role, content} first",
        ),
        (
            {"messages": pa.list_(pa.struct([("role", TEXT), ("content", pa.list_(TEXT))]))},
            "'content' in the turns of 'messages' is a list of parts: make each one text first",
        ),
    ],
)
def test_turns_in_a_form_that_is_not_read_are_told_with_what_to_do(columns: dict[str, pa.DataType], step: str) -> None:
    (line,) = refused("detect", columns)
    assert line.startswith(
        "t.yaml:3: conversation: no conversation is found in rows.jsonl, whose columns are messages ("
    )
    assert line.endswith(f" - {step}")


@pytest.mark.parametrize(
    ("columns", "way"),
    [
        (texts("prompt", "chosen", "rejected"), "{prompt: prompt, completion: chosen}"),
        (texts("question", "chosen", "rejected"), "{prompt: question, completion: chosen}"),
        ({"prompt": TEXT, "chosen": messages(), "rejected": messages()}, "{messages: chosen}"),
    ],
)
def test_pairs_of_answers_are_no_conversations(columns: dict[str, pa.DataType], way: str) -> None:
    (line,) = refused("detect", columns)
    assert "rows.jsonl has pairs of answers, 'chosen' and 'rejected', for training on preferences" in line
    assert line.endswith(f" - to train on the chosen ones alone, write conversation: {way}")


def test_columns_are_told_with_what_they_hold() -> None:
    (line,) = refused(
        "detect", {"id": pa.int64(), "m": pa.list_(pa.struct([("role", TEXT), ("parts", pa.list_(TEXT))]))}
    )
    assert "id (int64), m (list of {role: text, parts: list of text})" in line


@pytest.mark.parametrize(
    ("columns", "ways"),
    [
        ({"messages": messages(), "chat": messages()}, "{messages: messages} or {messages: chat}"),
        ({"one": messages(), "other": messages()}, "{messages: one} or {messages: other}"),
        (
            {"messages": messages(), **texts("prompt", "response")},
            "{messages: messages} or {prompt: prompt, completion: response}",
        ),
        (
            texts("instruction", "input", "context", "output"),
            "{instruction: instruction, input: input, output: output} or "
            "{instruction: instruction, input: context, output: output}",
        ),
        (
            {"messages": messages(), **texts("system", "system_prompt")},
            "{messages: messages, system: system} or {messages: messages, system: system_prompt}",
        ),
        (
            {"messages": pa.list_(pa.struct(texts("role", "content", "from", "value")))},
            "{messages: messages} or {messages: messages, content: value, role: from}",
        ),
    ],
)
def test_where_more_than_one_is_found_one_has_to_be_written(columns: dict[str, pa.DataType], ways: str) -> None:
    (line,) = refused("detect", columns)
    first = ways.split(" or ")[0]
    assert line == (
        f"t.yaml:3: conversation: more than one thing in rows.jsonl may be the conversation: {ways}"
        f" - write the one that you mean, e.g. conversation: {first}"
    )


# ---- what is written is checked

SHARED = {
    "turns": messages("from", "value", weight=TEXT),
    "note": TEXT,
    "pairs": pa.list_(pa.list_(TEXT)),
    "n": pa.int64(),
}


def test_what_is_written_goes_before_what_could_be_found() -> None:
    at = MessageColumn(messages="b")
    assert resolved(at, pa.schema({"a": messages(), "b": messages()}), Where(Origin("t")), "rows") == at


@pytest.mark.parametrize(
    ("conversation", "lines"),
    [
        (
            {"messages": "turn", "system": "notes"},
            [
                "t.yaml:3: conversation.messages: no column 'turn' in rows.jsonl - did you mean 'turns'?",
                "t.yaml:3: conversation.system: no column 'notes' in rows.jsonl - did you mean 'note'?",
            ],
        ),
        (
            {"messages": "turns", "role": "form", "content": "text", "train": "weight"},
            [
                "t.yaml:4: conversation.role: no key 'form' in the turns of 'turns' - did you mean 'from'?",
                "t.yaml:3: conversation.content: no key 'text' in the turns of 'turns' - there are from, value, weight",
                "t.yaml:3: conversation.train: 'weight' in the turns of 'turns' holds text"
                " - a flag is true or false, 1 or 0",
            ],
        ),
        (
            {"messages": "note"},
            [
                "t.yaml:3: conversation.messages: the column 'note' holds text, not lists of turns"
                " - name a column with turns"
            ],
        ),
        (
            {"messages": "turns", "role": "from", "content": "value", "system": "n"},
            ["t.yaml:3: conversation.system: the column 'n' holds int64, not text - name a column with text"],
        ),
        (
            {"instruction": "note", "output": "pairs", "history": "turns"},
            [
                "t.yaml:3: conversation.history: the column 'turns' holds list of"
                " {from: text, value: text, weight: text}, where the history is a list of pairs of texts"
                " - name another column, or leave it out",
                "t.yaml:3: conversation.output: the column 'pairs' holds list of list of text, not text"
                " - name a column with text",
            ],
        ),
        (
            {"prompt": "turns", "completion": "note", "role": "from", "content": "value", "history": "pairs"},
            [
                "t.yaml:3: conversation.completion: the column 'note' holds text, not lists of turns"
                " - name a column with turns",
                "t.yaml:3: conversation.history: stands beside lists of turns"
                " - leave it out: the earlier turns belong to the prompt",
            ],
        ),
    ],
)
def test_a_wrong_column_or_key_is_told_with_its_line(conversation: dict[str, str], lines: list[str]) -> None:
    assert refused(conversation, SHARED) == lines


@pytest.mark.parametrize("kind", [pa.null(), pa.list_(pa.null()), pa.list_(pa.list_(pa.null()))])
def test_a_history_that_is_always_empty_is_one(kind: pa.DataType) -> None:
    at = InstructionColumns(instruction="q", output="a", history="h")
    assert resolved(at, pa.schema({**texts("q", "a"), "h": kind}), Where(Origin("t")), "rows") == at


def test_answers_that_are_judged_are_not_taken_for_good_ones() -> None:
    schema = pa.schema({"prompt": pa.string(), "completion": pa.string(), "label": pa.bool_()})
    assert candidates(schema) == []
    with pytest.raises(SourceError, match=r"judged good or bad in 'label', .* - drop the bad ones \(drop: "):
        resolved("detect", schema, Where(Origin("talk.yaml")), "rows.jsonl")
