"""Prepared files: a pure function of source and task, kept for the next run, whole or not there at all."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flanmix.bound import BoundTask
from flanmix.chat.conversations import HISTORY
from flanmix.errors import FlanmixError, SourceError, TemplateError
from flanmix.mapped import Mapped
from flanmix.planner import resolved
from flanmix.prepare import Prepared, _prepare, cache_folder, prepare
from flanmix.registry import Registry, load_registry
from flanmix.sources import open_source
from flanmix.sources.rows import MAX_BATCH_ROWS
from flanmix.spec import GeneratorSource, Task, Template

ASK = Template("ask", input="{{ q }}", target="{{ a }}")
ROWS = [{"q": "1 + 1?", "a": "2"}, {"q": None, "a": "3"}, {"q": "2 + 2?", "a": "4"}]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prepared"


def task_of(source: Any = ROWS, template: Template = ASK, **values: Any) -> BoundTask:
    task = Task("toy/sum", **{"type": "arithmetic", "source": source, "templates": [template], **values})
    return Registry().with_specs(task)["toy/sum"]


def rows(prepared: Prepared) -> list[dict[str, Any]]:
    return Mapped(prepared.file).table.to_pylist()


# ---- what is prepared


def test_a_prepared_file_holds_the_fields_and_where_they_are_from() -> None:
    prepared = prepare(task_of())
    assert rows(prepared) == [
        {"a": "2", "q": "1 + 1?", "fm_row": 0, "fm_guard": 0},
        {"a": "4", "q": "2 + 2?", "fm_row": 2, "fm_guard": 0},
    ]
    assert (prepared.source_rows, prepared.usable, dict(prepared.dropped)) == (3, 2, {"no value for 'q'": 1})
    assert prepared.guards == ((0,),)


def test_rows_are_counted_over_all_batches() -> None:
    count = 2 * MAX_BATCH_ROWS + 10
    source = pa.table({"q": ["x"] * count, "a": range(count)})
    hard = Template("hard", input="{{ q }}", target="{{ a }}", when=f"{{{{ a > {MAX_BATCH_ROWS + 5} }}}}")
    prepared = prepare(task_of(source, hard, drop=f"{{{{ a >= {count - 3} }}}}"))
    assert prepared.source_rows == count
    assert dict(prepared.dropped) == {"drop rule": 3, "no template applies": MAX_BATCH_ROWS + 6}
    assert prepared.usable == count - 3 - (MAX_BATCH_ROWS + 6)
    numbers = Mapped(prepared.file).table.column("fm_row").to_pylist()
    assert numbers == list(range(MAX_BATCH_ROWS + 6, count - 3))


def test_a_field_that_turns_wider_far_down_is_wide_from_the_start() -> None:
    count = MAX_BATCH_ROWS + 10
    source = pa.table({"q": ["x"] * (count - 1) + [None], "n": range(count)})
    fields = {"q": "q", "a": f"{{{{ n if n < {count - 3} else n + 0.5 }}}}"}
    prepared = prepare(task_of(source, fields=fields))
    table = Mapped(prepared.file).table
    assert table.schema.field("a").type == pa.float64()
    assert table.column("a").to_pylist()[:2] == [0.0, 1.0]
    assert (prepared.usable, dict(prepared.dropped)) == (count - 1, {"no value for 'q'": 1})


def test_a_field_of_two_types_is_refused_with_its_place() -> None:
    source = pa.table({"q": ["x"] * 2 * MAX_BATCH_ROWS, "n": range(2 * MAX_BATCH_ROWS)})
    fields = {"q": "q", "a": f"{{{{ n if n < {MAX_BATCH_ROWS} else 'many' }}}}"}
    with pytest.raises(SourceError, match=r"fields\.a: is int64 in some rows and large_string in others"):
        prepare(task_of(source, fields=fields))


def test_a_list_that_is_empty_in_the_first_batch_has_a_type_in_the_end() -> None:
    source = pa.table({"n": range(MAX_BATCH_ROWS + 1)})
    fields = {"q": f"{{{{ ['x'] if n == {MAX_BATCH_ROWS} else [] }}}}", "a": "n"}
    prepared = prepare(task_of(source, fields=fields))
    assert Mapped(prepared.file).table.schema.field("q").type == pa.list_(pa.large_string())


def test_guards_are_the_sets_of_templates_that_serve_a_row() -> None:
    easy = Template("easy", input="{{ n }}", target="x", when="{{ n < 3 }}")
    even = Template("even", input="{{ n }}", target="x", when="{{ n % 2 == 0 }}")
    prepared = prepare(task_of([{"n": n} for n in range(1, 5)], templates=[easy, even]))
    assert prepared.guards == ((0,), (0, 1), (1,))
    assert [(row["n"], row["fm_guard"]) for row in rows(prepared)] == [(1, 0), (2, 1), (4, 2)]


# ---- the cache


def test_the_cache_is_below_the_folder_asked_for_or_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLANMIX_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("FLANMIX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/flanmix")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/flanmix")


def test_what_is_prepared_is_found_again_and_not_written_again() -> None:
    first = prepare(task_of())
    before = first.file.stat().st_ino
    second = prepare(task_of())
    assert second == first
    assert second.file.stat().st_ino == before  # a file written anew is another one under the same name


@pytest.mark.parametrize(
    "other",
    [
        {"source": [{"q": "1 + 1?", "a": "5"}]},
        {"fields": {"q": "q", "a": "a"}},
        {"drop": "{{ a == '9' }}"},
        {"template": Template("ask", input="{{ q }}", target="yes")},
        {"template": Template("ask", input="{{ q }}", target="{{ a }}", when="{{ true }}")},
    ],
)
def test_what_changes_the_rows_has_a_file_of_its_own(other: dict[str, Any]) -> None:
    assert prepare(task_of(**other)).digest != prepare(task_of()).digest


def test_another_wording_of_the_same_fields_uses_the_same_file() -> None:
    other = Template("say", input="Say: {{ a | upper }}", target="{{ q }}")
    assert prepare(task_of(template=other)).file == prepare(task_of()).file


def test_a_file_counts_by_its_content_and_not_by_its_time(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    source = {"files": str(file)}
    file.write_text("q,a\n1,2\n")
    first = prepare(task_of(source))
    os.utime(file, (1, 1))
    assert prepare(task_of(source)) == first
    file.write_text("q,a\n1,3\n")
    os.utime(file, (1, 1))
    assert rows(prepare(task_of(source)))[0]["a"] == "3"


def test_the_same_rows_give_the_same_bytes_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(task_of())
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "other"))
    second = prepare(task_of())
    assert first.file != second.file
    assert first.file.name == second.file.name
    assert first.file.read_bytes() == second.file.read_bytes()


def test_rows_of_an_unknown_generator_are_known_by_what_they_are() -> None:
    def one(draw: Any) -> dict[str, str]:
        return {"q": f"{draw.row}?", "a": "x"}

    def two(draw: Any) -> dict[str, str]:
        return {"q": f"{draw.row}!", "a": "x"}

    first, again, other = (prepare(task_of(GeneratorSource(generator=make, rows=3))) for make in (one, one, two))
    assert first == again
    assert first.digest != other.digest


@pytest.mark.parametrize("suffix", [".arrow", ".json"])
def test_a_file_that_is_gone_is_prepared_anew(suffix: str) -> None:
    first = prepare(task_of())
    first.file.with_suffix(suffix).unlink()
    assert prepare(task_of()) == first
    assert len(rows(first)) == 2


def test_a_cut_file_is_prepared_anew() -> None:
    first = prepare(task_of())
    whole = first.file.read_bytes()
    first.file.write_bytes(whole[: len(whole) // 2])
    assert prepare(task_of()) == first
    assert first.file.read_bytes() == whole


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"usable": 1}'])
def test_facts_that_are_not_as_written_are_written_anew(text: str) -> None:
    first = prepare(task_of())
    facts = first.file.with_suffix(".json")
    good = facts.read_text()
    facts.write_text(text)
    assert prepare(task_of()) == first
    assert facts.read_text() == good


def test_nothing_is_left_but_whole_files(folder: Path) -> None:
    prepared = prepare(task_of())
    assert sorted(file.name for file in folder.iterdir()) == [f"{prepared.digest}.arrow", f"{prepared.digest}.json"]


def test_an_error_leaves_nothing(folder: Path) -> None:
    with pytest.raises(SourceError):
        prepare(task_of([{"q": "x", "n": 0}], fields={"q": "q", "a": "{{ 1 // n }}"}))
    assert not folder.exists() or list(folder.iterdir()) == []


KILLED = """
import os, signal
from flanmix.prepare import prepare
from flanmix.registry import Registry
from flanmix.sources import open_source
from flanmix.sources.rows import MAX_BATCH_ROWS
from flanmix.spec import GeneratorSource, Task, Template

