"""Styles, exemplars and options as they stand in a mixture's file: what may be written, what a mistake is told."""

from pathlib import Path
from typing import Any

import pytest

import flanmix as fm
from flanmix.cli import run
from flanmix.spec import Options, ShotFormat, Shots, shares_of
from flanmix.spec.axes import ShotRange

TASK = """\
task: toy/sums
type: arithmetic
source: {files: sums.tsv}
fields: {question: q, answer: a}
templates:
  - name: plain
    input: "{{ question }}"
    target: "{{ answer }}"
"""
MIXTURE = """\
mixture: mini
rows: 4
parts:
  - {select: "toy/*"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task of eight rows; the mixture is written by each test."""
    place = tmp_path_factory.mktemp("axes")
    (place / "sums.yaml").write_text(TASK, encoding="utf-8")
    (place / "sums.tsv").write_text("q\ta\n" + "".join(f"{n} + {n}?\t{2 * n}\n" for n in range(8)), encoding="utf-8")
    return place


def written(folder: Path, lines: str) -> Any:
    """The mixture with more lines, as it is read from its file."""
    (folder / "mix.yaml").write_text(f"{MIXTURE}{lines}\n", encoding="utf-8")
    return fm.load_registry(folder, bundled=False, plugins=False).mixture("mini")


# What may be written


@pytest.mark.parametrize(
    ("lines", "weights"),
    [
        ("shots: 3", {3: 1.0}),
        ("shots: {count: 2}", {2: 1.0}),
        ("shots: {count: {min: 2, max: 4}}", {2: 1.0, 3: 1.0, 4: 1.0}),
        ("shots: {count: {1: 1, 3: 2}}", {1: 1.0, 3: 2.0}),
        ("shots:\n  count:\n    10: 0.5\n    2: 1", {2: 1.0, 10: 0.5}),
        ("shots: {place: turns}", {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0}),
    ],
)
def test_numbers_of_exemplars(folder: Path, lines: str, weights: dict[int, float]) -> None:
    shots = written(folder, lines).shots
    assert (shots if isinstance(shots, Shots) else Shots(shots)).weights == weights


def test_exemplars_from_a_file_are_those_made_in_python(folder: Path) -> None:
    lines = """\
shots:
  count: {min: 1, max: 2}
  balance: answers
  templates: own
  formats: [qa, {name: mine, input_prefix: "> ", cue: " =", between: "", separator: "\\n"}]
  max_characters: 900
"""
    mine = ShotFormat("mine", input_prefix="> ", cue=" =", between="", separator="\n")
    made = Shots(ShotRange(min=1, max=2), balance="answers", templates="own", formats=["qa", mine], max_characters=900)
    assert written(folder, lines).shots == made == Shots({"min": 1, "max": 2}, **{
        name: getattr(made, name) for name in ("balance", "templates", "formats", "max_characters")
    })  # fmt: skip


def test_counts_made_in_python_are_those_of_a_file(folder: Path) -> None:
    assert Shots({1: 1, 3: 2}) == Shots({"1": 1, "3": 2}) == written(folder, "shots: {count: {1: 1, 3: 2}}").shots


def test_the_grid_of_flan_has_a_name(folder: Path) -> None:
    assert shares_of(written(folder, "styles: flan").styles) == {"few_shot": 0.5, "options": 0.5}
    plan = written(folder, "styles: flan\nshots: 2").plan(fm.load_registry(folder, bundled=False, plugins=False))
    assert sorted(len(row.shots) for row in plan) == [0, 0, 2, 2]


def test_few_shot_is_no_part_of_what_styles_add_up_to(folder: Path) -> None:
    styles = written(folder, "styles: {few_shot: 0.9, cot: 0.5, inverted: 0.2, options: 0.3}").styles
    assert styles == {"few_shot": 0.9, "cot": 0.5, "inverted": 0.2, "options": 0.3}


def test_options_in_their_short_and_long_forms(folder: Path) -> None:
    assert written(folder, "options: letters").options == Options("letters") == Options(["letters"])
    long = written(folder, "options: {styles: {letters: 1, roman: 2}, order: shuffled, target: {text: 1, label: 3}}")
    assert long.options == Options({"letters": 1, "roman": 2}, order="shuffled", target={"text": 1, "label": 3})


def test_a_plan_from_a_file_shows_its_exemplars(folder: Path) -> None:
    tasks = fm.load_registry(folder, bundled=False, plugins=False)
    plan = written(folder, "shots: {count: {1: 1, 3: 1}}").plan(tasks)
    assert sorted(len(row.shots) for row in plan) == [1, 1, 3, 3]


