"""Published numbers: every rule of ../shared/facts/mixing_vectors.json, and beside other mixers' outcomes, ours."""

import json
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flanmix.rates import Group, Leaf, exact, largest_remainder, rate, solve
from flanmix.rates.presets import effective_epochs, replay, unimax

FILE = Path(__file__).parents[2] / "shared" / "facts" / "mixing_vectors.json"

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="needs ../shared/facts/mixing_vectors.json")


@cache
def vectors() -> dict[str, dict[str, Any]]:
    return {vector["id"]: vector for vector in json.loads(FILE.read_text(encoding="utf-8"))}


def given(name: str) -> tuple[Any, Any]:
    return vectors()[name]["input"], vectors()[name]["expect"]


def mixture(weights: Mapping[str, float | Fraction], **highs: int) -> Group:
    leaves = (
        Leaf(name, exact(weight) if isinstance(weight, float) else Fraction(weight),
             high=Fraction(highs[name]) if name in highs else None)
        for name, weight in weights.items()
    )  # fmt: skip
    return Group("all", Fraction(1), tuple(leaves))


def counts(root: Group, rows: int) -> dict[str, int]:
    return {portion.leaf.name: portion.count for portion in solve(root, rows).portions}


def shares(root: Group) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for portion in solve(root, 1).portions:
        found[portion.leaf.name] = found.get(portion.leaf.name, Fraction(0)) + portion.rows
    return found


# Rules


def test_t5_proportional() -> None:
    sizes, expect = given("t5-glue-proportional")
    found = shares(mixture({name: rate(size) for name, size in sizes.items()}))
    assert sum(sizes.values()) == expect["sum"]
    assert {name: float(share) for name, share in found.items()} == expect["p"]


def test_t5_with_a_cap() -> None:
    asked, expect = given("t5-glue-K65536")
    rates = {name: rate(size, asked["K"]) for name, size in asked["e"].items()}
    assert sum(rates.values()) == expect["sum"]
    assert {name: float(share) for name, share in shares(mixture(rates)).items()} == expect["p"]


def test_seqio_rates() -> None:
    asked, expect = given("seqio-rate-1")
    assert [rate(one["e"], one.get("max"), one.get("T"), one.get("scale", 1)) for one in asked] == expect
    asked, expected = given("seqio-rate-chars")
    assert float(rate(asked["chars"], temperature=asked["T"])) == pytest.approx(expected, abs=1e-10)


def test_nested_mixtures_multiply_down() -> None:
    asked, expect = given("seqio-nested-1")
    inner = Group("another", Fraction(1), mixture(asked["another"]).children)
    found = shares(Group("super", Fraction(1), (inner, Leaf("c", Fraction(1)))))
    whole = sum(expect.values())
    assert found == {name: Fraction(share) / Fraction(whole) for name, share in expect.items()}


def test_a_task_on_two_paths_adds_up() -> None:
    """The README of seqio: mix1 = (t1: 1, t2: 7), mix3 = (mix1: 1, t1: 1, t3: 1)."""
    _, expect = given("seqio-nested-readme")
    one, seven = Fraction(1), Fraction(7)
    inner = Group("mix1", one, (Leaf("task1", one), Leaf("task2", seven)))
    found = shares(Group("mix3", one, (inner, Leaf("task1", one), Leaf("task3", one))))
    assert found == {name: Fraction(text.split("=")[-1]) for name, text in expect.items()}


def test_tulu_percentages() -> None:
    asked, expect = given("tulu-flan-v1")
    weights = {f"{name}.{index}": share for name, parts in asked.items() for index, share in enumerate(parts)}
    found = counts(mixture(weights), expect["total"])
    assert all(count == expect[name.partition(".")[0]] for name, count in found.items())
    assert sum(found.values()) == expect["total"]


