"""Few-shot prompts: exemplars of the task's own rows, never the query, the same for all that is asked of it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.errors import PlanError
from flanmix.evalsets.shots import Asking, Exemplars, Written, prompts_with_shots
from flanmix.keyed import Ints
from flanmix.registry import Registry
from flanmix.spec import ShotFormat, Shots
from tests.evalsets.tasks import ROWS, catalogue, claim, of_tasks, rows_of
from tests.toy import table_task


@pytest.fixture
def tasks(tmp_path: Path) -> Registry:
    return catalogue(tmp_path / "tasks")


def exemplars_of(texts: list[str], usable: list[bool] | None = None, *, inverted: bool = False) -> Exemplars:
    """Rows 100, 101 … with these inputs; their targets are numbered."""

    def write(numbers: Ints) -> Written:
        assert numbers.tolist() == sorted(set(numbers.tolist()))
        chosen = [texts[number] for number in numbers]
        targets = pa.array([f"t{number}" for number in numbers], pa.large_string())
        kept = np.array([True] * len(chosen) if usable is None else [usable[number] for number in numbers], bool)
        return Written(pa.array(chosen, pa.large_string()), targets, numbers + 100, kept)

    return Exemplars(len(texts), write, inverted=inverted)


def put(
    queries: list[str], exemplars: Exemplars, shots: int, seed: int = 0, target: str = "?"
) -> list[tuple[str, list[int], int]]:
    """The prompts of queries that all have one target, the rows before them, and how many were found."""
    texts = [pa.array(each, pa.large_string()) for each in (queries, [target] * len(queries))]
    numbers = np.arange(len(queries))
    form = ShotFormat("x", between="=", separator="; ")
    made = prompts_with_shots(Asking(numbers, numbers, *texts), exemplars, shots=shots, form=form, seed=seed, task="t")
    return list(zip(made.inputs.to_pylist(), made.shots.to_pylist(), made.found.tolist(), strict=True))


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 6),
    st.integers(0, 2**63 - 1),
)
def test_exemplars_are_usable_rows_that_are_neither_the_query_nor_each_other(
    queries: list[str], pool: list[tuple[str, bool]], shots: int, seed: int
) -> None:
    texts, usable = [text for text, _ in pool], [good for _, good in pool]
    for query, (prompt, rows, found) in zip(
        queries, put(queries, exemplars_of(texts, usable), shots, seed), strict=True
    ):
        others = [n for n, (text, good) in enumerate(pool) if good and text != query]
        assert found == min(shots, len(others))
        assert len(rows) == (shots if found == shots else 0)
        assert {row - 100 for row in rows} <= set(others)
        assert len(set(rows)) == len(rows)
        pairs = [f"{texts[row - 100]}=t{row - 100}" for row in rows]
        assert prompt == "; ".join([*pairs, query])


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_what_a_query_gets_does_not_depend_on_the_others(seed: int, shots: int) -> None:
    exemplars = exemplars_of([f"e{n}" for n in range(2000)])
    queries = [f"q{n}" for n in range(9)]
    together = put(queries, exemplars, shots, seed)
    assert together[:4] == put(queries[:4], exemplars, shots, seed)
    assert together == put(queries, exemplars, shots, seed)


def test_fewer_shots_are_the_first_of_more() -> None:
    exemplars = exemplars_of([f"e{n}" for n in range(5000)])
    queries = [f"q{n}" for n in range(50)]
    few, more = put(queries, exemplars, 2), put(queries, exemplars, 5)
    assert all(one[1] == other[1][:2] for one, other in zip(few, more, strict=True))


@pytest.mark.parametrize("size", [40, 3000])
def test_every_row_is_drawn_as_often_as_the_others(size: int) -> None:
    found = put([f"q{n}" for n in range(20_000)], exemplars_of([f"e{n}" for n in range(size)]), 3)
    counts = Counter(row for _, rows, _ in found for row in rows)
    observed = np.array([counts[100 + n] for n in range(size)])
    expected = 60_000 / size
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert abs(statistic - size) < 5 * (2 * size) ** 0.5


def test_a_few_rows_among_many_duplicates_are_found() -> None:
    texts = ["same"] * 2990 + [f"e{n}" for n in range(10)]
    for _, rows, found in put(["same"] * 20, exemplars_of(texts), 2):
        assert found == 2
        assert all(row >= 3090 for row in rows)


def test_inputs_that_are_made_of_answers_are_told_apart_by_their_targets() -> None:
    answer = "a whole sentence that no other row has"
    assert [found for *_, found in put(["write"], exemplars_of(["write"] * 9), 3, target=answer)] == [0]
    assert [found for *_, found in put(["write"], exemplars_of(["write"] * 9, inverted=True), 3, target=answer)] == [3]


# ---- in sets


def test_exemplars_are_of_the_train_split_in_the_wording_of_the_query(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/claims", shots=4, form="generation", quiet=True)
    wordings = {"plain": "Is it so: {}?\n{}.", "listed": "{}\n- yes\n- no\n- it depends\n{}", "even": "{}\n{}"}
    rows = rows_of(sets, "toy__claims_4shot")
    assert {row["fm_template"] for row in rows} == {*wordings}
    for row in rows:
        *shots, query = row["input"].split("\n\n")
        sources = [claim("train", number) for number in row["fm_shots"]]
        choices = ("yes", "no", "it depends")
        texts = [wordings[row["fm_template"]].format(each["claim"], choices[each["label"]]) for each in sources]
        assert shots == texts
        assert claim("validation", row["fm_row"])["claim"] in query
        if row["fm_template"] == "even":
            assert all(number % 2 == 0 for number in row["fm_shots"])
    assert sets.manifest["tasks"][0]["exemplars"] == "train"


def test_a_row_of_train_that_says_what_the_query_says_is_no_exemplar_of_it(tasks: Registry, tmp_path: Path) -> None:
    """Every tenth row of `train` is one of `validation`."""
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/claims", shots=20, form="generation", quiet=True)
    rows = [row for row in rows_of(sets, "toy__claims_20shot") if row["fm_template"] == "plain"]
    assert any(number % 10 == 0 for row in rows for number in row["fm_shots"])
    for row in rows:
        assert claim("validation", row["fm_row"])["claim"] not in [claim("train", n)["claim"] for n in row["fm_shots"]]


def test_a_task_of_one_split_takes_exemplars_there_and_never_the_query(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/sums", shots=19, quiet=True)
    for row in rows_of(sets, "toy__sums_19shot"):
        assert set(row["fm_shots"]) == set(range(20)) - {row["fm_row"]}


def test_all_wordings_of_a_row_have_the_same_exemplars_where_they_can(tasks: Registry, tmp_path: Path) -> None:
    sets = fm.evalset(tasks, tmp_path / "out", select="toy/claims", shots=3, form="generation", quiet=True)
    shots: dict[int, set[tuple[int, ...]]] = {}
    for row in rows_of(sets, "toy__claims_3shot"):
        if row["fm_template"] != "even":  # which does not serve every row
            shots.setdefault(row["fm_row"], set()).add(tuple(row["fm_shots"]))
    assert {len(each) for each in shots.values()} == {1}
    assert len({shot for each in shots.values() for shot in each}) == ROWS["validation"]


def test_exemplars_of_small_sets_of_rows_are_those_of_all_rows(tasks: Registry, tmp_path: Path) -> None:
    def found(out: str, **options: object) -> dict[tuple[int, str], str]:
        sets = fm.evalset(tasks, tmp_path / out, select="toy/claims", shots=3, quiet=True, **options)
        return {(row["fm_row"], row["fm_template"]): row["input"] for row in rows_of(sets, "toy__claims_3shot")}

    whole, few = found("whole"), found("few", rows=4)
    assert few.items() < whole.items()
    assert found("other", seed=9) != whole


def test_rows_with_too_few_exemplars_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = {"question": ["a", "a", "b", "c"], "answer": ["1", "2", "3", "4"]}
    tasks = of_tasks(table_task("toy/x", rows))
    sets = fm.evalset(tasks, tmp_path / "two", select="toy/x", shots=2, quiet=True)
    assert len(rows_of(sets, "toy__x_2shot")) == 4
    three = fm.evalset(tasks, tmp_path / "three", select="toy/x", shots=3, quiet=True)
    assert {row["input"][-1] for row in rows_of(three, "toy__x_3shot")} == {"b", "c"}
    assert three.manifest["tasks"][0]["dropped"] == {"fewer than 3 exemplars": 2}
    with pytest.raises(PlanError, match="no row is left: fewer than 4 exemplars"):
        fm.evalset(tasks, tmp_path / "four", select="toy/x", shots=4, quiet=True)


def test_a_mixture_with_one_format_of_exemplars_gives_it(tasks: Registry, tmp_path: Path) -> None:
    mixture = tasks.mixture("lab/mini").model_copy(update={"shots": Shots(2, formats=["qa"])})
    made = fm.evalset(tasks, tmp_path / "out", mixture=mixture, shots=(0, 1), form="generation", quiet=True)
    zero, one = (rows_of(made, f"toy__claims_{shots}shot") for shots in (0, 1))
    assert [row["input"].rpartition("\n\nQ: ")[2] for row in one] == [row["input"] + "\nA:" for row in zero]
    assert all(row["input"].startswith("Q: ") for row in one)
    assert all(row["input"].count("\nA: => ") == 1 for row in one)
    own = fm.evalset(tasks, tmp_path / "own", mixture=mixture, shots=1, shot_format="hashes", quiet=True)
    assert all("\n\n###\n\n" in row["input"] for row in rows_of(own, "toy__claims_1shot"))


def test_no_prompt_holds_its_own_answer_through_an_exemplar(tmp_path: Path) -> None:
    """Over whole sets of the bundled catalogue: what is asked stands in a prompt once, at its end."""
    tasks = fm.load_registry()
    select = ["type:nli", "type:sentiment", "science/*", "type:multiple_choice"]
    sets = fm.evalset(tasks, tmp_path / "out", select=select, shots=(0, 5), templates=3, form="generation", quiet=True)
    for name in sets.names:
        if name.endswith("_5shot"):
            zero = rows_of(sets, name.replace("_5shot", "_0shot"))
            alone = {(row["fm_row"], row["fm_template"]): row["input"] for row in zero}
            for row in rows_of(sets, name):
                query = alone[row["fm_row"], row["fm_template"]]
                before = row["input"].removesuffix(query)
                assert len(before) == len(row["input"]) - len(query)
                assert f"\n\n{query}\n" not in f"\n\n{before}"
                assert row["fm_row"] not in row["fm_shots"]