def rows(draw):
    if draw.row == MAX_BATCH_ROWS + 10_000:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"q": "x", "a": "y"}

source = GeneratorSource(generator=rows, rows=2 * MAX_BATCH_ROWS)
task = Task("toy", type="nli", source=source, templates=[Template("t", input="{{ q }}", target="{{ a }}")])
prepare(Registry().with_specs(task)["toy"])
"""


def test_a_killed_run_leaves_nothing_that_is_taken_for_whole(folder: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True)
    assert run.returncode == -signal.SIGKILL, run.stderr
    (leftover,) = folder.iterdir()  # it was killed in the middle of writing
    assert leftover.name.startswith(".")

    def make(draw: Any) -> dict[str, str]:
        return {"q": "x", "a": "y"}

    prepared = prepare(task_of(GeneratorSource(generator=make, rows=2 * MAX_BATCH_ROWS)))
    assert prepared.usable == len(Mapped(prepared.file).table) == 2 * MAX_BATCH_ROWS


def test_many_at_once_give_one_whole_file(folder: Path) -> None:
    source = pa.table({"q": ["x"] * 20_000, "a": ["y"] * 20_000})
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: prepare(task_of(source)), range(8)))
    assert all(prepared == made[0] for prepared in made)
    assert len(list(folder.iterdir())) == 2
    assert len(Mapped(made[0].file).table) == 20_000


def test_a_mapped_file_can_be_read_after_its_pages_are_given_back() -> None:
    mapped = Mapped(prepare(task_of()).file)
    before = mapped.table.to_pylist()
    mapped.release()
    assert mapped.table.to_pylist() == before


# ---- Arrow files that need no copy


def arrow_of(file: Path, table: pa.Table, rows_of_batch: int = 1000, **options: Any) -> dict[str, str]:
    """A source: an Arrow file."""
    with pa.ipc.new_file(str(file), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, rows_of_batch)
    return {"files": str(file)}


PLAIN = pa.table({"q": ["1 + 1?", "2 + 2?"], "a": ["2", "4"], "other": [None, "x"]})


def test_an_arrow_file_of_usable_rows_is_read_where_it_lies(tmp_path: Path, folder: Path) -> None:
    prepared = prepare(task_of(arrow_of(tmp_path / "rows.arrow", PLAIN)))
    assert prepared.file == tmp_path / "rows.arrow"
    assert Mapped(prepared.rows).table.to_pylist() == [
        {"a": "2", "q": "1 + 1?", "fm_row": 0, "fm_guard": 0},
        {"a": "4", "q": "2 + 2?", "fm_row": 1, "fm_guard": 0},
    ]
    assert (prepared.source_rows, prepared.usable, prepared.dropped, prepared.guards) == (2, 2, {}, ((0,),))
    assert [file.suffix for file in folder.iterdir()] == [".json"]
    assert prepare(task_of({"files": str(tmp_path / "rows.arrow")})) == prepared


def test_its_columns_may_have_other_names_than_the_fields(tmp_path: Path) -> None:
    fields = {"q": "other", "a": "q"}
    source = arrow_of(tmp_path / "rows.arrow", PLAIN.slice(1))
    prepared = prepare(task_of(source, fields=fields))
    assert prepared.original is not None
    assert Mapped(prepared.rows).table.to_pylist() == [{"a": "2 + 2?", "q": "x", "fm_row": 0, "fm_guard": 0}]


@pytest.mark.parametrize("name", ["rows.arrow", "elsewhere.arrow"])
def test_the_same_content_is_known_again_wherever_it_lies(name: str, tmp_path: Path) -> None:
    first = prepare(task_of(arrow_of(tmp_path / "rows.arrow", PLAIN)))
    again = prepare(task_of(arrow_of(tmp_path / name, PLAIN)))
    assert again.digest == first.digest
    assert again.file == tmp_path / name
    assert len(Mapped(again.rows).table) == 2


NEEDS_A_COPY: dict[str, dict[str, Any]] = {
    "a null": {"table": pa.table({"q": ["x", None], "a": ["1", "2"]})},
    "a null in a field that no template uses": {"fields": {"q": "q", "a": "a", "more": "other"}},
    "a type that prints otherwise": {"table": PLAIN.set_column(0, "q", PLAIN.column("q").dictionary_encode())},
    "compression": {"compression": "zstd"},
    "a computed field": {"fields": {"q": "{{ a }}?", "a": "a"}},
    "a constant field": {"fields": {"q": "q", "a": ["x"]}},
    "a part of a column": {"table": pa.table({"q": ["x"], "s": [{"a": "1"}]}), "fields": {"q": "q", "a": "s.a"}},
    "a drop rule": {"drop": "{{ a == '4' }}"},
    "a guard": {"template": Template("ask", input="{{ q }}", target="{{ a }}", when="{{ a == '4' }}")},
    "many small batches": {"table": pa.concat_tables([PLAIN.select(["q", "a"])] * 40), "rows_of_batch": 1},
}


@pytest.mark.parametrize("why", NEEDS_A_COPY)
def test_any_other_file_is_copied_and_gives_the_rows_that_parquet_would(why: str, tmp_path: Path) -> None:
    values = dict(NEEDS_A_COPY[why])
    table = values.pop("table", PLAIN)
    writing = {name: values.pop(name) for name in ("compression", "rows_of_batch") if name in values}
    prepared = prepare(task_of(arrow_of(tmp_path / "rows.arrow", table, **writing), **values))
    assert prepared.original is None
    pq.write_table(table, tmp_path / "rows.parquet")
    assert rows(prepared) == rows(prepare(task_of({"files": str(tmp_path / "rows.parquet")}, **values)))


def test_text_that_is_not_utf8_is_refused_in_a_file_that_needs_no_copy_too(tmp_path: Path) -> None:
    bad = pa.array([b"\xff", b"x"], pa.binary()).view(pa.string())
    source = arrow_of(tmp_path / "rows.arrow", pa.table({"q": bad, "a": ["1", "2"]}))
    with pytest.raises(SourceError, match="holds broken data"):
        prepare(task_of(source))


def test_a_file_that_changes_while_it_is_prepared_is_refused(tmp_path: Path, folder: Path) -> None:
    """What was hashed and what was copied would not be the same rows."""
    source = arrow_of(tmp_path / "rows.arrow", PLAIN.append_column("n", pa.array([1, 2])))
    bound = task_of(source, fields={"q": "q", "a": "{{ a ~ n }}"})
    opened = open_source(bound.task.source)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from opened.batches()
        (tmp_path / "rows.arrow").write_bytes(b"other")

    with pytest.raises(SourceError, match="was changed after it was read"):
        _prepare(bound, replace(opened, batches=batches))
    assert list(folder.iterdir()) == []


# ---- errors


def test_a_source_without_usable_rows_says_why_each_was_left_out() -> None:
    source = [{"q": None, "a": "x"}, {"q": "y", "a": "z"}]
    with pytest.raises(SourceError) as caught:
        prepare(task_of(source, drop="{{ a == 'z' }}"))
    assert str(caught.value) == (
        "task toy/sum: source: rows in memory: has no usable rows"
        " - of 2 rows none is usable (drop rule: 1, no value for 'q': 1)"
    )


def test_a_source_without_rows_says_that_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("q,a\n")
    with pytest.raises(SourceError, match="has no usable rows - it is empty"):
        prepare(task_of({"files": str(tmp_path / "rows.csv")}))


YAML = """\
task: toy
type: arithmetic
source:
  files: rows.jsonl