def test_the_tulu_3_card_omits_a_part() -> None:
    """A sum of listed parts that is not the stated total: a plan cannot state another total than its counts."""
    parts, expect = given("tulu3-audit")
    assert sum(parts) == expect["sum"] == expect["stated"] - expect["missing"]
    solution = solve(mixture({str(index): Fraction(size) for index, size in enumerate(parts)}), sum(parts))
    assert [portion.count for portion in solution.portions] == parts


def test_flan_2022_chain_of_thought() -> None:
    sizes, expect = given("flan2022-cot_zsopt")
    second = {name: size for name, size in sizes.items() if "input_inversion" in name}
    first = {name: size for name, size in sizes.items() if name not in second}
    capped = {name: rate(size, 100_000) for name, size in sizes.items()}
    assert sum(capped[name] for name in first) == expect["submix_total"]
    groups = (
        Group("CoT", Fraction(1), mixture({name: capped[name] for name in first}).children),
        Group("CoT-II", exact(0.3), mixture({name: capped[name] for name in second}).children),
    )
    found = shares(Group("cot_zsopt", Fraction(1), groups))
    assert found["cot_gsm8k"] == Fraction(expect["p_exact_cot_gsm8k"])
    assert {name: float(share) for name, share in found.items()} == pytest.approx(expect["p"], rel=1e-12)


def test_nemo_blends_have_the_rows_that_were_asked_for() -> None:
    """NeMo-Curator takes ceil(w * N): ten rows of 1:2:3:4 where eight were asked. Ours: 1, 2, 2, 3."""
    (eight, thousand), (ten, exactly) = given("nemo-ceil")
    found = counts(mixture({str(index): weight for index, weight in enumerate(eight["w"])}), eight["N"])
    assert list(found.values()) == [1, 2, 2, 3] != ten["counts"]
    found = counts(mixture({str(index): weight for index, weight in enumerate(thousand["w"])}), thousand["N"])
    assert list(found.values()) == exactly["counts"]


def test_streaming_proportions_of_an_epoch_size() -> None:
    for asked, expect in zip(*given("mosaic-doc"), strict=True):
        assert counts(mixture({"A": 0.25, "B": 0.75}), asked["epoch"]) == expect


def test_streaming_repeat_choose_and_proportion_say_the_same() -> None:
    """Four streams of two samples, repeated 0, 1, 2, 3 times: as fixed rows, as weights and as shares of 12."""
    asked, expect = given("mosaic-mix")
    assert [2 * times for times in asked["repeat"]] == expect["choose"]
    found = counts(mixture({str(index): times for index, times in enumerate(asked["repeat"])}), 12)
    assert list(found.values()) == expect["choose"]
    assert [count / 12 for count in found.values()] == expect["proportion"]


def test_trl_takes_the_largest_total_that_repeats_nothing() -> None:
    """Their total, min(n / w), is the largest budget without a second epoch."""
    asked, expect = given("trl-fraction")
    total = min(size / exact(weight) for size, weight in zip(asked["n"], asked["w"], strict=True))
    assert total == expect["total"]
    tree = mixture(dict(zip("ab", asked["w"], strict=True)), a=asked["n"][0], b=asked["n"][1])
    solution = solve(tree, int(total))
    assert [portion.count for portion in solution.portions] == expect["rows"]
    assert not any(portion.bound for portion in solution.portions)
    assert solve(tree, int(total) + 1).portions[0].bound == ("max_epochs",)


def test_dmt_replay() -> None:
    sizes, expect = given("dmt-replay")
    share = Fraction(1, 256)
    rows = {name: replay(sizes[name], share) for name in ("gsm8k_rft", "code_alpaca")}
    assert rows == {name: expect[name] for name in rows}
    replayed = sum(rows.values())
    assert replayed / (replayed + sizes["sharegpt"]) == expect["stage2_share"]


def test_unimax() -> None:
    for asked, expect in zip(*given("unimax"), strict=True):
        assert unimax(asked["n"], asked["B"], asked["N"]) == {name: Fraction(rows) for name, rows in expect.items()}


