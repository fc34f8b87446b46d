"""Tokens that there are: in built shards and in planned rows, against counting them one by one."""

import dataclasses
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.examples import Examples
from flanmix.plan import Plan
from flanmix.prompting import Prompting
from flanmix.token_budget import TaskLength
from flanmix.token_counts import Count, PlannedTokens, count_tokens
from flanmix.tokenizing import Counting
from tests.toy import NOTES, RARE, SUMS, toy_plan
from tests.toy_tokens import planned_by_hand, tokenizer, tokens_of

SPECS = (SUMS, NOTES, RARE)
ROWS = {SUMS.name: 300, NOTES.name: 90, RARE.name: 13}


def built(folder: Path, **options: Any) -> list[dict[str, Any]]:
    """A built folder's rows, as a trainer reads them."""
    toy_plan(rows=300).build(folder, **options)
    kind = "arrow" if options.get("format") == "arrow" else "parquet"
    files = sorted(map(str, (folder / "data").glob(f"*.{kind}")))
    return list(datasets.load_dataset(kind, data_files=files, split="train", cache_dir=str(folder / "hf")))


@pytest.mark.parametrize("options", [{}, {"max_shard_size": 4000}, {"format": "arrow"}])
@pytest.mark.parametrize("batch", [7, 4096])
def test_the_rows_of_a_folder(
    tmp_path: Path, options: dict[str, Any], batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flanmix.token_counts._ROWS", batch)
    rows = built(tmp_path / "out", **options)
    found = count_tokens(tmp_path / "out", tokenizer(), Counting("ignored", extra=2))
    for spec in SPECS:
        mine = [row for row in rows if row["fm_task"] == spec.name]
        assert found[spec.name].rows == len(mine)
        assert found[spec.name].tokens == sum(tokens_of(row["prompt"] + row["completion"]) + 2 for row in mine)
        assert 0 < found[spec.name].loss < found[spec.name].tokens
    assert sum(found.values(), Count()).rows == len(rows)


def test_messages_are_encoded_one_by_one(tmp_path: Path) -> None:
    rows = built(tmp_path / "out", layout="messages")
    found = sum(count_tokens(tmp_path / "out", tokenizer(), Counting(None, extra=9)).values(), Count())
    texts = [[tokens_of(turn["content"]) for turn in row["messages"]] for row in rows]
    assert found == Count(len(rows), sum(map(sum, texts)) + 9 * len(rows), sum(text[1] for text in texts))


def test_a_text_is_trained_as_a_whole(tmp_path: Path) -> None:
    rows = built(tmp_path / "out", layout="text")
    found = sum(count_tokens(tmp_path / "out", tokenizer(), Counting("\n", extra=1)).values(), Count())
    tokens = sum(tokens_of(row["text"]) for row in rows)
    assert found == Count(len(rows), tokens + len(rows), tokens)


def test_conversations_of_any_number_of_turns(tmp_path: Path) -> None:
    turns = [("system", "dog"), ("user", "12 + 30?"), ("assistant", "42"), ("user", "fox"), ("assistant", "東京")]
    talks = [[{"role": role, "content": text} for role, text in turns[:count]] for count in (5, 0, 3)]
    pq.write_table(pa.table({"messages": talks}), tmp_path / "x.parquet")
    found = count_tokens([tmp_path / "x.parquet"], tokenizer(), Counting(None, extra=0))
    whole = sum(tokens_of(text) for _, text in turns) + sum(tokens_of(text) for _, text in turns[:3])
    assert found == {"": Count(3, whole, 2 * tokens_of("42") + tokens_of("東京"))}


@pytest.mark.parametrize("layout", ["prompt_completion", "messages"])
def test_what_is_planned_is_what_is_built(tmp_path: Path, layout: str) -> None:
    plan = toy_plan(rows=300)
    plan.build(tmp_path / "out", layout=layout)
    by_hand, files = planned_by_hand(plan.counts, *sorted(SPECS, key=lambda s: s.name))
    assert [task.name for task in by_hand.tasks] == list(plan.counts)
    counting = Counting.of_layout(layout, "\n", extra=3)
    of_plan = PlannedTokens(files, tokenizer(), counting).of(by_hand)
    of_folder = count_tokens(tmp_path / "out", tokenizer(), counting)
    assert dict(zip(plan.counts, of_plan, strict=True)) == of_folder


def one_by_one(plan: Plan, files: Any) -> dict[str, Count]:
    found: dict[str, Count] = {task.name: Count() for task in plan.tasks}
    for row in Examples(plan, files).slice(0, plan.rows).table.to_pylist():
        tokens = tokens_of(f"{row['input']}\n{row['target']}") + 1
        found[row["fm_task"]] += Count(1, tokens, 0)
    return found


def test_planned_rows_are_counted_as_they_are_drawn_however_plans_follow_each_other() -> None:
    """With more than one epoch, fewer rows than before, other rows offered, and tasks without rows."""
    plan, files = planned_by_hand(ROWS, *SPECS)
    exact = PlannedTokens(files, tokenizer())
    for wanted in ((300, 90, 13), (20, 200, 0), (310, 10, 30), (97, 41, 5), (98, 42, 6)):
        tasks = [dataclasses.replace(task, rows=rows) for task, rows in zip(plan.tasks, wanted, strict=True)]
        for offered in (1.0, 0.5):
            fewer = [dataclasses.replace(task, offered=max(1, int(task.usable * offered))) for task in tasks]
            tried = dataclasses.replace(plan, tasks=tuple(fewer))
            counts = [Count(count.rows, count.tokens) for count in exact.of(tried)]
            assert counts == list(one_by_one(tried, files).values())


@pytest.mark.parametrize("mixture", [{"styles": {"cot": 0.4}}, {"templates_per_row": 2}])
def test_other_rows_offered_are_other_draws_where_rows_are_of_two_kinds_or_have_two_wordings(
    mixture: dict[str, Any],
) -> None:
    """Which draws a kind of rows takes hangs on how many are offered: nothing counted before may be taken again."""
    long = fm.Template("long", input="How much is {{ question }}", target="It is {{ answer }}.")
    thinking = fm.Template("think", input="Think: {{ question }}", target="{{ answer }}", tags=["cot"])
    thinking = thinking.model_copy(update={"when": "{{ answer | length > 3 }}"})
    rows = [{"question": f"{n} + {n * n}?" * (1 + n % 5), "answer": str(n + n * n)} for n in range(97)]
    made = toy_plan(fm.Task("toy/two", type="arithmetic", source=rows, templates=[long, thinking]), **mixture)._planned
    exact, (task,) = PlannedTokens(made.files, tokenizer()), made.plan.tasks
    for offered in (97, 40, 61):
        tried = dataclasses.replace(made.plan, tasks=(dataclasses.replace(task, rows=30, offered=offered),))
        counts = [Count(count.rows, count.tokens) for count in exact.of(tried)]
        assert counts == list(one_by_one(tried, made.files).values())


def test_the_means_of_planned_rows_stand_in_for_measured_ones_where_there_are_any() -> None:
    plan, files = planned_by_hand({**ROWS, RARE.name: 0}, *SPECS)
    measured = [TaskLength(task.name, 5.0, 1.0, 0.5, 1.0) for task in plan.tasks]
    exact = PlannedTokens(files, tokenizer())
    lengths = exact.lengths(plan, measured)
    for length, count, task in zip(lengths[:2], exact.of(plan), plan.tasks, strict=False):
        assert (length.tokens, length.loss) == (count.tokens / task.rows, count.loss / task.rows)
    assert lengths[2] == measured[2]


# ---- errors


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(fm.BuildError, match=r"holds no shards - name a folder that 'flanmix build' has finished"):
        count_tokens(tmp_path, tokenizer())


def test_what_is_no_shard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(fm.BuildError, match=r"x\.parquet: cannot be read: .* - run 'flanmix verify'"):
        count_tokens([tmp_path / "x.parquet"], tokenizer())
    pq.write_table(pa.table({"story": ["x"]}), tmp_path / "y.parquet")
    with pytest.raises(fm.BuildError, match=r"y\.parquet: has no column of texts that is known"):
        count_tokens([tmp_path / "y.parquet"], tokenizer())


def test_what_stands_before_an_instruction_is_counted_too(tmp_path: Path) -> None:
    rows = [
        {"instruction": "fox", "input": "", "output": "42", "system": "dog",
         "history": [["12 + 30?", "東京"], ["a", "b c"]]},
        {"instruction": "fox", "input": "", "output": "42", "system": "", "history": []},
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    found = count_tokens([tmp_path / "x.parquet"], tokenizer(), Counting(None, extra=1))
    before = sum(map(tokens_of, ("dog", "12 + 30?", "東京", "a", "b c")))
    pair = tokens_of("fox") + tokens_of("42") + 1
    assert found == {"": Count(2, 2 * pair + before, 2 * tokens_of("42"))}


def test_planned_rows_are_counted_with_all_that_is_said_in_them() -> None:
    pair = {"user": "{{ question }}", "assistant": "{{ answer }}"}
    talk = fm.Template("talk", turns=[pair, pair], system=["", "Add up."])
    spec = SUMS.model_copy(update={"templates": SUMS.templates.model_copy(update={"add": (talk,)})})
    plan, files = planned_by_hand({spec.name: 90}, spec)
    plan = dataclasses.replace(plan, prompting=Prompting(tag="prefix", tag_share=0.5))
    (found,) = PlannedTokens(files, tokenizer(), Counting(None, 1)).of(plan)
    texts = []
    for row in Examples(plan, files).slice(0, 90).table.to_pylist():
        texts += [row["system"], row["input"], row["target"]]
        texts += [text for said in row["history"] for text in said.values()]
    assert found.tokens == sum(map(tokens_of, texts)) + 90
    assert sum(text.startswith("Task: arithmetic\n\n") for text in texts) in range(42, 49)
