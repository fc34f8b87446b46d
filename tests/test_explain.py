"""How a row came to be: found again from what the build holds, with what can be had beside it, and what cannot."""

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.errors import UsageError
from flanmix.preview.explained import Explained
from flanmix.preview.explaining import Known, Standing, explained
from flanmix.spec import Stage
from tests.toy import NOTES, RARE, SUMS, TEXT_LAYOUTS, toy_plan
from tests.toy_tokens import plain

CATALOGUE = fm.load_registry(specs=[SUMS, NOTES, RARE], bundled=False, plugins=False)


@pytest.fixture(scope="module")
def plan() -> fm.Plan:
    return toy_plan(styles={"options": 0.5})


@pytest.fixture(scope="module")
def built(plan: fm.Plan, tmp_path_factory: pytest.TempPathFactory) -> fm.Built:
    return plan.build(tmp_path_factory.mktemp("built") / "out", quiet=True, shard_rows=150)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_text(plain("bpe").to_str(), encoding="utf-8")
    return folder


def tokens_built(plan: fm.Plan, out: Path, tokenizer: Path, layout: str = "tokens", **options: Any) -> fm.Built:
    told = {"layout": layout, "tokenizer": str(tokenizer), "eos": "<pad>", "bos": "<s>", "quiet": True} | options
    return plan.build(out, **told)


def one(shown: Any) -> Explained:
    (found,) = shown
    assert isinstance(found, Explained)
    return found


def kept(plan: fm.Plan) -> list[fm.Example]:
    return [example for example in plan if example.dropped is None]


# ---- rows of a build


def test_every_row_is_told_with_its_position_its_fields_and_its_own_texts(plan: fm.Plan, built: fm.Built) -> None:
    examples = kept(plan)
    assert 250 < len(examples) == built.rows < plan.rows
    for number in range(0, built.rows, 7):
        told, example = one(built.explain(number)), examples[number]
        facts = dict(told.facts)
        assert facts["position"] == f"{example.position:,}"
        assert facts["source"] == f"memory, split train, row {example.row}"
        assert (told.text("Input"), told.text("Target")) == (example.input, example.target)
        assert told.metadata["fm_template"] == example.template
        assert {turn.role for turn in told.turns} == {
            "Fields", "Template: input", "Template: target", "Input", "Target"
        }  # fmt: skip
        assert not told.notes


def test_a_row_is_told_in_words(plan: fm.Plan, built: fm.Built) -> None:
    number = next(n for n, example in enumerate(kept(plan)) if example.task == "toy/sums" and example.epoch == 1)
    example = kept(plan)[number]
    assert dict(one(built.explain(number)).facts) == {
        "task": "toy/sums, of type arithmetic",
        "share": "133 of 400 planned rows, 33.25%, where its rate and weights ask for 33.33%",
        "source": f"memory, split train, row {example.row}",
        "epoch": "1 (from 0): a pass over 97 rows, 1.37 in all",
        "style": "plain: among the rest; the mixture asks for options 50%",
        "template": f"{example.template}, at task toy/sums: templates.add[{('plain', 'long').index(example.template)}]",
        "exemplars": "none",
        "position": str(example.position),
    }


def test_fields_have_their_colours_in_the_texts(built: fm.Built) -> None:
    (fields, target) = (
        {run.fields for turn in one(built.explain(0)).turns if turn.role == role for run in turn.runs if run.fields}
        for role in ("Fields", "Target")
    )
    assert target
    assert target <= fields


def test_without_its_plan_a_catalogue_tells_the_same_but_for_positions_among_dropped_rows(built: fm.Built) -> None:
    alone = fm.Built(built.folder)
    ends = list(accumulate(shard["rows"] for shard in built.manifest["shards"]))
    for number in (0, ends[0] - 1, ends[0], built.rows - 1):
        told, wanted = one(alone.explain(number, registry=CATALOGUE)), one(built.explain(number))
        assert (told.metadata, told.turns, told.notes) == (wanted.metadata, wanted.turns, wanted.notes)
        facts, known = dict(told.facts), dict(wanted.facts)
        told_of, _, rest = facts.pop("position").partition(", those of its shard")
        assert rest == ", of which some were dropped or packed"
        first, last = map(int, told_of.removeprefix("one of ").split(" to "))
        assert first <= int(known.pop("position")) <= last
        assert last - first < 150
        assert facts == known


def test_where_nothing_was_dropped_the_position_needs_no_plan(tmp_path: Path) -> None:
    toy_plan(SUMS, rows=90).build(tmp_path / "out", quiet=True, shard_rows=20)
    alone = fm.Built(tmp_path / "out")
    assert [dict(one(alone.explain(number)).facts)["position"] for number in (0, 19, 20, 89)] == ["0", "19", "20", "89"]


