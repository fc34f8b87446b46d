"""Lengths per task and template: a seeded sample, or all rows, kept in the cache by content."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flanmix as fm
from flanmix.examples import Examples
from flanmix.lengths import Length, Lengths, Moments, TaskRows
from flanmix.mapped import Mapped
from flanmix.prompting import Prompting
from flanmix.render import render_pair
from flanmix.spec import Prompt
from flanmix.tokenizing import Counting, Tokenizer
from tests.toy_tokens import KINDS, LINES, planned_by_hand, task, tokenizer, tokens_of

ASK = fm.Template("ask", input="Q: {{ q }}", target="{{ a }}")
LONG = fm.Template("long", input="{{ q }}", target="Because {{ a }}.", when="{{ n % 3 == 0 }}")
BLANK = fm.Template("blank", input="{{ q }}", target="{{ a if n % 2 else ' ' }}")
DIALECT = fm.Template(
    "dialect",
    dialect="promptsource",
    jinja='{{ q }} {{ ["yes", "perhaps, or not"] | choice }} {% if n % 5 %}||| {{ a }}{% endif %}',
    when="{{ n % 4 < 2 }}",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lengths"


def rows(count: int = 150, salt: str = "") -> list[dict[str, Any]]:
    return [
        {"q": f"{LINES[n % 4]} {salt}" * (n % 7 + 1), "a": LINES[(n + 1) % 4][: n % 40 + 3], "n": n}
        for n in range(count)
    ]


def task_rows(*templates: fm.Template, name: str = "toy", **others: Any) -> TaskRows:
    plan, files = planned_by_hand({}, task(name, rows(**others), *(templates or (ASK, LONG, BLANK, DIALECT))))
    return TaskRows(plan.tasks[0], files[0])


def one_by_one(
    found: TaskRows, template: int, kind: str, separator: str = "\n", seed: int = 0
) -> list[tuple[int, int]]:
    """The tokens and loss tokens of every row that a template serves and a build keeps, counted text by text."""
    planned = found.planned
    serving = [guard for guard, templates in enumerate(planned.guards) if template in templates]
    table = Mapped(found.mapped._original or found._file).table
    table = table.filter(np.isin(np.asarray(table.column("fm_guard")), serving))
    item = planned.templates[template]
    pairs = render_pair(item.template, table, seed=seed, task=planned.name, name=item.id)
    kept = [
        (a, b)
        for a, b in zip(*(side.to_pylist() for side in pairs), strict=True)
        if (a or "").strip() and (b or "").strip()
    ]
    return [(tokens_of(a + separator + b, kind) + 1, tokens_of(b, kind)) for a, b in kept]


# ---- what is measured


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", range(4))
def test_all_rows_give_the_exact_mean(kind: str, template: int) -> None:
    found = task_rows()
    every = one_by_one(found, template, kind)
    for sample in (None, 150, 1000):
        length = Lengths(tokenizer(kind)).of(found, template, sample)
        assert length.kept == len(every)
        assert length.rows == length.served == found.served(template)
        assert length.tokens == sum(tokens for tokens, _ in every) / len(every)
        assert length.error == 0


def test_the_guards_rows_alone_are_measured_and_of_them_those_with_text() -> None:
    found = task_rows()
    assert [found.served(template) for template in range(4)] == [150, 50, 150, 76]
    blank = Lengths(tokenizer()).of(found, 2, None)
    assert (blank.rows, blank.kept) == (150, 75)
    dialect = Lengths(tokenizer()).of(found, 3, None)
    assert dialect.kept == sum(n % 4 < 2 and n % 5 > 0 for n in range(150))


def test_input_and_target_add_up_to_both() -> None:
    found = task_rows(ASK)
    every = one_by_one(found, 0, "bpe")
    length = Lengths(tokenizer()).of(found, 0, None)
    assert length.target == pytest.approx(sum(loss for _, loss in every) / 150, rel=0.02)  # merges over the boundary
    assert length.input + length.target == pytest.approx(length.tokens)


def test_extra_tokens_count_for_every_row_and_the_separator_too() -> None:
    found = task_rows(ASK)
    one, ten = (Lengths(tokenizer(), Counting("\n", extra)).of(found, 0, 40) for extra in (1, 10))
    assert ten.tokens == pytest.approx(one.tokens + 9)
    assert (ten.target, ten.error) == (one.target, pytest.approx(one.error))
    far = Lengths(tokenizer(), Counting(" and ")).of(found, 0, None)
    assert far.whole.tokens == sum(tokens for tokens, _ in one_by_one(found, 0, "bpe", " and "))


def test_the_standard_error_is_that_of_samples_without_replacement() -> None:
    found = task_rows(ASK)
    exact = Lengths(tokenizer()).of(found, 0, None).tokens
    drawn = [Lengths(tokenizer(), seed=seed).of(found, 0, 30) for seed in range(60)]
    off = np.array([(length.tokens - exact) / length.error for length in drawn])
    assert 0.7 < float(np.sqrt((off**2).mean())) < 1.4
    assert abs(float(np.mean([length.tokens for length in drawn])) - exact) < drawn[0].error


# ---- the sample


def test_a_sample_is_a_function_of_seed_task_and_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Lengths(tokenizer(), seed=3).of(task_rows(LONG), 0, 20)
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "other"))
    among_others = Lengths(tokenizer(), seed=3).of(task_rows(ASK, LONG, BLANK), 1, 20)
    assert (among_others.tokens, among_others.rows) == (alone.tokens, alone.rows)
    assert Lengths(tokenizer(), seed=4).of(task_rows(LONG), 0, 20).tokens != alone.tokens
    assert Lengths(tokenizer(), seed=3).of(task_rows(LONG, name="other"), 0, 20).tokens != alone.tokens


def test_the_order_of_measuring_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = task_rows()
    asked = [(template, sample) for template in range(4) for sample in (10, 40, 100, None)]
    forth = {one: Lengths(tokenizer()).of(found, *one) for one in asked}
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "other"))
    assert {one: Lengths(tokenizer()).of(found, *one) for one in reversed(asked)} == forth


def test_how_many_rows_are_rendered_at_a_time_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [Lengths(tokenizer()).of(task_rows(), template, 100) for template in range(4)]
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr("flanmix.lengths._PIECE_BYTES", 1)
    assert [Lengths(tokenizer()).of(task_rows(), template, 100) for template in range(4)] == whole


def test_a_larger_sample_holds_the_smaller_one(folder: Path) -> None:
    found = task_rows(ASK)
    small = Lengths(tokenizer()).of(found, 0, 32).whole
    files = set(folder.iterdir())
    large = Lengths(tokenizer()).of(found, 0, 64).whole
    assert files < set(folder.iterdir())
    assert all(b > a for a, b in zip(small.values, large.values, strict=True))


# ---- the cache


def broken(kind: str = "bpe") -> Tokenizer:
    """A tokenizer that says it is one of ours and cannot encode a text."""
    return Tokenizer(tokenizer(kind).digest, "broken", "{")


def test_what_was_measured_is_not_encoded_again(folder: Path) -> None:
    first = [Lengths(tokenizer()).of(task_rows(), template, 100) for template in range(4)]
    before = {file: file.stat().st_ino for file in folder.iterdir()}
    assert [Lengths(broken()).of(task_rows(), template, 100) for template in range(4)] == first
    assert {file: file.stat().st_ino for file in folder.iterdir()} == before
    with pytest.raises(fm.FlanmixError, match="is no tokenizer"):
        Lengths(broken()).of(task_rows(), 0, 101)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"kind": "unigram"},
        {"counting": Counting(" ")},
        {"counting": Counting(None)},
        {"name": "other"},
        {"salt": "x"},
        {"templates": [fm.Template("ask", input="Q:  {{ q }}", target="{{ a }}")]},
        {"templates": [fm.Template("say", input="Q: {{ q }}", target="{{ a }}")]},
    ],
)
def test_what_changes_a_measurement_has_files_of_its_own(folder: Path, other: dict[str, Any]) -> None:
    Lengths(tokenizer()).of(task_rows(ASK), 0, 32)
    data = {key: other[key] for key in ("name", "salt") if key in other}
    made = Lengths(tokenizer(other.get("kind", "bpe")), other.get("counting"), seed=other.get("seed", 0))
    made.of(task_rows(*other.get("templates", [ASK]), **data), 0, 32)
    assert len(list(folder.iterdir())) == 2


def test_extra_tokens_need_no_new_measurement() -> None:
    Lengths(tokenizer()).of(task_rows(ASK), 0, 32)
    assert Lengths(broken(), Counting("\n", extra=5)).of(task_rows(ASK), 0, 32).rows == 32


def texts_of(good: str) -> list[str]:
    """A measurement, damaged or made up in several ways."""
    other = json.loads(good)
    other["facts"]["guards"][0][3] += 1
    return ["", "{", "[]", "{}", "null", good[: len(good) // 2], json.dumps(other), good.replace("toy", "tox")]


def test_a_file_that_is_not_as_it_was_written_is_measured_anew(folder: Path) -> None:
    first = Lengths(tokenizer()).of(task_rows(ASK), 0, 32)
    (file,) = folder.iterdir()
    good = file.read_text()
    for text in texts_of(good):
        file.write_text(text)
        assert Lengths(tokenizer()).of(task_rows(ASK), 0, 32) == first
        assert file.read_text() == good


def test_a_whole_file_of_another_measurement_is_not_taken_for_this_one(folder: Path) -> None:
    first = Lengths(tokenizer()).of(task_rows(ASK), 0, 32)
    (file,) = folder.iterdir()
    good = file.read_text()
    Lengths(tokenizer(), seed=1).of(task_rows(ASK), 0, 32)
    (foreign,) = set(folder.iterdir()) - {file}
    file.write_text(foreign.read_text())
    assert Lengths(tokenizer()).of(task_rows(ASK), 0, 32) == first
    assert file.read_text() == good


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, folder: Path) -> None:
    found = task_rows(ASK)
    folder.write_text("a file where the folder should be")
    with pytest.raises(fm.BuildError, match=r"the cache cannot be written: .* - make room, or set FLANMIX_CACHE"):
        Lengths(tokenizer()).of(found, 0, 32)


def test_a_row_that_a_template_fails_on_is_named() -> None:
    bad = fm.Template("bad", input="{{ 1 // (n - 7) }}", target="{{ a }}")
    with pytest.raises(fm.TemplateError, match="row 7 of the task toy: integer division or modulo by zero - guard"):
        Lengths(tokenizer()).of(task_rows(bad), 0, None)


def test_moments_add_up() -> None:
    one, two = Moments(2, 1, 5, 25, 3, 9), Moments(1, 1, 4, 16, 2, 4)
    assert one + two == Moments(3, 2, 9, 41, 5, 13)
    assert (one + two).plus(1) == Moments(3, 2, 11, 36 + 25, 5, 13)
    assert Length("t", "x", 3, {0: one, 2: two}).tokens == 4.5


# ---- system prompts and earlier turns

TALK = fm.Template(
    "talk",
    system=["", {"text": "Be {{ a }}.", "weight": 2}],
    turns=[
        {"user": "{{ q }}", "assistant": "{{ 'ok' if n % 5 else '' }}"},
        {"user": "Why {{ n }}?", "assistant": "{{ a }}"},
    ],
)
ASKED = [
    Prompting(),
    Prompting((Prompt("Help the user."), Prompt("No.", weight=2)), 0.5, "prefix", 0.3),
    Prompting((Prompt("Help the user."),), 1.0, "system", 0.5),
]


@pytest.mark.parametrize("prompting", ASKED)
@pytest.mark.parametrize("template", [ASK, TALK])
def test_all_that_is_said_is_counted_and_the_last_answer_alone_carries_loss(
    template: fm.Template, prompting: Prompting
) -> None:
    """Where every row is measured, and the plan draws every row once."""
    plan, files = planned_by_hand({"toy": 150}, task("toy", rows(), template))
    plan = replace(plan, prompting=prompting)
    found = Lengths(tokenizer(), Counting(None, 1), seed=7, prompting=prompting).of(
        TaskRows(plan.tasks[0], files[0]), 0
    )
    table = Examples(plan, files).slice(0, 150).table
    assert (found.rows, found.kept) == (150, table.num_rows)
    said = [
        sum(tokens_of(row.get(name, "")) for name in ("input", "target", "system"))
        + sum(tokens_of(text) for pair in row.get("history", ()) for text in pair.values())
        for row in table.to_pylist()
    ]
    assert found.target == sum(tokens_of(text) for text in table.column("target").to_pylist()) / len(said)
    # the draws are the same 150, but other rows have them: what differs is the length of the fields in the system text
    assert found.tokens == pytest.approx(sum(said) / len(said) + 1, rel=0.02)


def test_what_is_counted_is_kept_apart_by_what_is_asked_for() -> None:
    plan, files = planned_by_hand({}, task("toy", rows(), ASK))
    found = TaskRows(plan.tasks[0], files[0])
    for _ in range(2):
        means = [Lengths(tokenizer(), seed=7, prompting=asked).of(found, 0).tokens for asked in ASKED]
        assert len(set(means)) == len(ASKED)
