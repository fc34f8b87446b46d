"""What rows say of where they are from: complete, small, and enough to make each of them again."""

import itertools
from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.bound import BoundTask
from flanmix.errors import UsageError
from flanmix.examples import Slice
from flanmix.fields import FieldMaker
from flanmix.finishing import Finished, finish
from flanmix.layouts import METADATA, NAME
from flanmix.render.environment import compile_template
from flanmix.shards import _Tally, _Writer
from flanmix.sources import open_source
from flanmix.spec import Stage
from tests.test_shards import job_of, table_in
from tests.toy import NOTES, PLAIN, RARE, SUMS, toy_plan
from tests.toy_tokens import plain

STARTER = fm.load_registry()


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> fm.Built:
    plan = STARTER.mixture("starter").plan(STARTER, rows=600)
    return plan.build(tmp_path_factory.mktemp("starter") / "out", quiet=True, shard_rows=256)


def table_of(built: fm.Built) -> pa.Table:
    return pq.read_table(built.folder / "data")


# ---- the columns


def test_words_are_dictionaries_and_nothing_is_null(starter: fm.Built) -> None:
    table = table_of(starter)
    words = {field.name for field in METADATA if field.type == NAME}
    assert words == {"fm_task", "fm_type", "fm_source", "fm_split", "fm_template", "fm_style", "fm_stage"}
    assert table.select(METADATA.names).schema == METADATA
    assert not any(column.null_count for column in table.columns)


def test_each_word_is_kept_once_in_a_group_of_rows() -> None:
    plan = toy_plan(rows=300)
    found = plan._examples.slice(0, 300).table
    for field in METADATA:
        if field.type == NAME:
            for chunk in found.column(field.name).chunks:
                assert len(set(chunk.dictionary.to_pylist())) == len(chunk.dictionary) <= 3


def test_a_row_has_its_tasks_source_and_split_and_the_style_of_its_wording(tmp_path: Path) -> None:
    rows = "".join(f'{{"question": "{n}?", "answer": "{n}"}}\n' for n in range(9))
    (tmp_path / "rows.jsonl").write_text(rows)
    (tmp_path / "held.jsonl").write_text(rows)
    turned = fm.Template("turned", tags=["inverted"], input="{{ answer }}", target="{{ question }}")
    files = {"train": str(tmp_path / "rows.jsonl"), "test": str(tmp_path / "held.jsonl")}
    task = fm.Task("toy/files", type="arithmetic", source={"files": files}, templates=[PLAIN, turned])
    catalogue = fm.load_registry(specs=[task, RARE], bundled=False, plugins=False)
    plan = fm.Mixture("toy", parts=[fm.Part("toy/files")], styles={"inverted": 0.5}).plan(
        catalogue, rows=18, split="test"
    )
    found = table_of(plan.build(tmp_path / "out", quiet=True)).to_pylist()
    assert {(row["fm_source"], row["fm_split"]) for row in found} == {(files["test"], "test")}
    assert Counter((row["fm_template"], row["fm_style"]) for row in found) == {
        ("plain", "plain"): 9,
        ("turned", "inverted"): 9,
    }
    assert {(row["fm_stage"], *row["fm_shots"]) for row in found} == {("",)}


def test_rows_of_stages_say_which(tmp_path: Path) -> None:
    stages = [Stage("broad", parts=[fm.Part("toy/*")], rows=20), Stage("narrow", parts=[fm.Part("toy/rare")], rows=5)]
    catalogue = fm.load_registry(specs=[SUMS, RARE], bundled=False, plugins=False)
    plan = fm.Mixture("toy", stages=stages).plan(catalogue)
    assert [example.stage for example in plan] == ["broad"] * 20 + ["narrow"] * 5
    built = plan.build(tmp_path / "out", quiet=True)
    for stage in ("broad", "narrow"):
        assert set(pq.read_table(built.folder / stage / "data")["fm_stage"].to_pylist()) == {stage}


