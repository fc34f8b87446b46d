"""Each trap: a folder without the fault passes the check, the same folder with it does not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets.data_files import SPLIT_KEYWORDS

from flanmix.errors import BuildError
from flanmix.exports import TRAINERS
from flanmix.exports.traps import RESERVED
from tests.exports.folders import (
    PACKED,
    PLAN,
    TOKENS,
    build,
    checked,
    of_layout,
    packed_rows,
    pairs,
    shards,
    talks,
    token_rows,
    told,
    turns,
)

USER, ASSISTANT, SYSTEM = ("user", "1 + 1?"), ("assistant", "2"), ("system", "Be brief.")
GOOD_TALKS = talks([USER, ASSISTANT], [SYSTEM, USER, ASSISTANT], [USER, ASSISTANT, USER, ASSISTANT])


def problems(folder: Path, trainer: str) -> str:
    return told(checked(folder, trainer).problems)


def warnings(folder: Path, trainer: str) -> str:
    return told(checked(folder, trainer).warnings)


def beside(folder: Path, **facts: Any) -> None:
    """Say in an export.json that a folder of shards was exported."""
    known = {"trainer": "any", "plan": PLAN, "folder": folder.name, "rows": 4, **facts}
    (folder.parent / "export.json").write_text(json.dumps(known))


# ---- what is good


@pytest.mark.parametrize(
    ("layout", "trainers"),
    [
        ("prompt_completion", ["trl", "axolotl", "openrlhf", "oumi", "litdata", "mds", "levanter"]),
        ("conversational", ["trl", "oumi", "litdata", "mds"]),
        ("messages", ["trl", "axolotl", "llama-factory", "open-instruct", "openrlhf", "automodel", "litdata"]),
        ("sharegpt", ["axolotl", "llama-factory", "litdata"]),
        ("alpaca", ["axolotl", "llama-factory", "litdata"]),
        ("inputs_targets", ["litdata", "mds"]),
    ],
)
def test_builds_pass_for_every_trainer_that_reads_their_layout(
    layout: str, trainers: Sequence[str], tmp_path: Path
) -> None:
    folder = build(tmp_path / "mix", layout).folder
    found = {trainer: problems(folder, trainer) for trainer in trainers}
    assert found == dict.fromkeys(trainers, "")
    assert checked(folder, trainers[0]).shards == 3


def test_good_folders_by_hand_pass(tmp_path: Path) -> None:
    assert problems(shards(tmp_path / "pairs", pairs()), "trl") == ""
    assert problems(of_layout("messages", tmp_path / "talks", GOOD_TALKS), "open-instruct") == ""
    assert problems(shards(tmp_path / "tokens", token_rows(6), TOKENS), "axolotl") == ""
    assert problems(shards(tmp_path / "packed", packed_rows(6), PACKED), "trl") == ""


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_layout_that_the_trainer_does_not_read_is_told_with_the_next_step(trainer: str, tmp_path: Path) -> None:
    odd = shards(tmp_path / "odd", [{"question": "1 + 1?", "answer": "2"}] * 4)
    assert "has no layout that is known: its columns are 'question' and 'answer'" in problems(odd, trainer)
    if "sharegpt" not in TRAINERS[trainer].layouts:
        folder = build(tmp_path / "mix", "sharegpt").folder
        hint = f"'flanmix export DIR --for {trainer}' writes {TRAINERS[trainer].layouts[0]}"
        assert f"has the layout sharegpt, which {trainer} does not read as it is meant - {hint}" in problems(
            folder, trainer
        )


# ---- 1 to 4: columns


def test_text_beside_prompt_and_completion_takes_the_end_of_sequence(tmp_path: Path) -> None:
    found = problems(shards(tmp_path, pairs(text="?")), "trl")
    assert "the end of sequence goes to it, and is never trained - leave the column 'text' out" in found


def test_a_mask_without_labels_trains_every_token(tmp_path: Path) -> None:
    bare = [{"input_ids": [1, 2], "attention_mask": [1, 1], "completion_mask": [0, 1]}] * 4
    found = problems(shards(tmp_path / "a", bare), "trl")
    assert "has 'completion_mask' without 'labels': every token is trained" in found
    found = problems(shards(tmp_path / "b", [{"input_ids": [1, 2]}] * 4), "trl")
    assert "has 'input_ids' without 'labels'" in found


@pytest.mark.parametrize("name", sorted(RESERVED - {"prompt", "completion", "text", "messages", "conversations"}))
def test_a_column_that_trainers_take_for_data_is_told_beside_data(name: str, tmp_path: Path) -> None:
    found = problems(shards(tmp_path, pairs(**{name: [1]})), "trl")
    assert f"'{name}'" in found or "the columns of two layouts" in found
    assert "fm_" not in warnings(tmp_path, "trl")


def test_metadata_is_no_such_column_but_stops_some(tmp_path: Path) -> None:
    folder = shards(tmp_path / "pairs", pairs(fm_task="a", other="b"))
    assert problems(folder, "trl") == ""
    assert "llm-foundry stops at columns other than 'prompt' and 'completion'" in problems(folder, "llm-foundry")
    rows = [{**row, "fm_task": "a"} for row in token_rows(4)]
    folder = shards(tmp_path / "tokens", rows, pa.schema([*TOKENS, ("fm_task", pa.string())]))
    assert problems(folder, "trl") == ""
    for trainer in ("axolotl", "llama-factory"):
        assert f"{trainer} stops at columns other than" in problems(folder, trainer)


def test_several_layouts_in_one_table_are_told_and_so_are_their_nulls(tmp_path: Path) -> None:
    rows = [*pairs(2, messages=None), {"prompt": None, "completion": None, "messages": turns(USER, ASSISTANT)}]
    found = problems(shards(tmp_path, rows, number=1), "trl")
    assert "has the columns of two layouts, prompt_completion and messages" in found
    assert "1 row of 3 have a null in the layout's own columns (the first: row 2)" in found


# ---- 5 and 6: files


@pytest.mark.parametrize("name", ["README.md", "index.json", "manifest.json", "notes"])
def test_other_files_among_the_shards_stop_llama_factory(name: str, tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    (folder / name).write_text("{}")
    assert f"{name}: is no shard, but lies among them" in problems(folder, "llama-factory")
    assert f"{name}: is no shard, but lies among them" in warnings(folder, "trl")
    (folder / name).rename(folder / f"_{name}")
    assert problems(folder, "llama-factory") == ""


SPLITS = [word for split, words in SPLIT_KEYWORDS.items() if split != "train" for word in words]


@pytest.mark.parametrize("keyword", SPLITS)
def test_a_name_that_makes_another_split_is_told_where_datasets_sees_one(keyword: str, tmp_path: Path) -> None:
    for number, (name, seen) in enumerate(
        [
            (f"shard_{keyword}_0.parquet", True),
            (f"{keyword}.parquet", True),
            (f"a {keyword}-1.parquet", True),
            (f"my{keyword}s.parquet", False),
            (f"{keyword}x0.parquet", False),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist(pairs()), folder / name)
        assert ("takes it for another split" in problems(folder, "trl")) == seen, name
        with_datasets = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
        assert ("train" not in with_datasets) == seen, name


# ---- 7: types


def test_a_column_without_a_type_is_told(tmp_path: Path) -> None:
    folder = shards(tmp_path, pairs(fm_note=None))
    assert problems(folder, "litdata").count("'fm_note' has no type (null) - give the column its type") == 2
    nested = shards(tmp_path / "nested", pairs(fm_notes=[]))
    assert "'fm_notes' has no type (list<" in problems(nested, "trl")


def test_a_column_that_differs_between_shards_is_told(tmp_path: Path) -> None:
    folder = shards(tmp_path, pairs(fm_row=1))
    name = "train-00001-of-00002.parquet"
    pq.write_table(pa.Table.from_pylist(pairs(fm_row="1", fm_more=1)), folder / name)
    found = problems(folder, "trl")
    assert f"{name}: 'fm_row' is string, where train-00000-of-00002.parquet has int64 - write every shard with" in found
    assert f"{name}: has 'fm_more', which train-00000-of-00002.parquet has not" in found
    pq.write_table(pa.Table.from_pylist(pairs()), folder / name)
    assert f"{name}: lacks 'fm_row', which train-00000-of-00002.parquet has" in problems(folder, "trl")


# ---- 8: order


@pytest.mark.parametrize("trainer", ["llama-factory", "litdata"])
def test_tasks_that_follow_each_other_are_told_to_trainers_that_read_out_of_order(trainer: str, tmp_path: Path) -> None:
    rows = [{"messages": turns(USER, ASSISTANT), "fm_task": "ab"[n >= 60]} for n in range(120)]
    folder = shards(tmp_path / "one", rows, number=1)
    assert "the tasks change 1 times from row to row, where 60 are to be expected" in warnings(folder, trainer)
    assert problems(folder, trainer) == ""
    split = shards(tmp_path / "two", [*rows[:60], *rows[60:]], number=2)
    for number, half in enumerate((rows[:60], rows[60:])):
        pq.write_table(pa.Table.from_pylist(half), split / f"train-{number:05d}-of-00002.parquet")
    assert "holds 60 rows of a, where its share of all shards makes 30" in warnings(split, trainer)
    assert warnings(split, "open-instruct") == ""


def test_tasks_that_are_mixed_are_no_trouble(tmp_path: Path) -> None:
    folder = build(tmp_path / "mix", "messages").folder
    assert "tasks change" not in warnings(folder, "llama-factory")
    assert "share of all shards" not in warnings(folder, "llama-factory")


# ---- 9: dataset_info.json

TAGS = {
    **{"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
    **{"system_tag": "system", "observation_tag": "tool", "function_tag": "function_call"},
}
ENTRY = {"file_name": "rows-0123456789ab", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": TAGS}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, ""),
        ({"formatting": "openai"}, "has the formatting 'openai', which invents a system prompt"),
        ({"tags": {"role_tag": "role", "content_tag": "content"}}, "every row would be dropped - write all seven tags"),
        ({"tags": {**TAGS, "user_tag": "human"}}, "user_tag is 'human', not 'user'"),
        ({"columns": {}}, "does not say which column is 'messages'"),
        ({"columns": {"messages": "turns"}}, "names the column 'turns' for messages, which is not there"),
        ({"file_name": "elsewhere"}, "names elsewhere, which is not there"),
        ({"formatting": "alpaca"}, "does not say which column is the prompt and the response"),
        ({"file_name": 3}, "is no entry: 'file_name' is a text, 'columns' and 'tags' are objects"),
        ({"columns": []}, "does not say which column is 'messages'"),
        ({"tags": ["role_tag"]}, "is no entry: 'file_name' is a text, 'columns' and 'tags' are objects"),
    ],
)
def test_an_entry_of_dataset_info_is_full_or_told(change: dict[str, Any], what: str, tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mix": {**ENTRY, **change}}))
    found = problems(tmp_path, "llama-factory")
    assert found.startswith(f"{tmp_path}/dataset_info.json: mix: ") if what else found == ""
    assert what in found
    assert "dataset_info.json, without which" not in warnings(folder, "llama-factory")


def test_no_dataset_info_is_a_warning(tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    assert "has no dataset_info.json, without which LLaMA-Factory does not find it" in warnings(folder, "llama-factory")
    (tmp_path / "dataset_info.json").write_text("[]")
    assert "is no object of entries" in problems(tmp_path, "llama-factory")


# ---- 10: tokens


@pytest.mark.parametrize("trainer", ["axolotl", "llama-factory"])
def test_tokens_without_an_attention_mask_are_told(trainer: str, tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("input_ids", "labels")} for row in token_rows(4)]
    folder = shards(tmp_path, rows, pa.schema([TOKENS.field("input_ids"), TOKENS.field("labels")]))
    assert "has 'input_ids' without 'attention_mask' - write it, with 1 for every token" in problems(folder, trainer)
    assert "attention_mask" not in problems(folder, "trl")


@pytest.mark.parametrize(("name", "kind"), [("input_ids", "int32"), ("attention_mask", "int8"), ("labels", "int64")])
def test_tokens_of_other_types_are_told_to_axolotl(name: str, kind: str, tmp_path: Path) -> None:
    schema = pa.schema([(field.name, pa.list_(pa.int16()) if field.name == name else field.type) for field in TOKENS])
    found = problems(shards(tmp_path, token_rows(4), schema), "axolotl")
    assert f"puts only list<{kind}> behind each other - write it as list<{kind}>" in found
    assert problems(shards(tmp_path / "good", token_rows(4), TOKENS), "axolotl") == ""


# ---- 11: caches


@pytest.mark.parametrize("trainer", ["axolotl", "open-instruct"])
def test_a_path_without_the_plan_is_told_where_caches_go_by_paths(trainer: str, tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    beside(folder)
    assert problems(tmp_path, trainer) == ""
    beside(folder, plan="f" * 64)
    assert "does not name the plan (ffffffffffff)" in problems(tmp_path, trainer)
    plain = build(tmp_path / "mix", "messages").folder
    assert "has no digest in its path" in warnings(plain, trainer)


def test_the_prepared_path_of_axolotl_names_the_plan(tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    beside(folder)
    config = {"datasets": [{"path": folder.name}], "dataset_prepared_path": f"prepared/{folder.name}"}
    (tmp_path / "axolotl.yaml").write_text(yaml.safe_dump(config))
    assert problems(tmp_path, "axolotl") == ""
    (tmp_path / "axolotl.yaml").write_text(yaml.safe_dump({**config, "dataset_prepared_path": "last_run"}))
    assert "'dataset_prepared_path' does not name the plan (0123456789ab)" in problems(tmp_path, "axolotl")


def test_a_share_of_1_is_one_row_for_open_instruct(tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    beside(folder)
    for share, found in (("1.0", ""), ("1", "takes 1 row of the data - write 1.0 for all rows")):
        (tmp_path / "run.sh").write_text(
            f"finetune --dataset_mixer_list {folder.name} {share} --dataset_mixer_list_splits"
        )
        assert found in problems(tmp_path, "open-instruct")
        assert bool(problems(tmp_path, "open-instruct")) == bool(found)


# ---- 12: rows that train nothing


@pytest.mark.parametrize("labels", [[-100, -100, -100, -100], [0, -100, -100, -100]])
def test_a_row_without_a_token_to_train_is_told_with_its_number(labels: list[int], tmp_path: Path) -> None:
    """The first token is never trained: there is nothing before it."""
    row = {"input_ids": [0, 1, 2, 3], "attention_mask": [1] * 4, "labels": labels}
    found = problems(shards(tmp_path, [*token_rows(3), row], TOKENS, number=1), "trl")
    assert "1 row of 4 have no token to train (the first: row 3) - drop them" in found


def test_the_first_token_of_each_piece_of_a_pack_is_never_trained(tmp_path: Path) -> None:
    idle = {**packed_rows(1)[0], "labels": [5, -100, -100, 8, -100, -100]}
    found = problems(shards(tmp_path, [*packed_rows(3), idle], PACKED, number=1), "trl")
    assert "1 row of 4 have no token to train (the first: row 3)" in found


def test_masks_labels_and_pieces_are_as_long_as_the_tokens(tmp_path: Path) -> None:
    row = {"input_ids": [0, 1, 2], "attention_mask": [1, 1], "labels": [-100, 1, 2]}
    found = problems(shards(tmp_path / "a", [row, *token_rows(3)], TOKENS, number=1), "axolotl")
    assert "1 row of 4 have masks, labels or positions of another length" in found
    wrong = {**packed_rows(1)[0], "seq_lengths": [3, 2]}
    found = problems(shards(tmp_path / "b", [wrong, *packed_rows(3)], PACKED, number=1), "trl")
    assert "1 row of 4 have masks, labels or positions of another length" in found


def test_labels_that_are_shifted_already_are_told(tmp_path: Path) -> None:
    row = {"input_ids": [7, 8, 9], "attention_mask": [1] * 3, "labels": [8, 9, -100]}
    found = problems(shards(tmp_path, [*token_rows(3), row], TOKENS, number=1), "trl")
    assert "1 row of 4 have labels that are neither -100 nor the token of their place" in found


# ---- 13: the separator


@pytest.mark.parametrize(
    ("prompt", "completion", "told_of"),
    [
        ("1 + 1?", "2", True),
        ("1 + 1?\n", "2", False),
        ("1 + 1?", " 2", False),
        ("問い\u3000", "答え", False),
        ("問い", "答え", True),
        ("[INST] 1 + 1? [/INST]", "2", False),
        ("<|user|>1 + 1?<|assistant|>", "2", False),
        ("", "Once upon a time", False),
    ],
)
def test_prompt_and_completion_that_run_into_each_other_are_counted(
    prompt: str, completion: str, told_of: bool, tmp_path: Path
) -> None:
    rows = [*pairs(3), {"prompt": prompt, "completion": completion}]
    found = problems(shards(tmp_path, rows, number=1), "trl")
    assert (
        found.endswith(
            "1 row of 4 have no white space between prompt and completion, and no trainer puts any there "
            "(the first: row 3) - end every prompt in a separator: flanmix build does"
        )
        if told_of
        else found == ""
    )


# ---- 14: turns


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ([USER], "do not end on the assistant"),
        ([USER, ASSISTANT, USER], "do not end on the assistant"),
        ([ASSISTANT], "are no conversation in turns"),
        ([USER, USER, ASSISTANT], "are no conversation in turns"),
        ([USER, ASSISTANT, ASSISTANT], "are no conversation in turns"),
        ([USER, SYSTEM, ASSISTANT], "are no conversation in turns"),
        ([SYSTEM, SYSTEM, USER, ASSISTANT], "are no conversation in turns"),
        ([SYSTEM, ASSISTANT], "are no conversation in turns"),
        ([("human", "1 + 1?"), ASSISTANT], "have turns of an unknown role"),
        ([USER, ("assistant", " \n")], "have an empty answer"),
        ([USER, ("assistant", None)], "have a null in the layout's own columns"),
        ([], "do not end on the assistant"),
    ],
)
def test_a_conversation_that_trainers_drop_or_mistake_is_told(
    said: Sequence[tuple[str, str | None]], what: str, tmp_path: Path
) -> None:
    folder = of_layout("messages", tmp_path / "talks", [*GOOD_TALKS, *talks(said)])
    assert f"1 row of 2 {what}" in problems(folder, "open-instruct")
    keys = {"system": "system", "user": "human", "assistant": "gpt", "human": "user"}
    rows = [
        {"conversations": turns(*((keys[role], text) for role, text in row), keys=("from", "value"))}
        for row in ([USER, ASSISTANT], said)
    ]
    assert f"1 row of 1 {what}" in problems(of_layout("sharegpt", tmp_path / "gpt", rows), "llama-factory")


@pytest.mark.parametrize(
    ("prompt", "completion", "what"),
    [
        ([SYSTEM, USER], [ASSISTANT], ""),
        ([USER, ASSISTANT, USER], [ASSISTANT], ""),
        ([USER, ASSISTANT], [ASSISTANT], "are no conversation in turns"),
        ([USER], [USER], "do not end on the assistant"),
        ([USER], [], "do not end on the assistant"),
    ],
)
def test_prompts_and_completions_of_turns_are_read_as_one_conversation(
    prompt: list[tuple[str, str]], completion: list[tuple[str, str]], what: str, tmp_path: Path
) -> None:
    row = {"prompt": turns(*prompt), "completion": turns(*completion)}
    good = {"prompt": turns(USER), "completion": turns(ASSISTANT)}
    found = problems(of_layout("conversational", tmp_path, [good, good, row]), "trl")
    assert what in found
    assert bool(found) == bool(what)


def test_turns_with_other_keys_are_told(tmp_path: Path) -> None:
    rows = [{"messages": [{**turn, "weight": 1} for turn in turns(USER, ASSISTANT)]}] * 4
    assert "no list of turns with exactly 'role' and 'content'" in problems(shards(tmp_path / "a", rows), "axolotl")
    texts = [{"messages": "user: 1 + 1?"}] * 4
    assert "no list of turns with exactly 'role' and 'content'" in problems(shards(tmp_path / "b", texts), "trl")
    parts = [{"messages": [{"role": "user", "content": [{"type": "text", "text": "1 + 1?"}]}]}] * 4
    assert "exactly 'role' and 'content', both texts" in problems(shards(tmp_path / "c", parts), "trl")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"prompt": 1, "completion": "2"}, "'prompt' is int64, where the layout prompt_completion has text"),
        ({"text": [1]}, "'text' is list<element: int64>, where the layout text has text"),
        (
            {"input_ids": [1.0, 2.0], "labels": [1.0, 2.0]},
            "'labels' is list<element: double>, where the layout tokens has lists of integers",
        ),
    ],
)
def test_values_of_other_types_are_told(row: dict[str, Any], what: str, tmp_path: Path) -> None:
    assert what in problems(shards(tmp_path, [row] * 4), "trl")


@pytest.mark.parametrize("layout", ["prompt_completion", "alpaca", "inputs_targets"])
def test_an_empty_answer_is_told_in_every_layout(layout: str, tmp_path: Path) -> None:
    rows = {
        "prompt_completion": [{"prompt": "?\n", "completion": " \n"}],
        "alpaca": [{"instruction": "?", "input": "", "output": "", "system": "", "history": []}],
        "inputs_targets": [{"inputs": "?", "targets": ""}],
    }
    assert "1 row of 1 have an empty answer" in problems(of_layout(layout, tmp_path, rows[layout]), "litdata")


def test_axolotl_leaves_systems_and_history_of_alpaca_out(tmp_path: Path) -> None:
    plain = {"instruction": "?", "input": "", "output": "!", "system": "", "history": []}
    rows = [plain, {**plain, "system": "Be brief."}, {**plain, "history": [["Hi", "Hello"]]}]
    folder = of_layout("alpaca", tmp_path, rows)
    found = problems(folder, "axolotl")
    assert found.count("have a system text or earlier turns, which the trainer leaves out of this layout") == 2
    assert problems(folder, "llama-factory") == ""


@pytest.mark.parametrize(("target", "fine"), [("all", True), ("last", False), (None, False)])
def test_llm_foundry_trains_the_last_answer_alone_unless_told(target: str | None, fine: bool, tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    dataset = {"hf_name": folder.name, **({"target_responses": target} if target else {})}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"train_loader": {"dataset": dataset}}))
    beside(folder)
    found = problems(tmp_path, "llm-foundry")
    assert found == "" if fine else "the last of several answers alone, and 1 rows have several" in found


# ---- what configs say


@pytest.mark.parametrize(
    ("trainer", "layout", "config", "what"),
    [
        ("llama-factory", "messages", {"streaming": True, "dataloader_num_workers": 1}, ""),
        ("llama-factory", "messages", {"streaming": True}, "streams without workers, which stops at once"),
        ("trl", "messages", {"assistant_only_loss": True, "max_length": None}, ""),
        ("trl", "messages", {"max_length": None}, "trains on the turns of the user, too"),
        ("trl", "sums", {"datasets": [{}], "max_length": 9, "streaming": True, "max_steps": 9}, ""),
        ("trl", "sums", {"datasets": [{}], "max_length": 9, "streaming": True}, "streams without 'max_steps'"),
        ("trl", "sums", {"streaming": True, "max_steps": 1, "datasets": [{"fraction": 0.5}]}, "with 'fraction'"),
        ("trl", "sums", {"streaming": True, "datasets": 3}, "streams without 'max_steps'"),
        ("trl", "sums", {"datasets": [{}]}, "has no 'max_length': rows are cut at 1,024 tokens"),
        ("trl", "sums", [], "cannot be read as a YAML object"),
    ],
)
def test_a_config_beside_the_shards_is_read(trainer: str, layout: str, config: Any, what: str, tmp_path: Path) -> None:
    rows = GOOD_TALKS if layout == "messages" else pairs()
    folder = of_layout("messages" if layout == "messages" else "prompt_completion", tmp_path, rows)
    beside(folder)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    found = problems(tmp_path, trainer)
    assert what in found
    assert bool(found) == bool(what)


def test_messages_without_a_config_may_train_the_user_with_trl(tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, GOOD_TALKS)
    assert "unless assistant_only_loss is set" in warnings(folder, "trl")


# ---- folders


def test_all_is_told_at_once_and_each_thing_once(tmp_path: Path) -> None:
    folder = of_layout("messages", tmp_path, [*GOOD_TALKS, *talks([USER], [ASSISTANT])])
    (folder / "README.md").write_text("")
    lines = problems(folder, "llama-factory").splitlines()
    assert len(lines) == len(set(lines)) == 3


def test_a_folder_without_shards_or_with_broken_ones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="nowhere: is no folder - name a build, an export or a folder of shards"):
        checked(tmp_path / "nowhere", "trl")
    with pytest.raises(BuildError, match="holds no shards"):
        checked(tmp_path, "trl")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(BuildError) as caught:
        checked(tmp_path, "trl")
    assert [Path(problem.file or "").name for problem in caught.value.problems] == ["a.parquet", "b.parquet"]


def test_a_shard_that_breaks_on_the_way_is_told(tmp_path: Path) -> None:
    folder = shards(tmp_path, pairs(2000), number=1)
    (shard,) = folder.iterdir()
    content = bytearray(shard.read_bytes())
    content[4:400] = b"\xff" * 396
    shard.write_bytes(content)
    with pytest.raises(BuildError, match="cannot be read"):
        checked(folder, "trl")


def test_shards_without_rows_are_told(tmp_path: Path) -> None:
    assert "holds no row" in problems(of_layout("prompt_completion", tmp_path, []), "trl")


def test_what_trainers_write_beside_an_export_is_not_looked_at(tmp_path: Path) -> None:
    done = build(tmp_path / "mix").export(tmp_path / "out", trainer="axolotl")
    (done.folder / "prepared").mkdir()
    pq.write_table(pa.table({"text": ["?"], "prompt": ["?"]}), done.folder / "prepared" / "test_0.parquet")
    assert problems(done.folder, "axolotl") == ""


def test_an_arrow_build_is_told_of(tmp_path: Path) -> None:
    folder = build(tmp_path / "mix", format="arrow").folder
    assert problems(folder, "trl").endswith("holds Arrow files, not Parquet - 'flanmix export' writes Parquet")


def test_an_index_of_other_shards_is_told_to_litdata(tmp_path: Path) -> None:
    folder = shards(tmp_path, pairs(), number=2)
    beside(folder, trainer="litdata")
    chunks = [{"filename": file.name, "chunk_size": 2} for file in sorted(folder.iterdir())]
    for change, what in (([], ""), ([{"filename": "x.parquet", "chunk_size": 1}], "tells of other shards than those")):
        (folder / "index.json").write_text(json.dumps({"chunks": [*chunks, *change]}))
        assert what in problems(tmp_path, "litdata")
        assert bool(problems(tmp_path, "litdata")) == bool(what)
    (folder / "index.json").write_text("{}")
    assert "is no index of litData" in problems(tmp_path, "litdata")


def test_an_index_of_mds_is_held_against_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "prompt_completion-0123456789ab"
    folder.mkdir()
    (folder / "shard.00000.mds").write_bytes(b"12345")
    beside(folder, trainer="mds", rows=2)

    def index(size: int, samples: int) -> str:
        shard = {"raw_data": {"basename": "shard.00000.mds", "bytes": size}, "samples": samples}
        (folder / "index.json").write_text(json.dumps({"shards": [shard]}))
        return problems(tmp_path, "mds")

    assert index(5, 2) == ""
    assert "shard.00000.mds: is missing or damaged" in index(6, 2)
    assert "tells of 3 samples, where 2 rows were exported" in index(5, 3)
    (folder / "index.json").write_text("{}")
    assert "is no index of MDS" in problems(tmp_path, "mds")
