"""`flanmix plan`: a mixture of known sizes in an empty folder, every option, and every wrong input."""

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Flanmix, Result
from tests.toy_tokens import library

SIZED = """\
mixture: sized
rows: 1000
sizes:
  cot: {plain: 30, cot: 10}
  "odd: name, with spaces": 20
  glue/rte: 40
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one mixture in it and nothing else."""
    (tmp_path / "sized.yaml").write_text(SIZED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def facts(result: Result) -> dict[str, Any]:
    assert (result.code, result.err) == (0, "")
    found: dict[str, Any] = json.loads(result.out)
    return found


def leaves(result: Result) -> dict[tuple[str, str], int]:
    return {(record["task"], record["style"]): record["rows"] for record in facts(result)["tasks"]}


# Known sizes and nothing else


def test_a_plan_of_known_sizes_needs_no_data(folder: Path, flanmix: Flanmix) -> None:
    found = facts(flanmix("plan sized.yaml --format json"))
    assert (found["rows"], found["mixture"], found["relaxed"]) == (1000, "sized", [])
    assert [(record["task"], record["style"], record["share"], record["rows"]) for record in found["tasks"]] == [
        ("cot", "cot", 0.1, 100),
        ("cot", "plain", 0.3, 300),
        ("glue/rte", "any", 0.4, 400),
        ("odd: name, with spaces", "any", 0.2, 200),
    ]
    assert sorted(file.name for file in folder.iterdir()) == ["sized.yaml"]


def test_shares_are_as_exact_as_a_float_can_be(folder: Path, flanmix: Flanmix) -> None:
    choice = random.Random(4)
    sizes = {f"t{number}": {"zs opt": choice.randint(1, 10**6), "fs": choice.randint(1, 10**6)} for number in range(50)}
    (folder / "many.yaml").write_text(json.dumps({"mixture": "many", "rows": 123_457, "sizes": sizes}))
    whole = sum(size for styles in sizes.values() for size in styles.values())
    found = facts(flanmix("plan many.yaml --format json"))
    assert len(found["tasks"]) == 100
    for record in found["tasks"]:
        share = Fraction(sizes[record["task"]][record["style"]], whole)
        assert record["share"] == record["share_asked"] == float(share)
        assert abs(record["rows"] - share * 123_457) < 1
    assert sum(record["rows"] for record in found["tasks"]) == 123_457


def test_weights_and_parts_go_by_name_whatever_the_name(folder: Path, flanmix: Flanmix) -> None:
    names = ["a: b", "-dash", "x*y", "type:nli", "emoji 🙂", "0", "yes", "a"]
    mixture: dict[str, Any] = {"mixture": "odd", "rows": 360, "sizes": dict.fromkeys(names, 10)}
    (folder / "odd.yaml").write_text(json.dumps(mixture, ensure_ascii=False))
    assert set(leaves(flanmix("plan odd.yaml --format json")).values()) == {45}
    weights = {name: number for number, name in enumerate(names, 1)}
    (folder / "odd.yaml").write_text(json.dumps({**mixture, "weights": weights}, ensure_ascii=False))
    assert leaves(flanmix("plan odd.yaml --format json")) == {(name, "any"): 10 * n for name, n in weights.items()}
    parts = [{"select": name, "weight": number} for name, number in weights.items()]
    (folder / "odd.yaml").write_text(json.dumps({**mixture, "parts": parts}, ensure_ascii=False))
    assert leaves(flanmix("plan odd.yaml --format json")) == {(name, "any"): 10 * n for name, n in weights.items()}


def test_the_weight_of_a_task_is_that_of_all_its_styles(folder: Path, flanmix: Flanmix) -> None:
    text = SIZED + 'weights: {cot: 2, "odd: name, with spaces": 1, glue/rte: 1}\n'
    (folder / "sized.yaml").write_text(text)
    found = leaves(flanmix("plan sized.yaml --format json"))
    assert [found[leaf] for leaf in sorted(found)] == [250, 250, 250, 250]


def test_the_table_and_a_build_of_known_sizes(folder: Path, flanmix: Flanmix) -> None:
    result = flanmix("plan sized.yaml")
    assert (result.code, result.err) == (0, "")
    assert "sized: 1,000 rows of 3 tasks" in result.out
    assert "odd: name, with spaces" in result.out
    refused = flanmix("build sized.yaml -o out")
    assert refused.code == 2
    assert "the size is known and no data" in refused.err
    assert not (folder / "out").exists()


def test_why_tells_in_words_where_the_rows_come_from(folder: Path, flanmix: Flanmix) -> None:
    (folder / "sized.yaml").write_text(SIZED + "defaults: {max_epochs: 15}\n")
    result = flanmix("plan sized.yaml --why 'odd: name, with spaces'")
    assert (result.code, result.err) == (0, "")
    assert "gives 200 rows of 1,000: a share of 20.0000%" in result.out
    assert "Its size is told: 20 rows" in result.out
    short = flanmix("plan sized.yaml --rows 1501 --why cot")
    assert short.code == 1
    assert "is to give 1,501 rows, and can give 1,500 at most" in short.err
    relaxed = flanmix("plan sized.yaml --rows 1501 --relax --why cot")
    assert "because of max_epochs" in relaxed.out or "gives 600 rows of 1,500" in relaxed.out


def test_relax_takes_the_nearest_numbers_and_says_which(folder: Path, flanmix: Flanmix) -> None:
    (folder / "sized.yaml").write_text(SIZED + "defaults: {max_epochs: 2}\n")
    found = facts(flanmix("plan sized.yaml --relax --format json"))
    assert found["rows"] == sum(record["rows"] for record in found["tasks"]) == 200
    assert found["relaxed"] == ["mixture 'sized': at least 1,000 became 200"]
    assert "relaxed: mixture 'sized': at least 1,000 became 200" in flanmix("plan sized.yaml --relax").out


def test_without_and_weights_on_the_command_line(folder: Path, flanmix: Flanmix) -> None:
    left = leaves(flanmix("plan sized.yaml --without cot --without 'glue/*' --format json"))
    assert left == {("odd: name, with spaces", "any"): 1000}
    (folder / "w.json").write_text('{"train_domain_weights": {"cot": 1, "odd: name, with spaces": 1, "glue/rte": 2}}')
    found = leaves(flanmix("plan sized.yaml --weights w.json --format json"))
    assert (found["glue/rte", "any"], found["cot", "cot"], found["cot", "plain"]) == (500, 125, 125)
    both = leaves(flanmix("plan sized.yaml --weights w.json --without cot --format json"))
    assert sorted(both.values()) == [333, 667]


def test_weights_that_are_written_can_be_given_again(folder: Path, flanmix: Flanmix) -> None:
    result = flanmix("plan sized.yaml --write-weights w.json --format json")
    assert (result.code, result.err) == (0, "wrote w.json\n")
    assert json.loads((folder / "w.json").read_text())["train_domain_weights"] == {
        "cot": 0.4,
        "glue/rte": 0.4,
        "odd: name, with spaces": 0.2,
    }
    found = leaves(flanmix("plan sized.yaml --weights w.json --format json"))
    assert (found["glue/rte", "any"], found["cot", "cot"], found["cot", "plain"]) == (400, 200, 200)


# With data


def test_tokens_with_a_tokenizer_of_ones_own(work: Path, flanmix: Flanmix) -> None:
    library("bpe").save(str(work / "tokenizer.json"))
    found = facts(flanmix("plan mix.yaml --tokens 500 --tokenizer tokenizer.json --format json"))
    assert abs(found["tokens"] - 500) < 25
    assert sum(record["tokens"] for record in found["tasks"]) == pytest.approx(found["tokens"], abs=25)
    sums, colours = found["tasks"]
    assert {sums["task"], colours["task"]} == {"toy/sums", "toy/colours"}
    assert sum(record["share_tokens"] for record in found["tasks"]) == pytest.approx(1)
    assert "tokens" in flanmix("plan mix.yaml --tokenizer tokenizer.json").out


def test_against_tells_what_a_build_would_change(work: Path, flanmix: Flanmix) -> None:
    assert flanmix("build mix.yaml -o out -q").code == 0
    same = flanmix("plan mix.yaml --against out")
    assert (same.code, same.err) == (0, "")
    assert "2 tasks would stay as they are" in same.out
    found = {
        each["task"]: each for each in json.loads(flanmix("plan mix.yaml --rows 15 --against out --format json").out)
    }
    assert (found["toy/sums"]["before"], found["toy/sums"]["after"], found["toy/sums"]["kept"]) == (8, 10, 8)
    gone = flanmix("plan mix.yaml --without type:riddles --against out --format json")
    assert [(each["task"], each["what"], each["gone"]) for each in json.loads(gone.out)] == [
        ("toy/colours", "removed", 4),
        ("toy/sums", "changed", 0),
    ]


STAGED = """\
mixture: staged
stages:
  - {name: broad, parts: [{select: toy/sums}], rows: 20}
  - {name: late, parts: [{select: toy/colours}], rows: 4, replay: {broad: 0.25}}
"""


def test_a_mixture_with_stages(work: Path, flanmix: Flanmix) -> None:
    (work / "staged.yaml").write_text(STAGED)
    found = facts(flanmix("plan staged.yaml --format json"))
    rows = {(record["stage"], record["task"]): record["rows"] for record in found["tasks"] if record["style"] == "any"}
    assert rows == {("broad", "toy/sums"): 20, ("late", "toy/colours"): 4, ("late", "toy/sums"): 5}
    assert (found["rows"], found["stages"]["late"]["rows"]) == (29, 9)
    assert "Stage late:\ntoy/sums gives 5 rows of 9" in flanmix("plan staged.yaml --why toy/sums").out
    assert flanmix("build staged.yaml -o out -q").code == 0
    assert flanmix("verify out").code == 0
    assert flanmix("plan staged.yaml --against out").code == 0
    plain = flanmix("plan mix.yaml --against out")
    assert (plain.code, "has stages, and the mixture 'mini' has none" in plain.err) == (1, True)
    assert flanmix("plan staged.yaml --rows 5").code == 2


# Wrong inputs

WRONG: dict[str, tuple[str, str, int]] = {
    "a file that is not there": ("plan none.yaml", "there is no file none.yaml", 2),
    "a mixture of no name": ("plan nome", "no mixture is called 'nome'", 2),
    "a task of no name": (
        "plan sized.yaml --why glue/rtf",
        "the plan has no task 'glue/rtf' - did you mean 'glue/rte'?",
        2,
    ),
    "a folder without a build": ("plan sized.yaml --against .", "manifest.json: is not there", 1),
    "a folder that is not there": ("plan sized.yaml --against none", "manifest.json: is not there", 1),
    "no rows": ("plan sized.yaml --rows 0", "0 is not in the range", 2),
    "epochs without end": ("plan sized.yaml --epochs inf", "epochs", 2),
    "epochs that are none": ("plan sized.yaml --epochs nan", "epochs", 2),
    "two budgets": ("plan sized.yaml --rows 5 --epochs 1", "one of", 2),
    "tokens without a tokenizer": ("plan sized.yaml --tokens 5", "needs 'tokenizer'", 2),
    "tokens of known sizes": ("plan sized.yaml --tokens 5 --tokenizer t.json", "sizes are all that is known", 1),
    "a selector of nothing": ("plan sized.yaml --without type:nli", "exclude[0]: 'type:nli' takes no task out", 1),
    "a broken selector": ("plan sized.yaml --without kind:nli", "which is none of type:", 1),
    "an empty selector": ("plan sized.yaml --without ''", "the selector is empty", 1),
    "everything": ("plan sized.yaml --without '*'", "'exclude' takes out every task", 1),
    "weights that are not there": ("plan sized.yaml --weights none.json", "none.json: cannot be read", 1),
    "weights of another mixture": ("plan sized.yaml --weights other.json", "'x' is no task of the mixture", 1),
    "weights without a number": ("plan sized.yaml --weights bad.json", "bad.json: cot: is 'much'", 1),
    "weights that are no JSON": ("plan sized.yaml --weights sized.yaml", "sized.yaml: is no JSON", 1),
    "a place that is none": ("plan sized.yaml --write-weights no/where.json", "no", 1),
    "too many rows": ("plan tight.yaml", "is to give 1,000 rows, and can give 100 at most", 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_are_told_in_a_line(name: str, folder: Path, flanmix: Flanmix) -> None:
    command, said, code = WRONG[name]
    (folder / "other.json").write_text('{"x": 1}')
    (folder / "bad.json").write_text('{"cot": "much"}')
    (folder / "tight.yaml").write_text(SIZED.replace("sized", "tight") + "defaults: {max_epochs: 1}\n")
    result = flanmix(command)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert "Traceback" not in result.err


WRONG_FILES = {
    "sizes: {}": "needs 'parts'",
    "sizes: {a: 0}": "sizes.a",
    "sizes: {a: -1}": "sizes.a",
    "sizes: {a: 1.5}": "sizes.a",
    "sizes: {a: many}": "sizes.a",
    "sizes: {a: {}}": "sizes.a",
    "sizes: {a: {cot: 0}}": "sizes.a",
    "sizes: {a: null}": "sizes.a",
    "sizes: {a: true}": "sizes.a",
    "sizes: [1]": "sizes",
    "sizes: {a: 1, a: 2}": "a",
    "sizes: {a: 10000000000000}": "sizes.a",
    "sizes: {a: 1}\nweights: {a: 0}": "weights.a",
    "sizes: {a: 1}\nweights: {a: .nan}": "weights.a",
    "sizes: {a: 1}\nweights: {b: 1}": "'b' is no task of the mixture",
    "sizes: {a: 1}\nparts: [{select: b}]": "'b' selects no task",
    "sizes: {a: 1}\nparts: [{mixture: m}]": "would hold itself",
    "sizes: {a: 1}\nparts: [{mixture: n}]": "no mixture is called 'n'",
    "sizes: {a: 1}\ntypes: {nli: {max_share: 0.1}}": "no task of the mixture has the type 'nli'",
    "sizes: {a: 1}\ntags: {x: {min_rows: 1}}": "no task of the mixture has the tag 'x'",
    "sizes: {a: 1}\nexclude: [b]": "takes no task out",
    "sizes: {a: 1}\norder: random": "order",
    "sizes: {a: 1}\ntemplates: odd": "templates",
    "sizes: {a: 1}\ndefaults: {min_share: 0.5, max_share: 0.1}": "min_share 0.5 is above max_share 0.1",
    "sizes: {a: 1}\ndefaults: {rate: best}": "rate",
    "sizes: {a: 1}\ndefaults: {rate: unimax, temperature: 2}": "takes no 'temperature'",
    "sizes: {a: 1}\ndefaults: {rate: t0, scale: 2}": "takes no 'scale'",
    "sizes: {a: 9}\ndefaults: {temperature: 0.000001}": "beyond 1e300",
    "sizes: {a: 1}\nparts: [{select: a, parts: [{select: a}]}]": "a part needs one of",
    "sizes: {a: 1}\nparts: [{select: a, weight: 1, rows: 1}]": "at most one of",
    "sizes: {a: 1}\nstages: [{name: x, parts: [{select: a}], rows: 5}]": "budget",
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_wrong_files_are_told_with_their_line(text: str, folder: Path, flanmix: Flanmix) -> None:
    (folder / "m.yaml").write_text(f"mixture: m\nrows: 10\n{text}\n")
    result = flanmix("plan m.yaml --format json")
    assert (result.code, result.out) == (1, "")
    assert WRONG_FILES[text] in result.err
    assert all(line.startswith("m.yaml:") for line in result.err.splitlines())
    assert "Traceback" not in result.err


@pytest.mark.parametrize("option", ["--rows 20", "--seed 3", "--without b", "--epochs 2"])
def test_options_do_not_take_the_place_from_an_error(option: str, folder: Path, flanmix: Flanmix) -> None:
    (folder / "m.yaml").write_text(
        "mixture: m\nrows: 10\nsizes: {a: 5, b: 5}\nparts:\n  - {select: a}\n  - {select: c}\n"
    )
    assert flanmix(f"plan m.yaml {option}").err.startswith("m.yaml:6: parts[1].select: 'c' selects no task")
