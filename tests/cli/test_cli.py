"""Every command on good input: data on standard output, the rest on standard error, and what is on disk afterwards."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml

from flanmix import __version__
from flanmix.cli import COMMANDS
from flanmix.cli.build import _shown
from flanmix.examples import Example

Flanmix = Callable[[str], Any]
TOYS = ["toy/colours", "toy/sums"]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def rows_of(out: Path) -> list[dict[str, Any]]:
    return ds.dataset(out / "data").to_table().to_pylist()


# ---- ls


def test_ls_lists_the_bundled_tasks_and_those_of_a_folder(work: Path, good: Flanmix) -> None:
    listed = [record["task"] for record in json.loads(good("ls -r . --format json").out)]
    assert set(TOYS) < set(listed)
    assert "geography/capitals" in listed
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    ("selector", "listed"),
    [
        ("toy/*", TOYS),
        ("type:riddles", ["toy/colours"]),
        ("tag:toy language:en", ["toy/sums"]),
        ("-- toy/* -type:riddles", ["toy/sums"]),
        ("'toy/s* toy/c*'", TOYS),
        ("toy/none", []),
    ],
)
def test_ls_takes_a_selector(work: Path, good: Flanmix, selector: str, listed: list[str]) -> None:
    found = json.loads(good(f"ls -r . --format json {selector}").out)
    assert [record["task"] for record in found] == listed


def test_ls_tells_of_each_task_what_it_is(work: Path, good: Flanmix) -> None:
    assert json.loads(good("ls -r . --format json toy/sums").out) == [
        {
            "task": "toy/sums",
            "type": "arithmetic",
            "templates": 2,
            "tags": ["english", "toy"],
            "description": "Sums of two numbers.",
        }
    ]


def test_ls_lists_families_and_mixtures_too(work: Path, good: Flanmix) -> None:
    families = {record["family"]: record for record in json.loads(good("ls -r . --families --format json").out)}
    assert families["riddles"]["fields"] == ["question", "choices", "answer"]
    mixtures = {
        record["mixture"]: record["parts"] for record in json.loads(good("ls -r . --mixtures --format json").out)
    }
    assert mixtures["mini"] == 2
    assert "starter" in mixtures


def test_a_table_has_a_line_for_each_record_and_prints_what_is_written_as_it_is(work: Path, good: Flanmix) -> None:
    text = (work / "sums.yaml").read_text()
    (work / "sums.yaml").write_text(text.replace("Sums of two numbers.", '"[red]Sums[/red] :x: \\e[31m"'))
    shown = good("ls -r . toy/*").out
    assert [line for line in shown.splitlines() if "toy/sums" in line and "arithmetic" in line and "2" in line]
    assert "[red]Sums[/red] :x:  [31m" in shown
    assert "none" in good("ls -r . nothing/here").out


# ---- show


def test_show_gives_a_task_with_the_templates_that_serve_it(work: Path, good: Flanmix) -> None:
    shown = yaml.safe_load(good("show -r . toy/colours").out)
    assert shown["task"] == "toy/colours"
    assert shown["file"] == "colours.yaml"
    assert shown["fields"]["choices"] == ["red", "green", "blue"]
    assert [template["name"] for template in shown["templates"]] == ["riddles/choose"]
    assert shown["templates"][0]["input"] == "{{ question }}\n{{ options }}"


def test_show_gives_families_and_mixtures(work: Path, good: Flanmix) -> None:
    assert yaml.safe_load(good("show -r . riddles").out)["family"] == "riddles"
    assert yaml.safe_load(good("show -r . mini").out)["parts"][0] == {"select": "type:arithmetic toy/*", "weight": 2.0}


@pytest.mark.parametrize("name", ["toy/colours", "riddles", "mini"])
def test_show_says_the_same_as_json(work: Path, good: Flanmix, name: str) -> None:
    assert json.loads(good(f"show -r . {name} --format json").out) == yaml.safe_load(good(f"show -r . {name}").out)


def test_show_gives_everything_of_one_name(work: Path, good: Flanmix) -> None:
    (work / "more.yaml").write_text((work / "mix.yaml").read_text().replace("mixture: mini", "mixture: riddles"))
    shown = json.loads(good("show -r . riddles --format json").out)
    assert [next(iter(record)) for record in shown] == ["family", "mixture"]


# ---- check


def test_check_says_how_much_it_has_checked(work: Path, good: Flanmix) -> None:
    assert good("check mix.yaml") == (0, "", "2 tasks with 3 templates: no problems\n")
    assert good("check -r .").err.endswith(": no problems\n")


def test_check_reads_no_data(work: Path, good: Flanmix) -> None:
    (work / "sums.tsv").unlink()
    (work / "colours.jsonl").write_text("no JSON")
    good("check mix.yaml")


def test_check_finds_every_undeclared_variable_at_once(work: Path, flanmix: Flanmix) -> None:
    sums = (work / "sums.yaml").read_text().replace("{{ question }}", "{{ qestion }}")
    (work / "sums.yaml").write_text(sums)
    (work / "riddles.yaml").write_text((work / "riddles.yaml").read_text().replace("{{ answer }}", "{{ verdict }}"))
    (work / "sums.tsv").unlink()
    result = flanmix("check mix.yaml")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines() == [
        "riddles.yaml:8: templates[0].target: 'verdict' is no field of the task toy/colours"
        " - its fields are answer, choices, options, question",
        "sums.yaml:9: templates[0].input: 'qestion' is no field of the task toy/sums - did you mean 'question'?",
        "sums.yaml:12: templates[1].input: 'qestion' is no field of the task toy/sums - did you mean 'question'?",
    ]


def test_check_of_a_mixture_looks_only_at_what_it_takes(work: Path, good: Flanmix, flanmix: Flanmix) -> None:
    (work / "riddles.yaml").write_text((work / "riddles.yaml").read_text().replace("{{ answer }}", "{{ verdict }}"))
    (work / "mix.yaml").write_text((work / "mix.yaml").read_text().replace('  - {select: "type:riddles"}\n', ""))
    good("check mix.yaml")
    assert flanmix("check -r .").code == 1


# ---- preview


def test_preview_shows_a_card_for_each_template(work: Path, good: Flanmix) -> None:
    shown = good("preview toy/sums -r . --rows 2")
    assert shown.err == ""
    assert shown.out.count("Please tell me:") == 2
    assert shown.out.count("toy/sums") == 4


def test_preview_shows_only_the_templates_asked_for(work: Path, good: Flanmix) -> None:
    shown = good("preview toy/sums -r . -t polite --split validation").out
    assert shown.count("toy/sums") == shown.count("Please tell me:") == 1


def test_preview_writes_a_page_that_needs_nothing_else(work: Path, good: Flanmix) -> None:
    assert good("preview toy/sums -r . --html page.html") == (0, "", "2 cards in page.html\n")
    page = (work / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Please tell me:" in page
    assert "http" not in page
    assert "<script" not in page


# ---- explain


def test_explain_shows_how_a_row_of_a_build_came_to_be(work: Path, good: Flanmix) -> None:
    good("build mix.yaml -o out --quiet")
    shown = good("explain out 11 -r .")
    assert shown.err == ""
    for word in ("Row 11 of out", "toy/", "where its rate and weights ask for", "position   11", "Template: input"):
        assert word in shown.out
    assert good("explain out 0 -r . --html page.html") == (0, "", "row 0 in page.html\n")
    assert (work / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_explain_refuses_rows_that_are_not_there(work: Path, good: Flanmix, flanmix: Flanmix) -> None:
    good("build mix.yaml -o out --quiet")
    assert flanmix("explain out 12 -r .") == (2, "", "out has no row 12 - there are 12, from 0 to 11\n")


# ---- plan


def test_plan_tells_how_many_rows_each_task_gives(work: Path, good: Flanmix) -> None:
    plan = json.loads(good("plan mix.yaml --format json").out)
    assert {key: plan[key] for key in ("mixture", "seed", "split", "rows")} == {
        "mixture": "mini",
        "seed": 7,
        "split": "train",
        "rows": 12,
    }
    assert {task["task"]: task["rows"] for task in plan["tasks"]} == {"toy/sums": 8, "toy/colours": 4}
    colours = plan["tasks"][0]
    assert (colours["source_rows"], colours["usable"], colours["epochs"]) == (2, 2, 2.0)
    table = good("plan mix.yaml").out
    assert all(word in table for word in ("toy/sums", "mini: 12 rows of 2 tasks", plan["plan"][:12]))


def test_plan_takes_another_budget_seed_and_split(work: Path, good: Flanmix) -> None:
    assert json.loads(good("plan mix.yaml --rows 30 --format json").out)["rows"] == 30
    assert json.loads(good("plan mix.yaml --epochs 2 --format json").out)["rows"] == 24
    assert json.loads(good("plan mix.yaml --seed 8 --format json").out)["seed"] == 8
    (work / "mix.yaml").write_text((work / "mix.yaml").read_text().replace('  - {select: "type:riddles"}\n', ""))
    assert json.loads(good("plan mix.yaml --split validation --format json").out)["split"] == "validation"


def test_plan_writes_nothing_and_says_the_same_every_time(work: Path, good: Flanmix) -> None:
    before = names(work)
    for command in ("plan mix.yaml --format json", "plan mix.yaml", "ls -r . --format json", "show mini -r ."):
        assert good(command) == good(command)
    assert names(work) == before


# ---- build and verify


def test_build_says_what_was_left_out_of_the_sources(work: Path, good: Flanmix) -> None:
    assert "left out" not in good("build mix.yaml -o out/all").err
    (work / "sums.yaml").write_text((work / "sums.yaml").read_text() + "drop: '{{ a == 2 or a == \"2\" }}'\n")
    told = good("build mix.yaml -o out/some").err
    assert re.search(r"left out of the sources before: \d+ \(.*\)", told)


def test_build_writes_a_folder_that_verify_finds_whole(work: Path, good: Flanmix) -> None:
    built = good("build mix.yaml -o out/deep")
    assert built.out == ""
    assert "12 rows in 1 shard, 0 dropped" in built.err
    assert built.err.splitlines()[-1] == "load them with datasets.load_dataset('out/deep')"
    assert names(work / "out/deep") == ["README.md", "data", "data/train-00000-of-00001.parquet", "manifest.json"]
    rows = rows_of(work / "out/deep")
    assert len(rows) == 12
    assert {row["fm_task"] for row in rows} == set(TOYS)
    assert good("verify out/deep") == (0, "", "12 rows in 1 shard: all as the manifest says\n")


def test_build_goes_by_the_plan_that_plan_printed(work: Path, good: Flanmix) -> None:
    plan = json.loads(good("plan mix.yaml --rows 5 --seed 3 --format json").out)
    good("build mix.yaml -o out --rows 5 --seed 3 -q")
    manifest = json.loads((work / "out/manifest.json").read_text())
    assert manifest["plan"] == plan["plan"]
    assert {task["task"]: task["planned"] for task in manifest["tasks"]} == {
        t["task"]: t["rows"] for t in plan["tasks"]
    }


def test_build_is_silent_when_asked(work: Path, good: Flanmix) -> None:
    assert good("build mix.yaml -o out --quiet") == (0, "", "")


def test_a_dry_run_prints_the_plan_and_writes_nothing(work: Path, good: Flanmix) -> None:
    before = names(work)
    assert good("build mix.yaml -o out --dry-run") == (0, good("plan mix.yaml").out, "")
    assert names(work) == before


def test_build_shows_its_first_rows(work: Path, good: Flanmix) -> None:
    shown = good("build mix.yaml -o out -q --show 2")
    first = rows_of(work / "out")[0]
    assert shown.err == ""
    assert shown.out.count("[input]\n") == shown.out.count("[target]\n") == 2
    assert f"[input]\n{first['prompt'].removesuffix(chr(10))}\n[target]\n{first['completion']}\n" in shown.out


def test_build_takes_a_layout_a_format_and_sizes(work: Path, good: Flanmix) -> None:
    good("build mix.yaml -o out -q --layout messages --arrow --no-metadata --shard-rows 5")
    assert [file.name for file in sorted((work / "out/data").iterdir())] == [
        f"train-{shard:05d}-of-00003.arrow" for shard in range(3)
    ]
    good("build mix.yaml -o tiny -q --layout messages --no-metadata --max-shard-size 1B")
    assert pq.read_schema(next((work / "tiny/data").iterdir())).names == ["messages"]


def test_any_number_of_processes_gives_the_same_bytes(work: Path, good: Flanmix) -> None:
    good("build mix.yaml -o one -q --shard-rows 4")
    good("build mix.yaml -o two -q --shard-rows 4 --num-proc 2")
    for name in names(work / "one"):
        if (work / "one" / name).is_file():
            assert (work / "two" / name).read_bytes() == (work / "one" / name).read_bytes(), name


def test_a_finished_build_is_left_as_it_is_and_another_one_replaces_it_when_asked(work: Path, good: Flanmix) -> None:
    good("build mix.yaml -o out -q")
    before = {name: (work / "out" / name).stat().st_mtime_ns for name in names(work / "out")}
    good("build mix.yaml -o out -q")
    assert {name: (work / "out" / name).stat().st_mtime_ns for name in names(work / "out")} == before
    good("build mix.yaml -o out -q --rows 5 --replace")
    assert len(rows_of(work / "out")) == 5


def test_replace_is_no_problem_where_there_is_nothing_to_replace(work: Path, good: Flanmix) -> None:
    good("build mix.yaml -o new/folder -q --replace")
    (work / "empty").mkdir()
    good("build mix.yaml -o empty -q --replace")


# ---- registries


def test_the_folder_of_a_mixtures_file_is_its_registry(
    work: Path, good: Flanmix, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "elsewhere").mkdir()
    monkeypatch.chdir(work / "elsewhere")
    plan = json.loads(good("plan ../mix.yaml --format json").out)
    assert [task["task"] for task in plan["tasks"]] == TOYS
    good("build ../mix.yaml -o out -q")
    assert names(work / "elsewhere")[0] == "out"


def test_a_mixture_is_found_by_its_name_whatever_else_is_called_so(work: Path, good: Flanmix) -> None:
    (work / "mini").mkdir()
    good("plan mini -r .")


def test_other_files_beside_a_mixture_do_not_matter_but_all_of_a_registry_must_be_ours(
    work: Path, good: Flanmix, flanmix: Flanmix
) -> None:
    (work / "compose.yaml").write_text("services: {db: {image: x}}\n")
    (work / "gone.yaml").symlink_to(work / "nowhere.yaml")
    good("plan mix.yaml")
    refused = flanmix("ls -r .").err.splitlines()
    assert [line.split(": ")[0] for line in refused] == ["compose.yaml:1", "gone.yaml"]


def test_a_mixture_takes_tasks_of_several_folders(work: Path, good: Flanmix) -> None:
    for name in ("sums", "colours"):
        (work / name).mkdir()
        for file in work.glob(f"{name}.*"):
            file.rename(work / name / file.name)
    (work / "riddles.yaml").rename(work / "colours/riddles.yaml")
    (work / "mixes").mkdir()
    (work / "mix.yaml").rename(work / "mixes/mix.yaml")
    plan = json.loads(good("plan mini -r sums -r colours -r mixes --format json").out)
    assert [task["task"] for task in plan["tasks"]] == TOYS
    good("plan mixes/mix.yaml -r sums --registry colours")


def test_a_folder_may_be_named_twice(work: Path, good: Flanmix) -> None:
    good("plan mix.yaml -r .")
    good("plan ./mix.yaml -r ./")


# ---- the whole


def test_without_a_command_the_help_is_told(flanmix: Flanmix) -> None:
    result = flanmix("")
    assert (result.code, result.out) == (2, "")
    assert all(command in result.err for command in COMMANDS)


def test_help_names_every_command(good: Flanmix) -> None:
    shown = good("--help").out
    for command, text in COMMANDS.items():
        assert f"{command} " in shown
        assert text in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_of_its_own(good: Flanmix, command: str) -> None:
    shown = good(f"{command} -h")
    assert shown.out.startswith(f"Usage: flanmix {command} ")
    assert shown.err == ""


def test_the_version_is_told(good: Flanmix) -> None:
    assert good("--version").out == f"flanmix, version {__version__}\n"


def test_check_tells_problems_of_every_kind_in_one_run(work: Path, flanmix: Flanmix) -> None:
    (work / "more").mkdir()
    (work / "more/key.yaml").write_text("task: more/key\ntpye: nli\nsource: {files: a.tsv}\n")
    (work / "more/family.yaml").write_text("family: broken\nfields: [a]\ntemplates: []\n")
    (work / "more/uses.yaml").write_text(
        "task: more/uses\ntype: nli\nsource: {files: a.tsv}\ntemplates: {use: [broken, nlii]}\n"
    )
    (work / "more/template.yaml").write_text(
        "task: more/template\ntype: nli\nsource: {files: a.tsv}\nfields: {a: a}\n"
        "templates: [{name: x, input: '{{ b }}', target: '{{ a }}'}]\n"
    )
    told = [line.split(" - ")[0] for line in flanmix("check -r more").err.splitlines()]
    assert told == [
        "more/family.yaml:3: templates: is empty",
        "more/key.yaml:1: type: is missing",
        "more/key.yaml:2: tpye: unknown key 'tpye'",
        "more/uses.yaml:4: templates.use[1]: no family is called 'nlii'",
        "more/template.yaml:5: templates[0].input: 'b' is no field of the task more/template",
    ]


# ---- check --explain

ODD = """\
family: odd
fields: [question, answer]
templates:
  - name: remembers
    input: |-
      {{ question }}
      {% set seen = [] %}{{ seen.append(answer) or '' }}{{ seen }}
    target: "{{ answer }}"
  - {name: plain, input: "{{ question | title }}", target: "{% if answer %}{{ answer }}{% endif %}"}