fields:
  q: q
  a: "{{ 1 // n }}"
templates: [{name: ask, input: "{{ q }}", target: "{{ a }}"}]
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], BoundTask]:
    def write(yaml: str, rows: str) -> BoundTask:
        (tmp_path / "toy.yaml").write_text(yaml)
        (tmp_path / "rows.jsonl").write_text(rows)
        return load_registry(tmp_path, bundled=False, plugins=False)["toy"]

    return write


@pytest.mark.parametrize(
    ("yaml", "rows", "problem"),
    [
        (YAML, '{"q": "x", "n": 1}\n{"q": "x", "n": 0}\n', "toy.yaml:7: fields.a: row 1 of rows.jsonl: ZeroDivision"),
        (YAML, '{"q": "x", "n": 1}\n{"q"\n', "toy.yaml:3: source: rows.jsonl:2: cannot be read: JSON parse error"),
        (YAML, '{"qq": "x", "n": 1}\n', "toy.yaml:6: fields.q: no column 'q' in rows.jsonl - did you mean 'qq'?"),
        (YAML.replace("rows.jsonl", "rows.json"), "", "toy.yaml:3: source: rows.json: no file of that name below"),
        (YAML.replace("{{ q }}", "{{ q "), "", "toy.yaml:8: templates"),
    ],
)
def test_a_problem_of_the_data_is_told_with_the_line_of_the_task(
    written: Callable[[str, str], BoundTask], tmp_path: Path, yaml: str, rows: str, problem: str
) -> None:
    with pytest.raises(FlanmixError) as caught:
        prepare(written(yaml, rows))
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(problem)


