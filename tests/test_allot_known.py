"""Mixtures of others, from their tests, papers and cards."""

import json
from pathlib import Path
from typing import Any

import pytest

from flanmix.spec import Limits, Mixture, Part
from tests.recipes import allotments, counts, refusal

VECTORS = Path(__file__).parents[2] / "shared" / "facts" / "mixing_vectors.json"

GLUE = {
    "cola": 8_551, "sst2": 67_349, "mrpc": 3_668, "qqp": 363_849,
    "stsb": 5_749, "mnli": 392_702, "qnli": 104_743, "rte": 2_490,
}  # fmt: skip
COT = {
    "cot_gsm8k": 7_470, "cot_strategyqa": 2_060, "cot_creak": 6_910, "cot_qasc": 1_080, "cot_esnli": 36_170,
    "cot_ecqa": 7_110, "cot_sensemaking": 6_070, "stream_aqua": 2_715, "stream_qed": 5_145,
}  # fmt: skip
TULU3 = [
    10_983, 89_982, 9_500, 7_132, 149_960, 49_980, 34_999, 20_000, 29_980,
    64_312, 50_000, 50_000, 240, 100_000, 100_000, 5_000, 10_000, 107_276,
]  # fmt: skip


def test_t5_examples_proportional() -> None:
    # t5/data/glue_utils.py @2e5842e (sizes), T5 section 3.5.2: p is proportional to e
    found = allotments(Mixture("glue", epochs=1, parts=[Part("*")]), GLUE)
    assert sum(item.rows for item in found.values()) == 949_101
    assert {name: item.rows for name, item in found.items()} == GLUE
    assert found["mnli"].asked == pytest.approx(0.41376207590130026)


def test_t5_artificial_limit() -> None:
    # the same, p is proportional to min(e, K) with K = 65536
    found = allotments(Mixture("glue", rows=282_602, parts=[Part("*")], defaults=Limits(rate_cap=65_536)), GLUE)
    assert {name: item.rows for name, item in found.items()} == {name: min(size, 65_536) for name, size in GLUE.items()}
    assert found["rte"].asked == pytest.approx(0.008810977983170678)


def test_seqio_nested() -> None:
    # seqio/dataset_providers_test.py:1459-1470: rates 0.5, 0.5, 1
    another = Mixture("another", parts=[Part("a", weight=1), Part("b", weight=1)])
    outer = Mixture("super", rows=400, parts=[Part(mixture="another", weight=1), Part("c", weight=1)])
    assert counts(outer, dict.fromkeys("abc", 7), another) == {"a": 100, "b": 100, "c": 200}


def test_seqio_nested_with_a_task_on_two_paths() -> None:
    # seqio README.md:429-471: 1/24 + 1/3, 7/24, 1/3
    mix1 = Mixture("mix1", parts=[Part("task1", weight=1), Part("task2", weight=7)])
    mix3 = Mixture("mix3", rows=24, parts=[Part(mixture="mix1"), Part("task1"), Part("task3")])
    sizes = {"task1": 9, "task2": 9, "task3": 9}
    assert counts(mix3, sizes, mix1) == {"task1": 9, "task2": 7, "task3": 8}


def test_flan_2022_chain_of_thought() -> None:
    # flan/v2/constants.py:48, flan/v2/mixtures.py:27-44, 71-94: CoT at 1 and its inversion at 0.3, each task capped
    inverted = {f"inverted/{name}": size for name, size in COT.items()}
    parts = [Part("cot_* stream_*", weight=1), Part("inverted/*", weight=0.3)]
    found = allotments(Mixture("cot", rows=97_149, parts=parts, defaults=Limits(rate_cap=100_000)), COT | inverted)
    assert sum(COT.values()) == 74_730
    assert found["cot_gsm8k"].asked == pytest.approx(2490 / 32383)
    assert {name: found[name].rows for name in COT} == COT
    assert found["inverted/cot_gsm8k"].rows == 2_241


def test_tulu_flan_v1() -> None:
    # open-instruct scripts/data/sft_v1_v2/resample_flan_v2.py:19-34, 59: counts = p * N, N = 100000
    groups = {"flan": (4, 0.1), "t0": (4, 0.08), "niv2": (2, 0.1), "cot": (2, 0.025), "dialog": (2, 0.015)}
    weights = {f"{name}/{index}": p for name, (number, p) in groups.items() for index in range(number)}
    mixture = Mixture("tulu", rows=100_000, parts=[Part(name, weight=weight) for name, weight in weights.items()])
    expected = {"flan": 10_000, "t0": 8_000, "niv2": 10_000, "cot": 2_500, "dialog": 1_500}
    assert counts(mixture, dict.fromkeys(weights, 10**6)) == {name: expected[name.split("/")[0]] for name in weights}