"""


def test_check_explains_what_makes_a_template_go_by_rows(work: Path, good: Flanmix) -> None:
    (work / "odd.yaml").write_text(ODD)
    shown = good("check -r . --explain --format json")
    records = {record["template"]: record for record in json.loads(shown.out)}
    assert records["riddles/choose"]["engine"] == records["odd/plain"]["engine"] == "columns"
    assert records["odd/remembers"] == {
        "template": "odd/remembers",
        "engine": "rows",
        "construct": "a call of 'append', which may change what it is given or remember",
        "place": "odd.yaml:7: templates[0].input",
    }
    assert re.search(r"with \d+ templates, 2 families that no task uses: no problems\n\Z", shown.err)


def test_check_explains_each_template_once(work: Path, good: Flanmix) -> None:
    shown = good("check mix.yaml --explain")
    assert [line.split()[1] for line in shown.out.splitlines() if "columns" in line] == [
        "plain",
        "polite",
        "riddles/choose",
    ]
    assert shown.err.splitlines() == ["3 of 3 templates go by columns", "2 tasks with 3 templates: no problems"]


def test_check_finds_problems_of_families_that_no_task_uses(work: Path, flanmix: Flanmix) -> None:
    (work / "odd.yaml").write_text(ODD.replace("{{ question | title }}", "{{ qestion | titel }}"))
    result = flanmix("check -r .")
    assert (result.code, result.out) == (1, "")
    assert result.err == "odd.yaml:9: templates[1].input: No filter named 'titel'. - did you mean 'title'?\n"
    (work / "odd.yaml").write_text(ODD.replace("{{ question | title }}", "{{ qestion | title }}"))
    assert flanmix("check -r .").err == (
        "odd.yaml:9: templates[1].input: 'qestion' is no field of the family odd - did you mean 'question'?\n"
    )


def test_every_bundled_template_goes_by_columns(good: Flanmix) -> None:
    records = json.loads(good("check --explain --format json").out)
    assert len(records) > 200
    assert {record["engine"] for record in records} == {"columns"}


def test_a_shown_row_tells_all_that_is_said_in_it() -> None:
    row = Example(4, "toy", "nli", "talk", 2, 0, "Why?", "So.", system="Be brief.", history=(("Hi", "Hello"),))
    assert _shown(row) == (
        "--- row 4: toy, template talk, source row 2\n[system]\nBe brief.\n[user]\nHi\n[assistant]\nHello\n"
        "[input]\nWhy?\n[target]\nSo."
    )
    plain = Example(4, "toy", "nli", "talk", 2, 0, "Why?", "So.")
    assert _shown(plain) == "--- row 4: toy, template talk, source row 2\n[input]\nWhy?\n[target]\nSo."
