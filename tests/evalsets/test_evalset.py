"""A folder of eval sets: what is asked, of which rows, in which wordings, and what the folder says of itself."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

import flanmix as fm
from flanmix.errors import BuildError, FlanmixError, PlanError, SourceError, TemplateError, UsageError
from flanmix.evalsets.columns import PROMPTS, RANKING
from flanmix.layouts import METADATA
from flanmix.registry import Registry
from tests.evalsets.tasks import CHOICES, ROWS, catalogue, claim, of_tasks, rows_of, table
from tests.toy import hashes, table_task


@pytest.fixture
def tasks(tmp_path: Path) -> Registry:
    return catalogue(tmp_path / "tasks")


def write(tasks: Registry, out: Path, select: str = "toy/claims", **options: object) -> fm.EvalSets:
    return fm.evalset(tasks, out, select=select, quiet=True, **options)


# ---- prompts


def test_every_row_of_the_split_is_asked_in_every_wording_that_serves_it(tasks: Registry, tmp_path: Path) -> None:
    rows = rows_of(write(tasks, tmp_path / "out"), "toy__claims_0shot")

    expected = {(n, name) for n in range(ROWS["validation"]) for name in ("plain", "listed", "even")}
    expected -= {(n, "even") for n in range(ROWS["validation"]) if n % 2}
    assert {(row["fm_row"], row["fm_template"]) for row in rows} == expected
    assert len(rows) == len(expected)
    for row in rows:
        source = claim("validation", row["fm_row"])
        texts = {
            "plain": (f"Is it so: {source['claim']}?", "{}."),
            "listed": (source["claim"] + "\n- yes\n- no\n- it depends", "{}"),
            "even": (source["claim"], "{}"),
        }
        question, answer = texts[row["fm_template"]]
        choices = [answer.format(choice) for choice in CHOICES]
        told = [row[name] for name in ("input", "target", "answer", "answer_choices", "answer_index")]
        right = choices[source["label"]]
        assert told == [question, right, right, choices, source["label"]]


def test_rows_say_where_they_are_from_in_the_columns_of_builds(tasks: Registry, tmp_path: Path) -> None:
    sets = write(tasks, tmp_path / "out", shots=(0, 2))
    assert table(sets, "toy__claims_0shot").schema.names[5:] == METADATA.names
    for shots, style in ((0, "options"), (2, "few_shot+options")):
        row = next(r for r in rows_of(sets, f"toy__claims_{shots}shot") if r["fm_template"] == "listed")
        told = [row[name] for name in METADATA.names if name not in ("fm_row", "fm_shots")]
        assert told == ["toy/claims", "nli", "claims-validation.jsonl", "validation", "listed", style, 0, ""]
        assert len(row["fm_shots"]) == shots


def test_the_schemas_are_pinned(tasks: Registry, tmp_path: Path) -> None:
    sets = write(tasks, tmp_path / "out")
    assert table(sets, "toy__claims_0shot").schema == PROMPTS
    assert table(sets, "toy__claims_0shot_ranking").schema == RANKING
    own = {name: PROMPTS.field(name).type for name in PROMPTS.names[:5]}
    text = pa.large_string()
    lists = pa.list_(pa.field("element", text))
    assert own == {
        "input": text,
        "target": text,
        "answer": text,
        "answer_choices": lists,
        "answer_index": pa.int32(),
    }


def test_free_text_has_no_choices_and_its_answer_is_the_target_without_space_around(
    tasks: Registry, tmp_path: Path
) -> None:
    rows = rows_of(write(tasks, tmp_path / "out", select="toy/sums"), "toy__sums_0shot")
    assert {(row["answer_index"], *row["answer_choices"]) for row in rows} == {(-1,)}
    assert all(row["answer"] == str(2 * row["fm_row"]) for row in rows)
    assert {row["target"] for row in rows if row["fm_row"] == 4} == {"8", " 8\n"}


def test_wordings_that_are_inverted_or_reason_come_where_they_are_asked_for(tasks: Registry, tmp_path: Path) -> None:
    sets = write(tasks, tmp_path / "out", styles=("inverted", "cot"))
    rows = rows_of(sets, "toy__claims_0shot")
    assert {row["fm_template"] for row in rows} == {"write", "reason"}
    assert {row["answer_index"] for row in rows} == {-1}
    for row in rows:
        source = claim("validation", row["fm_row"])
        assert row["answer"] == (source["claim"] if row["fm_template"] == "write" else CHOICES[source["label"]])


def test_what_extract_does_not_find_in_a_target_is_dropped_and_counted(tmp_path: Path) -> None:
    wording = fm.Template("w", input="{{ q }}", target="{{ a }}", tags=["cot"], extract="it is (?P<answer>[0-9]+)")
    source = [{"q": "1?", "a": "it is 2, no: it is 1"}, {"q": "2?", "a": "who knows"}]
    tasks = of_tasks(fm.Task("toy/x", type="arithmetic", source=source, templates=[wording]))
    sets = write(tasks, tmp_path / "out", select="toy/x", styles="cot")
    assert [row["answer"] for row in rows_of(sets, "toy__x_0shot")] == ["1"]
    assert sets.manifest["tasks"][0]["dropped"] == {"'extract' finds no answer in the target": 1}


def test_the_order_of_rows_is_drawn_so_that_any_prefix_is_a_sample(tasks: Registry, tmp_path: Path) -> None:
    whole = [row["fm_row"] for row in rows_of(write(tasks, tmp_path / "whole"), "toy__claims_0shot")]
    order = list(dict.fromkeys(whole))
    assert order != sorted(order)
    few = rows_of(write(tasks, tmp_path / "few", rows=5), "toy__claims_0shot")
    assert list(dict.fromkeys(row["fm_row"] for row in few)) == order[:5]
    other = rows_of(write(tasks, tmp_path / "other", seed=1), "toy__claims_0shot")
    assert list(dict.fromkeys(row["fm_row"] for row in other)) != order


def test_one_wording_for_every_row_is_drawn_among_those_that_serve_it(tasks: Registry, tmp_path: Path) -> None:
    rows = rows_of(write(tasks, tmp_path / "out", templates="one"), "toy__claims_0shot")
    assert sorted(row["fm_row"] for row in rows) == list(range(ROWS["validation"]))
    assert len({row["fm_template"] for row in rows}) > 1
    assert not [row for row in rows if row["fm_template"] == "even" and row["fm_row"] % 2]


def test_some_wordings_of_the_task_are_drawn_by_the_seed(tasks: Registry, tmp_path: Path) -> None:
    drawn = set()
    for seed in range(8):
        sets = write(tasks, tmp_path / str(seed), templates=1, seed=seed)
        (name,) = {row["fm_template"] for row in rows_of(sets, "toy__claims_0shot")}
        drawn.add(name)
        assert sorted(sets.manifest["tasks"][0]["left_out"].values()).count("not drawn") == 2
    assert len(drawn) > 1


def test_the_split_is_the_best_that_a_task_has_unless_one_is_named(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/*", quiet=True)
    assert {each["set"]: each["split"] for each in sets.manifest["tasks"] if each["form"] == "generation"} == {
        "toy__claims_0shot": "validation",
        "toy__sums_0shot": "train",
    }
    named = write(tasks, tmp_path / "train", split="train")
    assert {row["fm_split"] for row in rows_of(named, "toy__claims_0shot")} == {"train"}
    with pytest.raises(UsageError, match=r"sums.yaml:\d+: source: toy/sums has no split 'validation' - there is train"):
        fm.evalset(tasks, tmp_path / "no", select="toy/*", split="validation", quiet=True)


# ---- choices


def test_rows_without_a_right_answer_among_choices_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = {
        "question": ["a", "b", "c", "d", "e", "f"],
        "choices": [["x", "y"], ["x", "y"], ["x"], ["x", " "], ["y", "x", "x"], ["x", "y"]],
        "answer": ["x", "z", "x", "x", "x", "y "],
    }
    sets = write(of_tasks(table_task("toy/x", rows)), tmp_path / "out", select="toy/x")
    found = {row["input"]: row["answer_index"] for row in rows_of(sets, "toy__x_0shot")}
    assert found == {"a": 0, "e": 1, "f": 1}
    for row in rows_of(sets, "toy__x_0shot"):
        assert row["target"] == row["answer_choices"][row["answer_index"]]
    first, second = sets.manifest["tasks"]
    assert first["dropped"] == {
        "a choice is missing or blank": 1,
        "fewer than two choices": 1,
        "the answer is none of the choices": 1,
    }
    assert (second["planned"], second["written"], second["groups"]) == (7, 7, 3)


def test_an_input_that_tells_the_answer_is_not_ranked(tmp_path: Path) -> None:
    rows = {"question": ["a"], "choices": [["x", "y"]], "answer": ["x"]}
    task = table_task("toy/x", rows, input="{{ question }} {{ answer[0] }}")
    assert rows_of(write(of_tasks(task), tmp_path / "out", select="toy/x"), "toy__x_0shot")[0]["answer_index"] == -1


def test_templates_of_the_dialect_bring_their_own_choices(tmp_path: Path) -> None:
    source = [{"text": f"t{n}", "label": n % 2} for n in range(6)]
    asked = fm.Template(
        "ask", dialect="promptsource", jinja="{{ text }}? ||| {{ answer_choices[label] }}", answer_choices="no ||| yes"
    )
    free = fm.Template(
        "say", dialect="promptsource", jinja="Say {{ label }} ||| {{ text }}", answer_choices="no ||| yes"
    )
    task = fm.Task("toy/p", type="sentiment", source=source, templates=[asked, free])
    sets = write(of_tasks(task), tmp_path / "out", select="toy/p", shots=(0, 1))
    for name in ("toy__p_0shot", "toy__p_1shot"):
        rows = rows_of(sets, name)
        assert len(rows) == 12
        for row in rows:
            if row["fm_template"] == "ask":
                assert (row["answer_choices"], row["answer_index"]) == (["no", "yes"], row["fm_row"] % 2)
            else:
                assert (row["answer_choices"], row["answer_index"], row["target"]) == ([], -1, f"t{row['fm_row']}")


# ---- ranking


@pytest.mark.parametrize("shots", [0, 3])
def test_ranking_has_a_row_for_each_choice_of_a_prompt_with_the_same_input(
    tasks: Registry, tmp_path: Path, shots: int
) -> None:
    sets = write(tasks, tmp_path / "out", shots=shots, separator=" -> ")
    prompts = rows_of(sets, f"toy__claims_{shots}shot")
    ranking = rows_of(sets, f"toy__claims_{shots}shot_ranking")
    expected = [
        {
            "input": prompt["input"],
            "continuation": f" -> {choice}",
            "choice": place,
            "label": place == prompt["answer_index"],
            "group": group,
            **{name: prompt[name] for name in METADATA.names},
        }
        for group, prompt in enumerate(prompts)
        for place, choice in enumerate(prompt["answer_choices"])
    ]
    assert ranking == expected
    assert sum(row["label"] for row in ranking) == len(prompts)


def test_a_form_alone_is_written_alone(tasks: Registry, tmp_path: Path) -> None:
    assert write(tasks, tmp_path / "a", form="generation").names == ["toy__claims_0shot"]
    ranking = write(tasks, tmp_path / "b", form="ranking")
    assert ranking.names == ["toy__claims_0shot_ranking"]
    assert not (ranking.folder / "lm_eval").exists()
    with pytest.raises(PlanError, match="no row is left: no task offers choices to rank"):
        write(tasks, tmp_path / "c", select="toy/sums", form="ranking")
    assert not (tmp_path / "c").exists()


# ---- folders


def test_load_dataset_reads_every_set_by_its_name(
    tasks: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/*", shots=(0, 2), quiet=True)
    assert datasets.get_dataset_config_names(str(sets.folder)) == sets.names
    for each in sets.manifest["tasks"]:
        if each["written"]:
            read = datasets.load_dataset(
                str(sets.folder), each["set"], split=each["split"], cache_dir=str(tmp_path / "cache")
            )
            assert read.to_list() == rows_of(sets, each["set"])


def test_the_manifest_adds_up_and_is_verified(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/*", shots=(0, 2), quiet=True)
    manifest = sets.verify()
    for each in manifest["tasks"]:
        assert each["planned"] == each["written"] + sum(each["dropped"].values())
        if each["written"]:
            assert table(sets, each["set"]).num_rows == each["written"] == sum(each["templates"].values())
    claims = manifest["tasks"][0]
    assert claims["planned"] == 3 * ROWS["validation"]
    assert claims["dropped"] == {"the template does not serve the row": ROWS["validation"] // 2}
    assert claims["left_out"] == {"write": "style inverted", "reason": "style cot"}
    assert sets.rows == manifest["rows"] == sum(each["written"] for each in manifest["tasks"])
    file = sets.folder / manifest["shards"][0]["file"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BuildError, match="bytes is"):
        sets.verify()


def test_same_options_same_bytes_and_a_finished_folder_is_left_as_it_is(tasks: Registry, tmp_path: Path) -> None:
    first = write(tasks, tmp_path / "a", shots=(0, 3))
    second = write(tasks, tmp_path / "b", shots=(0, 3))
    assert hashes(first.folder) == hashes(second.folder)
    times = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    write(tasks, first.folder, shots=(0, 3))
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == times


def test_a_folder_that_holds_something_else_is_refused(tasks: Registry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    for replace in (False, True):
        with pytest.raises(BuildError, match=r"holds other files \(notes.txt\)"):
            write(tasks, out, replace=replace)
    (out / "notes.txt").unlink()
    write(tasks, out)
    (out / "lm_eval" / "mine.yaml").write_text("mine")
    with pytest.raises(BuildError, match=r"holds other files \(lm_eval/mine.yaml\)"):
        write(tasks, out, seed=1, replace=True)
    plan = fm.Mixture("m", parts=[fm.Part("toy/sums")], epochs=1).plan(tasks)
    built = plan.build(tmp_path / "built", quiet=True)
    before = hashes(built.folder)
    for replace in (False, True):
        with pytest.raises(BuildError, match="holds other files"):
            write(tasks, built.folder, replace=replace)
    assert hashes(built.folder) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="is a file"):
        write(tasks, tmp_path / "file")


def test_other_sets_are_replaced_only_where_that_is_said_and_once_the_new_are_whole(
    tasks: Registry, tmp_path: Path
) -> None:
    out = write(tasks, tmp_path / "out").folder
    before = hashes(out)
    with pytest.raises(BuildError, match=r"holds other eval sets .* --replace"):
        write(tasks, out, seed=1)
    with pytest.raises(PlanError):
        write(tasks, out, shots=64, replace=True)
    assert hashes(out) == before
    write(tasks, out, seed=1, replace=True)
    assert hashes(out) == hashes(write(tasks, tmp_path / "anew", seed=1).folder) != before
    (out / "data" / "toy__claims_0shot-00000-of-00001.parquet").unlink()
    with pytest.raises(BuildError, match="is missing or damaged"):
        write(tasks, out, seed=1)


def test_nothing_is_left_of_sets_that_fail(tmp_path: Path) -> None:
    task = table_task("toy/x", {"question": ["a", "b"], "answer": [1, 0]}, target="{{ 1 // answer }}")
    with pytest.raises(TemplateError, match="row 1 of the task toy/x"):
        write(of_tasks(task), tmp_path / "out", select="toy/x")
    assert list(tmp_path.iterdir()) == []


def test_the_card_tells_sets_licences_and_how_to_run_them(tasks: Registry, tmp_path: Path) -> None:
    card = (write(tasks, tmp_path / "out", name="lab/claims").folder / "README.md").read_text(encoding="utf-8")
    assert "license: cc0-1.0" in card
    assert "| toy__claims_0shot | toy/claims | nli | validation | 0 | 30 | 6 |" in card
    assert "--include_path path/to/this/folder/lm_eval --tasks lab__claims_0shot" in card


# ---- which tasks


def test_a_mixture_gives_the_tasks_that_it_holds_out_its_seed_and_its_separator(
    tasks: Registry, tmp_path: Path
) -> None:
    mixture = tasks.mixture("lab/mini")
    sets = fm.evalset(tasks, tmp_path / "out", mixture=mixture, quiet=True)
    facts = sets.manifest
    assert sets.names == ["toy__claims_0shot", "toy__claims_0shot_ranking"]
    assert (facts["evalset"], facts["mixture"], facts["selectors"]) == ("lab/mini", "lab/mini", ["toy/claims"])
    assert (facts["options"]["seed"], facts["options"]["separator"]) == (3, " => ")
    assert facts["trained_on"] == []
    own = fm.evalset(tasks, tmp_path / "own", mixture=mixture, seed=4, separator="\n", quiet=True).manifest
    assert (own["options"]["seed"], own["options"]["separator"]) == (4, "\n")


def test_rows_that_the_mixture_trains_on_are_refused(tasks: Registry, tmp_path: Path) -> None:
    mixture = tasks.mixture("lab/mini")
    with pytest.raises(PlanError, match="'lab/mini' trains on toy/sums, split 'train' - hold the task out"):
        fm.evalset(tasks, tmp_path / "out", mixture=mixture, select="toy/sums", quiet=True)
    both = fm.Mixture("both", parts=[fm.Part("toy/*")], rows=10)
    with pytest.raises(PlanError, match="'both' trains on toy/claims, split 'train'"):
        fm.evalset(tasks, tmp_path / "out", mixture=both, select="toy/claims", split="train", quiet=True)
    other_split = fm.evalset(tasks, tmp_path / "out", mixture=both, select="toy/claims", quiet=True)
    assert other_split.manifest["trained_on"] == ["toy/claims"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "nothing says which tasks"),
        ({"select": "type:nothing"}, "'type:nothing' selects no task"),
        ({"select": "toy/*", "shots": 65}, "65 shots"),
        ({"select": "toy/*", "rows": 0}, "0 rows of each task"),
        ({"select": "toy/*", "templates": "some"}, "templates 'some'"),
        ({"select": "toy/*", "templates": 0}, "0 templates"),
        ({"select": "toy/*", "styles": "plane"}, "no style is called 'plane' - did you mean 'plain'?"),
        ({"select": "toy/*", "form": "x"}, "no form is called 'x'"),
        ({"select": "toy/*", "seed": -1}, "the seed -1"),
        ({"select": "toy/*", "shot": 1}, "an eval set has no option 'shot' - did you mean 'shots'?"),
        ({"select": "toy/sums", "styles": "cot"}, r"no wording of toy/sums is left \(style plain\)"),
    ],
)
def test_wrong_calls_are_told(tasks: Registry, tmp_path: Path, options: dict[str, object], told: str) -> None:
    with pytest.raises(FlanmixError, match=told):
        fm.evalset(tasks, tmp_path / "out", quiet=True, **options)
    assert not (tmp_path / "out").exists()


def test_names_that_would_be_one_are_refused(tmp_path: Path) -> None:
    rows = {"question": ["a"], "answer": ["x"]}
    tasks = of_tasks(table_task("a/b", rows), table_task("a__b", rows))
    with pytest.raises(UsageError, match="the sets of a/b and a__b would have the same name"):
        write(tasks, tmp_path / "out", select="a*")


def test_conversations_have_no_place_and_that_is_said(tmp_path: Path) -> None:
    talk = fm.Template(
        "talk", turns=[{"user": "Hi", "assistant": "Hello"}, {"user": "{{ q }}", "assistant": "{{ a }}"}]
    )
    plain = fm.Template("plain", input="{{ q }}", target="{{ a }}")
    task = fm.Task("toy/x", type="qa", source=[{"q": "a", "a": "b"}], templates=[talk, plain])
    sets = write(of_tasks(task.model_copy(update={"type": "arithmetic"})), tmp_path / "out", select="toy/x")
    assert sets.manifest["tasks"][0]["left_out"] == {"talk": "conversations have no place in an eval set"}
    assert [row["fm_template"] for row in rows_of(sets, "toy__x_0shot")] == ["plain"]


def test_a_task_of_which_no_wording_is_left_is_told(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/*", styles="options", quiet=True)
    assert sets.manifest["left_out"] == {"toy/sums": "style plain"}
    assert {each["task"] for each in sets.manifest["tasks"]} == {"toy/claims"}


def test_data_that_cannot_be_read_is_told_with_the_line_of_its_task(tasks: Registry, tmp_path: Path) -> None:
    (tmp_path / "tasks" / "sums.tsv").unlink()
    with pytest.raises(SourceError, match=r"sums.yaml:\d+: source: "):
        write(tasks, tmp_path / "out", select="toy/sums")


def test_the_manifest_is_json_that_tells_all_options(tasks: Registry, tmp_path: Path) -> None:
    sets = write(tasks, tmp_path / "out", rows=3)
    facts = json.loads((sets.folder / "manifest.json").read_text(encoding="utf-8"))
    assert facts["options"]["rows"] == 3
    assert facts["layout"] == "evalset"