def test_packs_have_a_list_for_each_piece_and_lists_of_lists_of_exemplars(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(plain("bpe").to_str(), encoding="utf-8")
    options = {"tokenizer": str(tmp_path), "eos": "<pad>", "bos": "<s>", "max_length": 64}
    built = toy_plan(SUMS, RARE, rows=60).build(tmp_path / "out", layout="packed", quiet=True, **options)
    table = table_of(built)
    assert table.schema.field("fm_shots").type == pa.list_(pa.field("element", METADATA.field("fm_shots").type))
    for row in table.to_pylist():
        assert {len(row[name]) for name in METADATA.names} == {len(row["seq_lengths"])}
        assert row["fm_shots"] == [[] for _ in row["seq_lengths"]]


def test_plans_that_differ_in_what_rows_say_have_other_digests(tmp_path: Path) -> None:
    digests = set()
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"question": "1 + 1?", "answer": "2"}\n')
        task = fm.Task("toy/sums", type="arithmetic", source={"files": str(tmp_path / name)}, templates=[PLAIN])
        digests.add(toy_plan(task, rows=1).digest)
    assert len(digests) == 2


def test_exemplars_are_kept_in_every_layout_and_form_and_in_the_digests(tmp_path: Path) -> None:
    """Rows of several, one and no exemplars, with numbers beyond one byte."""
    plan = toy_plan(SUMS, rows=40)
    rows = plan._examples.slice(0, 40)
    shots = [[*range(500, 500 - number % 4, -1)] for number in range(40)]
    place = rows.table.schema.get_field_index("fm_shots")
    field = METADATA.field("fm_shots")
    told = Slice(rows.table.set_column(place, field, pa.array(shots, field.type)), {})
    digests = set()
    for layout, form in itertools.product(("prompt_completion", "messages", "text"), ("parquet", "arrow")):
        job = job_of(plan, layout=layout, format=form)
        finished = finish(told, job.output)
        with _Writer(tmp_path / f"{layout}.{form}", job) as writer:
            writer.write_groups(finished.tables)
        assert table_in(tmp_path / f"{layout}.{form}")["fm_shots"].to_pylist() == shots
        digests |= {_facts(finished), _facts(finish(rows, job.output))}
    assert len(digests) == 2


def _facts(finished: Finished) -> str:
    tally = _Tally()
    tally.add(finished)
    return str(tally.facts()["rows_xxh3"])


# ---- joining


def test_rows_join_with_catalogue_and_sources_and_are_rendered_again_to_the_same_bytes(starter: fm.Built) -> None:
    """With nothing but the Parquet files and the catalogue: no plan, no manifest, no table of ours."""
    table = table_of(starter)
    assert len(set(table["fm_task"].to_pylist())) > 20
    for name, of_task in itertools.groupby(sorted(table.to_pylist(), key=itemgetter("fm_task")), itemgetter("fm_task")):
        task = STARTER[name]
        for split, of_split in itertools.groupby(of_task, itemgetter("fm_split")):
            fields = Fields(task, split)
            for row in of_split:
                template = task.template(row["fm_template"])
                assert (task.task.type, template.style) == (row["fm_type"], row["fm_style"])
                pair = (template.template.input, template.template.target)
                texts = [compile_template(text).render(fields.of(row["fm_row"])) for text in pair]
                assert [f"{texts[0]}\n", texts[1]] == [row["prompt"], row["completion"]]


class Fields:
    """The fields of a source's rows, each made by itself of the row with that number."""

    def __init__(self, task: BoundTask, split: str) -> None:
        opened = open_source(task.task.source, split, task.folder)
        self.table = pa.Table.from_batches(opened.batches(), opened.schema)
        self.maker = FieldMaker(task, opened.schema, opened.shown)

    def of(self, number: int) -> dict[str, Any]:
        (batch,) = self.table.slice(number, 1).combine_chunks().to_batches()
        (fields,) = self.maker.usable(batch, number).to_pylist()
        assert fields["fm_row"] == number
        return fields


def test_every_row_is_the_one_that_its_provenance_finds_in_its_plan() -> None:
    plan = toy_plan(rows=300)
    known = {SUMS.name: SUMS, NOTES.name: NOTES, RARE.name: RARE}
    for example in plan:
        source = known[example.task].source.table[example.row]
        template = next(item for item in known[example.task].templates.add if item.name == example.template)
        if example.dropped is None:
            texts = [compile_template(text).render(source) for text in (template.input, template.target)]
            assert texts == [example.input, example.target]


def test_a_template_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="geography/capitals has no template 'closed_book_qa/asx' - did you mean"):
        STARTER["geography/capitals"].template("closed_book_qa/asx")