def test_a_template_that_does_not_compile_is_an_error_of_ours() -> None:
    with pytest.raises(TemplateError):
        prepare(task_of(template=Template("ask", input="{{ q", target="{{ a }}")))


def test_a_split_that_is_not_there_is_refused() -> None:
    with pytest.raises(SourceError, match="rows in memory have no split 'test'"):
        prepare(task_of(), "test")


# ---- conversations

SAY = Template("say", input="{{ prompt }}", target="{{ response }}")
TALKS = [
    {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "topic": "t"},
    {"conversations": [{"from": "gpt", "value": "hello"}, {"from": "human", "value": "q"}], "topic": "t"},
    {"conversations": [{"from": "human", "value": "q"}] * 2 + [{"from": "gpt", "value": "a"}], "topic": "t"},
]


def test_prepared_conversations_say_what_was_left_out_and_what_was_repaired() -> None:
    prepared = prepare(task_of(TALKS, SAY, conversation="detect"))
    turns = {"response": "a", "system": "", "history": [], "fm_guard": 0}
    assert rows(prepared) == [{"prompt": "q", "fm_row": 0, **turns}, {"prompt": "q\n\nq", "fm_row": 2, **turns}]
    assert dict(prepared.dropped) == {"no turn of the user is answered": 1}
    assert dict(prepared.repaired) == {"neighbouring turns of one speaker joined": 1}
    assert prepared.carried == ("prompt", "response", "system", "history")
    assert prepare(task_of(TALKS, SAY, conversation="detect")) == prepared
    assert Mapped(prepared.file).table.schema.field("history").type == HISTORY