def test_tulu_3_as_its_card_lists_it_lacks_50_000_rows() -> None:
    # allenai/tulu-3-sft-mixture: the parts add up to 889,344, the card says 939,344
    sizes = {f"part{index:02}": size for index, size in enumerate(TULU3)}
    mixture = Mixture("tulu3", parts=[Part(name, rows=size) for name, size in sizes.items()])
    assert sum(counts(mixture, sizes).values()) == 889_344
    (problem,) = refusal(mixture.model_copy(update={"rows": 939_344}), sizes)
    assert "is to give 939,344 rows, and can give 889,344 at most" in problem


def test_dmt_replay() -> None:
    # DMT arXiv:2310.05492v4 Tables 1 and 2: 1/256 of a source
    sizes = {"gsm8k_rft": 110_142, "code_alpaca": 20_022, "sharegpt": 86_060}
    parts = [Part("gsm8k_rft", epochs=1 / 256), Part("code_alpaca", epochs=1 / 256), Part("sharegpt", epochs=1)]
    found = allotments(Mixture("stage2", parts=parts), sizes)
    assert {name: item.rows for name, item in found.items()} == {
        "gsm8k_rft": 430,
        "code_alpaca": 78,
        "sharegpt": 86_060,
    }
    assert found["gsm8k_rft"].asked + found["code_alpaca"].asked == pytest.approx(0.0058682192034007945)


@pytest.mark.parametrize(
    ("rows", "weights", "expected"),
    [
        # NeMo-Curator tests/test_blend_datasets.py:71-85 (where ceil gives ten rows of eight) and documentdataset.rst
        (8, (1, 2, 3, 4), (1, 2, 2, 3)),
        (1_000, (5, 2, 1), (625, 250, 125)),
        # streaming docs/source/dataset_configuration/mixing_data_sources.md:48-75
        (300, (0.25, 0.75), (75, 225)),
        (400, (0.25, 0.75), (100, 300)),
        # Megatron-LM megatron/core/datasets/helpers.cpp @298c71d
        (20, (0.5, 0.3, 0.2), (10, 6, 4)),
        # trl/scripts/utils.py:458-474
        (200, (0.5, 0.5), (100, 100)),
    ],
)
def test_weights_of_other_mixers(rows: int, weights: tuple[float, ...], expected: tuple[int, ...]) -> None:
    names = "abcd"[: len(weights)]
    parts = [Part(name, weight=weight) for name, weight in zip(names, weights, strict=True)]
    found = counts(Mixture("m", rows=rows, parts=parts), dict.fromkeys(names, 100))
    assert tuple(found.values()) == expected


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, {"a": 100, "b": 10, "c": 250, "d": 40}), (5, {"a": 117, "b": 50, "c": 117, "d": 116})],
)
def test_unimax_is_a_rate_cap_of_one_with_a_ceiling(epochs: int, expected: dict[str, int]) -> None:
    # UniMax arXiv:2304.09151 algorithm 1: budget 400 over 100, 10, 1000 and 40 rows
    limits = Limits(rate_cap=1, max_epochs=epochs)
    mixture = Mixture("unimax", rows=400, parts=[Part("*")], defaults=limits)
    assert counts(mixture, {"a": 100, "b": 10, "c": 1_000, "d": 40}) == expected


def test_the_figures_above_are_those_that_were_collected() -> None:
    if not VECTORS.is_file():
        pytest.skip(f"the collected figures are not beside this repository ({VECTORS.name})")
    found: dict[str, Any] = {item["id"]: item for item in json.loads(VECTORS.read_text(encoding="utf-8"))}
    assert found["t5-glue-proportional"]["input"] == GLUE
    assert found["t5-glue-proportional"]["expect"]["p"]["mnli"] == 0.41376207590130026
    assert found["t5-glue-K65536"]["expect"]["sum"] == 282_602
    assert {name: size for name, size in found["flan2022-cot_zsopt"]["input"].items() if "inversion" not in name} == COT
    assert found["flan2022-cot_zsopt"]["expect"]["p_exact_cot_gsm8k"] == "2490/32383"
    assert found["tulu3-audit"]["input"] == TULU3
    assert found["tulu3-audit"]["expect"]["sum"] == 889_344
    assert found["dmt-replay"]["expect"]["stage2_share"] == 0.0058682192034007945
    assert found["unimax"]["expect"][1]["d"] == "350/3"
    assert found["seqio-nested-readme"]["expect"]["task1"] == "1/24+1/3=3/8"
