"""Files of Natural Instructions as rows: what is shared is there once, none is its own example, faults are named."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import SourceError
from flanmix.sources import Rows, instructions, open_source
from flanmix.sources.instructions import read_head, value_of_key
from flanmix.spec import FileSource
from tests.instructions import COUNTING, instances, task, write


def opened(folder: Path, **tasks: Any) -> Rows:
    return open_source(FileSource(files="*.json", format="natural_instructions"), "train", write(folder, tasks))


def rows_of(folder: Path, **tasks: Any) -> list[dict[str, Any]]:
    return [row for batch in opened(folder, **tasks).batches() for row in batch.to_pylist()]


def refused(folder: Path, text: str) -> str:
    (folder / "a.json").write_text(text)
    with pytest.raises(SourceError) as caught:
        rows_of(folder)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_row_has_the_definition_and_the_examples_of_its_task(tmp_path: Path) -> None:
    first = rows_of(tmp_path, a=COUNTING)[0]
    assert first == {
        "id": "garden-1",
        "input": "A fork, a hoe and a hose.",
        "output": "3",
        "outputs": ["3", "three"],
        "definition": "Count the tools that the note names, and answer with a number.",
        "positive_examples": [
            {"input": "A spade and a rake.", "output": "2", "explanation": "Both are tools."},
            {"input": "One hoe\nby the gate.", "output": "1", "explanation": ""},
        ],
        "negative_examples": [{"input": "A rose.", "output": "1", "explanation": "A rose is no tool."}],
        "fault": "",
    }


def test_a_row_is_not_among_its_own_examples_whatever_the_white_space(tmp_path: Path) -> None:
    rows = {row["id"]: row for row in rows_of(tmp_path, a=COUNTING)}
    shown = {name: [each["output"] for each in row["positive_examples"]] for name, row in rows.items()}
    assert shown == {"garden-1": ["2", "1"], "garden-2": ["1"], "garden-3": ["2"], "garden-4": ["2", "1"]}
    assert [name for name, row in rows.items() if not row["negative_examples"]] == ["garden-4"]


TEXTS = st.lists(st.sampled_from(["a", "b", " ", "\n"]), min_size=1, max_size=4).map("".join).filter(str.strip)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4), st.lists(TEXTS, min_size=1, max_size=8))
def test_no_row_is_among_its_own_examples(tmp_path_factory, right, wrong, inputs) -> None:
    made = task(
        Positive_Examples=[{"input": text, "output": "p"} for text in right],
        Negative_Examples=[{"input": text, "output": "n"} for text in wrong],
        Instances=instances(*((text, "o") for text in inputs)),
    )
    for row in rows_of(tmp_path_factory.mktemp("json"), a=made):
        for given_, key in ((right, "positive_examples"), (wrong, "negative_examples")):
            others = [text.strip() for text in given_ if text.split() != row["input"].split()]
            assert [each["input"] for each in row[key]] == others


def test_what_rows_share_is_in_memory_once(tmp_path: Path) -> None:
    many = task(Definition=["Read this. " * 500], Instances=instances(*((f"x {n}", "y") for n in range(20_000))))
    batches = list(opened(tmp_path, a=many, b=COUNTING).batches())
    table = pa.Table.from_batches(batches)
    assert {len(chunk.dictionary) for chunk in table["definition"].chunks} == {2}
    shared = table.select(["definition", "positive_examples", "negative_examples"]).combine_chunks()
    assert sum(column.chunk(0).indices.nbytes for column in shared.columns) == 3 * 4 * len(table)


def test_several_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    other = task(Definition="Say yes.", Positive_Examples=[], Negative_Examples=[], Instances=instances(("x", "yes")))
    rows = rows_of(tmp_path, a=COUNTING, b=other)
    assert [row["definition"][:5] for row in rows] == ["Count"] * 4 + ["Say y"]
    assert rows[-1]["positive_examples"] == []


def test_batches_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "_BATCH_ROWS", 3)
    assert [row["id"] for row in rows_of(tmp_path, a=COUNTING)] == [f"garden-{n}" for n in range(1, 5)]


# ---- faults


@pytest.mark.parametrize(
    ("text", "output", "fault"),
    [
        ("x", ["y"], ""),
        ("x", "y", ""),
        (None, ["y"], "no input"),
        (3, ["y"], "no input"),
        (" \n", ["y"], "empty input"),
        ("x", [], "no output"),
        ("x", None, "no output"),
        ("x", [7], "an output that is no text"),
        ("x", [""], "empty output"),
        ("x", ["y", " "], "an empty one among the outputs"),
        ("cafÃ©", ["y"], "mojibake"),
        ("x", ["y", "itâ€™s"], "mojibake"),
        ("a\r\nb", ["y"], "CRLF"),
        ("x", ["a\r\nb"], "CRLF"),
        ("x \ud83d", ["y"], "half a character"),
    ],
)
def test_a_row_says_what_is_wrong_with_it(tmp_path: Path, text: Any, output: Any, fault: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(task(Instances=instances((text, output), ("sound", "row")))))
    assert [row["fault"] for row in rows_of(tmp_path)] == [fault, ""]


def test_the_second_row_of_an_id_is_the_duplicate_and_rows_without_ids_are_none(tmp_path: Path) -> None:
    twice = [*instances(("x", "y"), ("z", "y")), *instances(("w", "y")), {"input": "u", "output": "v"}]
    rows = rows_of(tmp_path, a=task(Instances=[*twice, {"input": "t", "output": "v"}]))
    assert [(row["id"], row["fault"]) for row in rows] == [
        ("i0", ""),
        ("i1", ""),
        ("i0", "duplicate id"),
        (None, ""),
        (None, ""),
    ]


def test_the_target_is_the_first_output_and_blank_ones_are_not_among_them(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, a=task(Instances=instances(("x", ["", " b ", "c"]))))
    assert (row["output"], row["outputs"]) == ("b", ["b", "c"])


def test_no_row_of_a_spoilt_definition_is_sound(tmp_path: Path) -> None:
    assert {row["fault"] for row in rows_of(tmp_path, a=task(Definition=["RÃ©sumÃ©"]))} == {
        "mojibake in the definition"
    }
    assert {row["fault"] for row in rows_of(tmp_path, a=task(Definition=[" "]))} == {"nothing in the definition"}


def test_spoilt_examples_are_left_out_and_told_and_those_that_stand_for_none_are_not(tmp_path: Path) -> None:
    wrong = [{"input": "-", "output": "-", "explanation": "-"}, {"input": "a\r\nb", "output": "c"}]
    head = read_head(write(tmp_path, {"a": task(Negative_Examples=wrong)}) / "a.json")
    assert (head.negative, head.left_out) == ((), ("Negative Examples[1]: CRLF",))


# ---- files that cannot be meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "a.json:1: there is no key 'Definition'"),
        ('{"Definition": ["a"], "Positive Examples": []}', "a.json:1: there is no key 'Instances'"),
        ('{"Definition": [1], "Positive Examples": []}', "'Definition' should be a text, or a list of one"),
        ('{"Definition": ["a"],\n"Positive Examples": ["b"]}', "'Positive Examples' should be a list of objects"),
        ('{"Definition": "a",\n"Definition": "b"}', "a.json:2: the key 'Definition' stands here twice"),
        ('{"Definition": "a", "Positive Examples": [],\n"Instances": [\n"b"]}', "an instance should be an object"),
        ('{"Definition": "a", "Positive Examples": [], "Instances": [{}', "cannot be read: expecting ',' delimiter"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_keys_may_stand_in_any_order(tmp_path: Path) -> None:
    backwards = dict(reversed(COUNTING.items()))
    assert rows_of(tmp_path, a=backwards) == rows_of(tmp_path, a=COUNTING)


@pytest.mark.parametrize("order", [1, -1])
def test_a_key_is_found_at_the_end_and_anywhere(tmp_path: Path, order: int) -> None:
    sly = task(Instances=instances(('], "Instance License": ["none"] }', "x")))
    file = write(tmp_path, {"a": dict(list(sly.items())[::order])}) / "a.json"
    assert value_of_key(file, "Instance License") == ["CC BY 4.0"]
    assert value_of_key(file, "Nothing") is None


# ---- files of lines


def test_a_file_of_lines_has_a_row_for_each_task(tmp_path: Path) -> None:
    lines = [
        {"task": "t1", "definition": "Add.", "positive_examples": {"input": "1 1", "output": "2", "explanation": "e"}},
        {
            "task": "t2",
            "definition": "cafÃ©",
            "positive_examples": [{"input": "x", "output": "y"}],
            "number_examples": 3,
        },
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    source = FileSource(files="a.jsonl", format="natural_instructions")
    rows = [row for batch in open_source(source, "train", tmp_path).batches() for row in batch.to_pylist()]
    assert [(row["id"], row["definition"], row["input"], row["output"], row["fault"]) for row in rows] == [
        ("t1", "Add.", "1 1", "2", ""),
        ("t2", "", "x", "y", "mojibake in the definition"),
    ]
    assert [row["positive_examples"] for row in rows] == [[], []]


@pytest.mark.parametrize("line", ["[]", '{"task": "a"}', '{"task": "a", "definition": "b", "positive_examples": []}'])
def test_a_line_that_is_no_task_is_told(tmp_path: Path, line: str) -> None:
    good = '{"task": "a", "definition": "b", "positive_examples": {"input": "x", "output": "y"}}'
    (tmp_path / "a.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(SourceError, match=r"a\.jsonl:2: "):
        open_source(FileSource(files="a.jsonl", format="natural_instructions"), "train", tmp_path)