def test_a_conversation_that_is_found_is_prepared_as_one_that_is_written() -> None:
    written = {"messages": "conversations", "role": "from", "content": "value"}
    found = prepare(task_of(TALKS, SAY, conversation="detect"))
    assert prepare(task_of(TALKS, SAY, conversation=written)) == found
    named = prepare(task_of(TALKS, SAY, conversation={**written, "roles": {"gpt": "assistant"}}))
    assert named.digest != found.digest


def test_plain_tasks_are_prepared_as_before_there_were_conversations() -> None:
    """The cache of an earlier version serves them still."""
    prepared = prepare(task_of())
    assert prepared.digest == "7fc515c19117baf46b97299c84a28ce932b367be540229818057d392354f7c94"
    assert (prepared.repaired, prepared.carried) == ({}, ())


def test_conversations_of_many_batches_are_those_of_one() -> None:
    count = MAX_BATCH_ROWS + 5
    turns = [
        [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "a"}][: 1 + n % 2] for n in range(count)
    ]
    prepared = prepare(task_of(pa.table({"messages": turns}), SAY, conversation="detect"))
    table = Mapped(prepared.file).table
    assert table.column("fm_row").to_pylist() == list(range(1, count, 2))
    assert table.column("prompt").to_pylist() == [f"q{n}" for n in range(1, count, 2)]
    assert dict(prepared.dropped) == {"no turn of the assistant": count - count // 2}


def test_the_bundled_conversations_are_in_order() -> None:
    prepared = prepare(load_registry(plugins=False)["dialogue/short_talks"])
    assert (prepared.usable, dict(prepared.dropped), dict(prepared.repaired)) == (40, {}, {})
    table = Mapped(prepared.file).table
    assert 8 <= sum(map(bool, table.column("system").to_pylist())) <= 20
    assert {len(history) for history in table.column("history").to_pylist()} == {1, 2, 3}


def test_the_starter_mixture_does_not_take_conversations() -> None:
    registry = load_registry(plugins=False)
    assert not [name for name in resolved(registry.mixtures["starter"], registry).tasks if registry[name].conversation]