# What each mistake is told: one line, which says where


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("shots: 0", "5: shots: should be 1 or more, not 0"),
        ("shots: many", "5: shots: should be a whole number, not 'many'"),
        ("shots: true", "5: shots: should be a whole number, not true"),
        ("shots: 2.5", "5: shots: should be a whole number, not 2.5"),
        ("shots:\n  count: 65", "6: shots.count: should be 64 or less, not 65"),
        ("shots:\n  count:\n    min: 3\n    max: 1", "6: shots.count: min 3 is above max 1 - swap them"),
        ("shots:\n  count:\n    min: 3", "6: shots.count.max: is missing"),
        (
            "shots:\n  count:\n    min: 3\n    mux: 4\n    max: 5",
            "8: shots.count.mux: unknown key 'mux' - did you mean 'max'?",
        ),
        ("shots:\n  count: {}", "6: shots.count: is empty - give one at least"),
        ("shots:\n  count:\n    1: 1\n    one: 1", "8: shots.count.one: should be a whole number, not 'one'"),
        ("shots:\n  count:\n    1: 1\n    2: 0", "8: shots.count.2: should be more than 0, not 0"),
        ("shots:\n  count:\n    1: 1\n    0: 1", "8: shots.count.0: should be 1 or more, not 0"),
        ("shots:\n  count:\n    1: 1\n    01: 1", "8: shots.count.01: should be a whole number, not '01'"),
        (
            "shots:\n  count:\n    1: 1\n    1: 2",
            "8: shots.count.1: the key '1' stands here twice - keep one; the first is on line 7",
        ),
        ("shots:\n  count: 3\n  cuont: 3", "7: shots.cuont: unknown key 'cuont' - did you mean 'count'?"),
        (
            "shots:\n  balance: answer",
            "6: shots.balance: 'answer' is not one of 'none' or 'answers' - did you mean 'answers'?",
        ),
        ("shots:\n  templates: each", "6: shots.templates: 'each' is not one of 'same' or 'own'"),
        ("shots:\n  place: turn", "6: shots.place: 'turn' is not one of 'text' or 'turns' - did you mean 'turns'?"),
        ("shots:\n  formats: []", "6: shots.formats: is empty - give one at least"),
        ("shots:\n  formats: qa", "6: shots.formats: should be a list, not 'qa'"),
        (
            "shots:\n  formats:\n    - qa\n    - qaa",
            "8: shots.formats[1]: no format of exemplars is called 'qaa' - did you mean 'qa'?",
        ),
        ("shots:\n  formats:\n    - cue: x", "7: shots.formats[0].name: is missing"),
        ("shots:\n  max_characters: 0", "6: shots.max_characters: should be 1 or more, not 0"),
        (
            "shots:\n  count: 1\n  max_tokens: 99",
            "7: shots.max_tokens: exemplars in tokens need a tokenizer - "
            "name a tokenizer.json, its folder or a Hub id as 'tokenizer', or use 'max_characters'",
        ),
        ("styles: flam", "5: styles: 'flam' is not one of 'flan' - did you mean 'flan'?"),
        ("styles:\n  few_shot: 1.5", "6: styles.few_shot: should be 1 or less, not 1.5"),
        (
            "styles:\n  cot: 0.1\n  plain: 0.5",
            "7: styles.plain: 'plain' is not one of 'few_shot', 'inverted', 'cot' or 'options'",
        ),
        ("options: romans", "5: options: no option style is called 'romans' - did you mean 'roman'?"),
        ("options:\n  styles: []", "6: options.styles: is empty - give one at least"),
        ("options:\n  order: random", "6: options.order: 'random' is not one of 'kept' or 'shuffled'"),
        (
            "options:\n  styles: letters\n  target: number",
            "7: options.target: 'number' is not one of 'text', 'label' or 'both'",
        ),
        ("options:\n  styles:\n    letters: 0", "7: options.styles.letters: should be more than 0, not 0"),
        (
            "options:\n  styles:\n    - {name: x, labels: capitals}",
            "7: options.styles[0]: 'labels' and a '{}' in 'label' go together - give both, or neither",
        ),
        ("templates: each", "5: templates: 'each' is not one of 'drawn', 'even' or 'cycle'"),
        ("templates_per_row: 0", "5: templates_per_row: should be 1 or more, not 0"),
        ("templates_per_row: two", "5: templates_per_row: should be a whole number, not 'two'"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_own(
    folder: Path, lines: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("mix.yaml").write_text(f"{MIXTURE}{lines}\n", encoding="utf-8")
    assert run(["plan", "mix.yaml"]) == 1
    found = capsys.readouterr()
    assert found.err.splitlines() == [f"mix.yaml:{says}"]
    assert found.out == ""


def test_all_mistakes_are_told_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    lines = "shots:\n  count: 0\n  place: turn\noptions:\n  order: random\n"
    Path("mix.yaml").write_text(MIXTURE + lines, encoding="utf-8")
    assert run(["plan", "mix.yaml"]) == 1
    told = [line.partition(": should")[0].partition(": '")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["mix.yaml:6: shots.count", "mix.yaml:7: shots.place", "mix.yaml:9: options.order"]