def test_what_repeated_rows_are_worth() -> None:
    epochs, expect = given("muennighoff")
    assert [round(effective_epochs(Fraction(number)), 6) for number in epochs] == expect


# Beside others: what they give, and what we give for the same question


def test_interleaving_until_the_first_runs_dry() -> None:
    """`interleave_datasets` draws the source of each row, and stops when one is used up: 7 rows here, by chance.

    Of sources with 3, 4 and 3 rows at .3, .5 and .2 it takes 1, 4 and 2 with this seed. The most that these shares
    allow without repeating is 4 / .5 = 8 rows: ours are 2, 4 and 2, whatever the seed.
    """
    asked, expect = given("hf-interleave-first")
    theirs = [sum(value // 10 == source for value in expect) for source in range(3)]
    assert theirs == [1, 4, 2]
    shares = [Fraction(3, 10), Fraction(1, 2), Fraction(1, 5)]
    rows = int(min(size / share for size, share in zip(asked["len"], shares, strict=True)))
    assert rows == 8
    assert largest_remainder([rows * share for share in shares], ["a", "b", "c"], rows) == [2, 4, 2]


def test_interleaving_until_all_are_used_up() -> None:
    """`all_exhausted` goes on until the slowest source is through: 16 rows here, 5, 7 and 4 of them.

    The largest source has been seen almost twice by then. We ask for rows: of 16, ours are 5, 8 and 3.
    """
    _, expect = given("hf-interleave-all")
    theirs = [sum(value // 10 == source for value in expect) for source in range(3)]
    assert (len(expect), sum(theirs)) == (16, 16)
    assert list(counts(mixture({"a": 0.3, "b": 0.5, "c": 0.2}), 16).values()) == [5, 8, 3]


def test_taking_turns() -> None:
    """Without probabilities, `interleave_datasets` takes turns: all_exhausted repeats the short ones to the longest.

    That is equal weights with as many rows as thrice the longest; without replacement it is each row once, which is
    the plain proportional mixture of one epoch.
    """
    _, expect = given("hf-interleave-roundrobin")
    theirs = [sum(value // 10 == source for value in expect) for source in range(3)]
    assert list(counts(mixture({"a": 1, "b": 1, "c": 1}), 3 * 5).values()) == theirs == [5, 5, 5]
    _, expect = given("hf-interleave-once")
    theirs = [sum(value // 10 == source for value in expect) for source in range(3)]
    assert list(counts(mixture({"a": 3, "b": 4, "c": 3}), 3 + 4 + 3).values()) == theirs == [3, 4, 3]


def test_grain_selects_the_same_numbers() -> None:
    """Grain's selection is deterministic too; of ten rows at .2, .3, .5 both have 2, 3 and 5."""
    (_, asked), (_, expect) = given("grain-mix")
    theirs = [sum(value // 10 == source for value in expect["values"]) for source in range(3)]
    found = counts(mixture({str(index): weight for index, weight in enumerate(asked["w"])}), asked["n"])
    assert list(found.values()) == theirs == [2, 3, 5]


def test_megatron_blends_the_same_numbers() -> None:
    """Megatron gives each row to the source that is furthest behind; after 20 rows the counts are the exact ones."""
    asked, expect = given("megatron-greedy")
    found = counts(mixture({str(index): weight for index, weight in enumerate(asked["w"])}), asked["n"])
    assert list(found.values()) == expect["counts"]


def test_packing_is_none_of_the_solver_s() -> None:
    """Best-fit decreasing puts rows into sequences of a fixed length; a mixture is counted in rows before that.

    The rows of the vector: 5, 2, 3 and 1 tokens. TRL cuts what is longer than 4: `bfd` drops the rest of it (10 of
    11 tokens stay), `bfd_split` keeps it as a row of its own (11 of 11). A budget counts rows or tokens before either.
    """
    rows, expect = given("trl-bfd")
    assert sum(map(len, rows)) == 11
    assert sum(map(len, expect["bfd"])) == 10
    assert sum(map(len, expect["bfd_split"])) == 11