def test_without_a_catalogue_its_texts_are_told_and_what_is_missing(built: fm.Built) -> None:
    told, wanted = one(fm.Built(built.folder).explain(3)), one(built.explain(3))
    assert [turn.role for turn in told.turns] == ["Input", "Target"]
    assert (told.text("Input"), told.text("Target")) == (wanted.text("Input"), wanted.text("Target"))
    (note,) = told.notes
    assert note.startswith("The catalogue does not have its task, so neither the source's row nor the wording can be")


def test_a_source_that_changed_or_went_away_is_said(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [json.dumps({"question": f"{n}?", "answer": str(n)}) for n in range(30)]
    file.write_text("\n".join(rows))
    task = fm.Task("toy/files", type="arithmetic", source={"files": str(file)}, templates=SUMS.templates)
    catalogue = fm.load_registry(specs=[task], bundled=False, plugins=False)
    toy_plan(task, rows=30).build(tmp_path / "out", quiet=True)
    alone = fm.Built(tmp_path / "out")
    late = next(n for n in range(30) if one(alone.explain(n, registry=catalogue)).metadata["fm_row"] == 29)
    assert one(alone.explain(late, registry=catalogue)).notes == []

    file.write_text("\n".join(rows[:20]))
    changed = one(alone.explain(late, registry=catalogue))
    assert changed.notes == [
        "The task's source or fields are not those of the build any more; they are shown as they are now.",
        "The source has no usable row 29 any more.",
    ]
    assert changed.text("Target").rstrip(".") == "29"

    file.unlink()
    gone = one(alone.explain(late, registry=catalogue))
    assert gone.notes[0].startswith("Its source cannot be read: ")
    assert gone.text("Template: target") in ("{{ answer }}", "{{ answer }}.")


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_texts_come_out_of_every_layout(layout: str, form: Any, tmp_path: Path) -> None:
    plan = toy_plan(SUMS, rows=30)
    told = one(plan.build(tmp_path / "out", layout=layout, format=form, quiet=True).explain(17))
    texts = [(turn.role, turn.text) for turn in told.turns if turn.role in ("Input", "Target", "Text")]
    example = plan[17]
    joined = [("Text", f"{example.input}\n{example.target}")]
    tags = ("<instruction>\n", "\n<output>\n")
    assert texts in (
        joined if layout == "text" else [("Input", example.input), ("Target", example.target)],
        [("Input", example.input.join(tags)), ("Target", example.target)] if layout == "tagged" else [],
    )


def test_stages_are_counted_through(tmp_path: Path) -> None:
    stages = [Stage("broad", parts=[fm.Part("toy/*")], rows=20), Stage("narrow", parts=[fm.Part("toy/rare")], rows=5)]
    catalogue = fm.load_registry(specs=[SUMS, RARE], bundled=False, plugins=False)
    plan = fm.Mixture("toy", stages=stages).plan(catalogue)
    built = plan.build(tmp_path / "out", quiet=True)
    for of_build in (built, fm.Built(tmp_path / "out")):
        told = [dict(one(of_build.explain(number, registry=catalogue)).facts) for number in (19, 20, 24)]
        assert [(facts["stage"], facts["position"]) for facts in told] == [
            ("broad", "19"),
            ("narrow", "0"),
            ("narrow", "4"),
        ]
    assert one(plan.explain(24)).metadata["fm_stage"] == "narrow"
    with pytest.raises(UsageError, match="no row 25 - there are 25, from 0 to 24"):
        built.explain(25)


def test_a_row_that_is_not_there_and_a_build_without_metadata_are_refused(built: fm.Built, tmp_path: Path) -> None:
    for number in (-1, built.rows):
        with pytest.raises(UsageError, match=f"no row {number} - there are {built.rows}, from 0 to {built.rows - 1}"):
            built.explain(number)
    bare = toy_plan(SUMS, rows=5).build(tmp_path / "out", metadata=False, quiet=True)
    with pytest.raises(UsageError, match="was built without metadata"):
        bare.explain(0)


# ---- tokens and packs


def test_tokens_are_told_with_what_is_trained(tokenizer: Path, tmp_path: Path) -> None:
    plan = toy_plan(SUMS, rows=30)
    built = tokens_built(plan, tmp_path / "out", tokenizer)
    row = pq.read_table(built.folder / "data").slice(11, 1).to_pylist()[0]
    told = one(built.explain(11))
    assert told.tokens is not None
    assert told.tokens.tokens == len(row["input_ids"])
    assert told.tokens.trained == sum(label != -100 for label in row["labels"][1:])
    assert dict(told.facts)["tokens"] == f"{told.tokens.tokens} tokens, {told.tokens.trained} trained"
    assert (told.text("Input"), told.text("Target")) == (plan[11].input, plan[11].target)
    assert told.notes == []
    alone = one(fm.Built(built.folder).explain(11, registry=CATALOGUE))
    assert alone.notes == ["The build holds tokens: the texts are what the wording alone makes of the row."]
    assert alone.text("Target") == plan[11].target


def test_a_tokenizer_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(plain("bpe").to_str(), encoding="utf-8")
    built = tokens_built(toy_plan(SUMS, rows=5), tmp_path / "out", folder)
    folder.rename(tmp_path / "elsewhere")
    told = one(built.explain(2))
    assert told.tokens is None
    assert "which cannot be shown" in dict(told.facts)["tokens"]
    assert one(built.explain(2, tokenizer=tmp_path / "elsewhere")).tokens is not None


def test_each_example_of_a_pack_is_told(tokenizer: Path, tmp_path: Path) -> None:
    plan = toy_plan(SUMS, RARE, rows=60)
    built = tokens_built(plan, tmp_path / "out", tokenizer, "packed", max_length=64)
    packs = pq.read_table(built.folder / "data").to_pylist()
    assert max(len(pack["seq_lengths"]) for pack in packs) > 1
    for number, pack in enumerate(packs[:4]):
        told = built.explain(number)
        assert [each.metadata["fm_row"] for each in told] == pack["fm_row"]
        assert [each.tokens.tokens for each in told if each.tokens] == pack["seq_lengths"]
        for each in told:
            example = plan[int(dict(each.facts)["position"])]
            assert (example.task, example.row, example.epoch) == tuple(
                each.metadata[name] for name in ("fm_task", "fm_row", "fm_epoch")
            )
            assert each.text("Target") == example.target


# ---- positions of a plan


def test_a_position_is_told_as_its_row_will_be(plan: fm.Plan, built: fm.Built) -> None:
    for number in (0, 100, 200):
        position = kept(plan)[number].position
        told, row = one(plan.explain(position)), one(built.explain(number))
        assert (told.metadata, told.turns) == (row.metadata, row.turns)
        assert [fact for fact in row.facts if fact[0] != "position"] == list(told.facts)
    assert one(plan.explain(-1)).metadata == one(plan.explain(plan.rows - 1)).metadata
    with pytest.raises(IndexError):
        plan.explain(plan.rows)


def test_a_dropped_position_says_why(plan: fm.Plan) -> None:
    example = next(example for example in plan if example.dropped)
    told = one(plan.explain(example.position))
    assert (told.dropped, dict(told.facts)["dropped"]) == ("target is blank", "target is blank")
    assert told.text("Target") == " "
    assert "target is blank" in str(plan.explain(example.position))


# ---- what is shown


def test_exemplars_are_told_with_their_rows(plan: fm.Plan) -> None:
    metadata = one(plan.explain(next(e.position for e in plan if e.task == "toy/rare"))).metadata | {"fm_shots": [3, 1]}
    known, standing = Known.in_plan(plan._planned, "toy/rare"), Standing.in_plan(plan._planned.plan, "toy/rare")
    told = explained(metadata, known, standing, [("Input", "Q3 A3 Q1 A1 Q0"), ("Target", "A0")])
    assert dict(told.facts)["exemplars"] == "rows 3, 1"
    assert [turn.role for turn in told.turns][3:5] == ["Exemplar, row 3", "Exemplar, row 1"]
    assert told.text("Exemplar, row 3") == "answer: A3\nquestion: Q3"


def test_styles_say_which_share_they_are_of() -> None:
    standing = Standing(50, 100, 0.5, 10, "", {"options": 0.25, "few_shot": 0.5})
    asked = "the mixture asks for options 25%, few_shot 50%"
    assert standing.style("few_shot+options:letters") == (
        f"few_shot+options:letters: among those of few_shot and options; {asked}"
    )
    assert standing.style("plain") == f"plain: among the rest; {asked}"
    assert Standing(1, 2, 0.5, 1, "", {}).style("cot") == "cot: the mixture asks for no styles"
    bound = Standing(50, 100, 0.75, 10, "max_epochs", {})
    assert (
        bound.share == "50 of 100 planned rows, 50.00%, where its rate and weights ask for 75.00%; bound by max_epochs"
    )


def test_text_and_page_hold_every_fact_and_the_page_no_markup_of_the_data(tmp_path: Path) -> None:
    rows = [{"question": f"<script>{n}</script>\x1b[31m", "answer": f"<b>{n}"} for n in range(3)]
    ask = fm.Template("ask", input="<i>{{ question }}", target="{{ answer }}")
    shown = toy_plan(fm.Task("toy/odd", type="arithmetic", source=rows, templates=[ask]), rows=3).explain(0)
    page, text = shown._repr_html_(), str(shown)
    for name, fact in one(shown).facts:
        assert f"<b>{name}</b>" in page
        assert fact in text
    assert "\x1b" not in page + text
    assert "<script>" not in page
    assert "&lt;i&gt;{{ question }}" in page
