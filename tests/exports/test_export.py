"""What `export` writes for each trainer: the rows, the files beside them, and their exact content."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import flanmix as fm
from flanmix import words
from flanmix.errors import BuildError, FlanmixError, UsageError
from flanmix.exports import TRAINERS
from flanmix.exports.export import export
from flanmix.exports.trainer import Exported
from flanmix.layouts import METADATA
from flanmix.spec import Stage
from tests.exports.folders import PLAN, build, checked, packed_rows, rows_in, talks, token_build, token_rows, told
from tests.toy import SUMS, hashes
from tests.trainers.builds import rows_of, tokens_built

WITHOUT_EXTRAS = [name for name in words.TRAINERS if name not in ("litdata", "mds")]
FM = {*METADATA.names}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> fm.Built:
    return build(tmp_path_factory.mktemp("built") / "mix")


def digest_of(built: fm.Built) -> str:
    return str(built.manifest["plan"][:12])


def written(out: Path, name: str, plan: str) -> str:
    """A file beside the data, with DIGEST for the plan's."""
    return (out / name).read_text(encoding="utf-8").replace(plan, "DIGEST")


def test_the_names_that_the_command_line_lists_are_those_of_the_trainers() -> None:
    assert tuple(TRAINERS) == words.TRAINERS
    assert all(name == trainer.name for name, trainer in TRAINERS.items())


EXPECTED = {
    ("trl", "trl.yaml"): """\
# trl sft --config trl.yaml, in this folder
datasets:
  - {path: parquet, data_files: prompt_completion-DIGEST/train-*.parquet, split: train, columns: [prompt, completion]}
streaming: false  # true needs max_steps
max_length: null  # a number cuts rows, without a word
""",
    ("trl", "trl_sft.py"): '''\
"""The rows and the settings for SFTTrainer; run it in this folder, or give the whole path."""

from datasets import load_dataset
from trl import SFTConfig

dataset = load_dataset("parquet", data_files="prompt_completion-DIGEST/train-*.parquet", split="train")
args = SFTConfig(max_length=None)
''',
    ("axolotl", "axolotl.yaml"): """\
# the part of an axolotl config that is about data; run axolotl in this folder
datasets:
  - path: prompt_completion-DIGEST
    split: train
    type:
      field_instruction: prompt
      field_output: completion
      format: "{instruction}"
      no_input_format: "{instruction}"
shuffle_merged_datasets: false  # keeps flanmix's order
excess_length_strategy: truncate  # axolotl's own is to drop rows longer than sequence_len
dataset_prepared_path: prepared/prompt_completion-DIGEST
""",
    ("llama-factory", "dataset_info.json"): """\
{
  "fm_toy_DIGEST": {
    "file_name": "messages-DIGEST",
    "formatting": "sharegpt",
    "columns": {
      "messages": "messages"
    },
    "tags": {
      "role_tag": "role",
      "content_tag": "content",
      "user_tag": "user",
      "assistant_tag": "assistant",
      "system_tag": "system",
      "observation_tag": "tool",
      "function_tag": "function_call"
    }
  }
}
""",
    ("llama-factory", "llama_factory.yaml"): """\
# the part of a LLaMA-Factory config that is about data; run it in this folder
dataset: fm_toy_DIGEST
dataset_dir: .
template: qwen3  # has to be that of your model
mask_history: false  # true trains on the last turn alone
streaming: false  # true needs dataloader_num_workers: 1 or more
""",
    ("open-instruct", "open_instruct.sh"): """\
# arguments for open_instruct/finetune.py, run in this folder; 1.0 is all rows, 1 would be one row
python open_instruct/finetune.py \\
  --dataset_mixer_list messages-DIGEST 1.0 \\
  --dataset_mixer_list_splits train
""",
    ("openrlhf", "openrlhf.sh"): """\
# arguments for openrlhf.cli.train_sft, run in this folder
python -m openrlhf.cli.train_sft \\
  --data.dataset prompt_completion-DIGEST \\
  --data.input_key prompt \\
  --data.output_key completion
""",
    ("oumi", "oumi.yaml"): """\
# the part of an oumi config that is about data; run oumi in this folder
data:
  train:
    datasets:
      - dataset_name: parquet
        split: train
        dataset_kwargs: {data_files: prompt_completion-DIGEST/train-*.parquet}
    seed: 42
""",
    ("automodel", "automodel.yaml"): """\
# the part of an Automodel config that is about data; run automodel in this folder
dataset:
  _target_: nemo_automodel.components.datasets.llm.chat_dataset.ChatDataset
  path_or_dataset_id: messages-DIGEST
  split: train
  mask_generation_prompt: true  # without it the head of the assistant's turn is trained, too
""",
    ("llm-foundry", "llm_foundry.yaml"): """\
# the part of an llm-foundry config that is about data; run it in this folder
train_loader:
  name: finetuning
  dataset:
    hf_name: prompt_completion-DIGEST
    split: train
    target_prompts: none
    target_responses: all  # llm-foundry's own is the last alone
""",
    ("levanter", "levanter.yaml"): """\
# the part of a levanter config that is about data; run it in this folder
data:
  configs:
    fm_toy:
      train_urls: [prompt_completion-DIGEST/train-*.parquet]
      format: {type: supervised, input_field: prompt, output_field: completion}
  train_weights: {fm_toy: 1.0}
  cache_dir: cache/prompt_completion-DIGEST
""",
}


@pytest.mark.parametrize("trainer", WITHOUT_EXTRAS)
def test_the_files_beside_the_data_say_what_to_set_with_the_paths_as_they_are(
    trainer: str, built: fm.Built, tmp_path: Path
) -> None:
    done = built.export(tmp_path / "out", trainer=trainer)
    digest = digest_of(built)
    expected = {name: text for (of, name), text in EXPECTED.items() if of == trainer}
    assert {name: written(done.folder, name, digest) for name in expected} == expected
    (layout,) = done.layouts
    shards = [f"{layout}-{digest}/train-{shard:05d}-of-00003.parquet" for shard in range(3)]
    assert sorted(done.files) == sorted([*expected, *shards, "export.json"])
    assert hashes(done.folder).keys() - {f"{layout}-{digest}/"} == set(done.files)
    for name in expected:
        if name.endswith(".yaml"):
            assert yaml.safe_load((done.folder / name).read_text())


@pytest.mark.parametrize("trainer", WITHOUT_EXTRAS)
def test_the_rows_of_the_default_build_arrive_in_their_order_and_pass_the_check(
    trainer: str, built: fm.Built, tmp_path: Path
) -> None:
    done = built.export(tmp_path / "out", trainer=trainer)
    assert done.warnings == ()
    (layout,) = done.layouts
    direct = build(tmp_path / "direct", layout)
    found, expected = rows_in(done.folder / f"{layout}-{digest_of(built)}"), rows_in(direct.folder / "data")
    if trainer == "llm-foundry":  # takes two columns and no other
        expected = [{name: row[name] for name in ("prompt", "completion")} for row in expected]
    assert found == expected
    assert done.rows == built.rows == len(found)
    assert checked(done.folder, trainer).problems == []


def test_export_json_says_what_it_is(built: fm.Built, tmp_path: Path) -> None:
    done = built.export(tmp_path / "out", trainer="open-instruct")
    facts = json.loads((done.folder / "export.json").read_text())
    same = {key: built.manifest[key] for key in ("schema_version", "flanmix", "mixture", "plan", "build", "rows")}
    more = {"trainer": "open-instruct", "layout": "messages", "metadata": True}
    assert facts == {**same, **more, "folder": f"messages-{digest_of(built)}"}


def test_rows_that_need_no_change_are_the_same_files_and_copies(built: fm.Built, tmp_path: Path) -> None:
    done = built.export(tmp_path / "out", trainer="trl")
    copies = sorted((done.folder / f"prompt_completion-{digest_of(built)}").iterdir())
    originals = sorted((built.folder / "data").iterdir())
    assert [file.read_bytes() for file in copies] == [file.read_bytes() for file in originals]
    assert not any(os.path.samefile(*both) for both in zip(copies, originals, strict=True))


LAYOUTS = ["prompt_completion", "conversational", "messages", "sharegpt", "alpaca", "inputs_targets"]


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize(
    ("trainer", "target"),
    [
        ("trl", "prompt_completion"),
        ("trl", "conversational"),
        ("trl", "messages"),
        ("axolotl", "sharegpt"),
        ("axolotl", "alpaca"),
    ],
)
def test_a_layout_made_of_another_is_the_same_file_as_a_build_in_it(
    source: str, trainer: str, target: str, tmp_path: Path
) -> None:
    done = build(tmp_path / "mix", source).export(tmp_path / "out", trainer=trainer, layout=target)
    direct = build(tmp_path / "direct", target)
    (place,) = done.folder.glob(f"{target}-*")
    assert list(hashes(place).values()) == list(hashes(direct.folder / "data").values())


@pytest.mark.parametrize(
    ("source", "trainer", "target"),
    [
        ("messages", "trl", "messages"),
        ("sharegpt", "trl", "conversational"),
        ("inputs_targets", "trl", "prompt_completion"),
        ("prompt_completion", "llama-factory", "messages"),
        ("alpaca", "llama-factory", "alpaca"),
        ("sharegpt", "llama-factory", "sharegpt"),
        ("sharegpt", "llm-foundry", "messages"),
        ("alpaca", "oumi", "conversational"),
        ("sharegpt", "openrlhf", "messages"),
        ("sharegpt", "levanter", "messages"),
    ],
)
def test_the_layout_is_the_builds_own_or_one_that_has_room_for_what_it_may_hold(
    source: str, trainer: str, target: str, tmp_path: Path
) -> None:
    done = build(tmp_path / "mix", source).export(tmp_path / "out", trainer=trainer)
    assert done.layouts == (target,)


def test_sharegpt_and_alpaca_have_full_entries_for_llama_factory(tmp_path: Path) -> None:
    entries = {}
    for layout in ("sharegpt", "alpaca", "prompt_completion"):
        done = build(tmp_path / layout).export(tmp_path / f"{layout}-out", trainer="llama-factory", layout=layout)
        ((name, entry),) = json.loads((done.folder / "dataset_info.json").read_text()).items()
        assert (done.folder / entry.pop("file_name")).is_dir()
        assert yaml.safe_load((done.folder / "llama_factory.yaml").read_text())["dataset"] == name
        entries[layout] = entry
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    tags |= {"system_tag": "system", "observation_tag": "observation", "function_tag": "function_call"}
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    columns |= {"system": "system", "history": "history"}
    assert entries == {
        "sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}, "tags": tags},
        "alpaca": {"formatting": "alpaca", "columns": columns},
        "prompt_completion": {"formatting": "alpaca", "columns": {"prompt": "prompt", "response": "completion"}},
    }


@pytest.mark.parametrize(
    ("trainer", "layout", "lines"),
    [
        ("trl", "messages", ["assistant_only_loss: true  # the chat template has to mark {% generation %}"]),
        ("axolotl", "messages", ["type: chat_template", "roles_to_train: [assistant], train_on_eos: turn"]),
        ("axolotl", "sharegpt", ["message_property_mappings: {role: from, content: value}"]),
        ("axolotl", "alpaca", ["type: alpaca, split: train"]),
        ("openrlhf", "messages", ["--data.apply_chat_template", "--data.multiturn"]),
        ("levanter", "messages", ["format: {type: chat, messages_field: messages}"]),
    ],
)
def test_another_layout_has_other_settings(
    trainer: str, layout: str, lines: list[str], built: fm.Built, tmp_path: Path
) -> None:
    done = built.export(tmp_path / "out", trainer=trainer, layout=layout)
    beside = "".join((done.folder / file).read_text() for file in done.files if "/" not in file)
    assert [line for line in lines if line not in beside] == []


def test_the_python_of_trl_says_the_same_as_its_yaml(built: fm.Built, tmp_path: Path) -> None:
    done = built.export(tmp_path / "out", trainer="trl", layout="messages")
    assert "SFTConfig(max_length=None, assistant_only_loss=True)" in (done.folder / "trl_sft.py").read_text()


@pytest.mark.parametrize("trainer", [name for name in WITHOUT_EXTRAS if name != "llm-foundry"])
def test_strict_leaves_the_metadata_out_and_else_it_stays(trainer: str, built: fm.Built, tmp_path: Path) -> None:
    names = []
    for strict in (False, True):
        done = built.export(tmp_path / f"{strict}", trainer=trainer, strict=strict)
        (shard, *_) = done.folder.glob("*/*.parquet")
        names.append(set(pq.read_schema(shard).names))
    assert names[0] > FM
    assert names[1] == names[0] - FM


def test_a_build_of_arrow_files_becomes_parquet(tmp_path: Path) -> None:
    arrow, parquet = build(tmp_path / "arrow", format="arrow"), build(tmp_path / "parquet")
    done = arrow.export(tmp_path / "out", trainer="trl")
    (place,) = done.folder.glob("prompt_completion-*")
    assert list(hashes(place).values()) == list(hashes(parquet.folder / "data").values())


def test_the_files_are_named_for_training_whatever_the_split_was(tmp_path: Path) -> None:
    file = tmp_path / "sums.jsonl"
    file.write_text("".join(f'{{"question": "{n} + 0?", "answer": "{n}"}}\n' for n in range(20)))
    source = {"files": {"validation": str(file)}}
    task = fm.Task("toy/sums", type="arithmetic", source=source, templates=SUMS.templates)
    catalogue = fm.load_registry(specs=[task], bundled=False, plugins=False)
    plan = fm.Mixture("toy", parts=[fm.Part("toy/sums")], rows=20, split="validation").plan(catalogue)
    built = plan.build(tmp_path / "mix", quiet=True)
    assert "has 'validation' in its name" in told(checked(built.folder, "trl").problems)
    done = built.export(tmp_path / "out", trainer="trl")
    assert [file.name for file in done.folder.glob("*/*.parquet")] == ["train-00000-of-00001.parquet"]


def test_stages_are_exported_each_into_a_folder_of_its_own(tmp_path: Path) -> None:
    stages = [
        Stage("broad", parts=[fm.Part("toy/sums")], rows=40),
        Stage("focused", parts=[fm.Part("toy/sums")], rows=20),
    ]
    catalogue = fm.load_registry(specs=[SUMS], bundled=False, plugins=False)
    built = fm.Mixture("two", stages=stages, seed=1).plan(catalogue).build(tmp_path / "mix", quiet=True)
    done = built.export(tmp_path / "out", trainer="llama-factory")
    assert done.rows == 60
    for stage, rows in (("broad", 40), ("focused", 20)):
        plan = built.manifest["stages"][stage]["plan"][:12]
        assert len(rows_in(done.folder / stage / f"messages-{plan}")) == rows
        (entry,) = json.loads((done.folder / stage / "dataset_info.json").read_text()).values()
        assert entry["file_name"] == f"messages-{plan}"
    assert sorted(place.name for place in done.folder.iterdir()) == ["broad", "focused"]
    assert checked(done.folder, "llama-factory").rows == 60


# ---- tokens


@pytest.mark.parametrize("trainer", ["trl", "axolotl"])
def test_tokens_are_handed_over_as_they_are(trainer: str, tmp_path: Path) -> None:
    rows = token_rows(12)
    folder = token_build(tmp_path / "mix", rows, encoding={"max_length": 64})
    done = export(folder, tmp_path / "out", trainer=trainer)
    found = rows_in(done.folder / f"tokens-{PLAN[:12]}")
    kept = FM & set(found[0])
    assert kept == ({"fm_task", "fm_row"} if trainer == "trl" else set())
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    assert "64" in (done.folder / f"{trainer}.yaml").read_text()


@pytest.mark.parametrize("trainer", ["llama-factory", "oumi"])
def test_tokens_become_a_folder_that_load_from_disk_reads_with_three_columns(trainer: str, tmp_path: Path) -> None:
    rows = token_rows(12)
    folder = token_build(tmp_path / "mix", rows, encoding={"max_length": 64})
    done = export(folder, tmp_path / "out", trainer=trainer)
    found = datasets.load_from_disk(str(done.folder / f"tokens-{PLAN[:12]}"))
    assert found.column_names == ["input_ids", "attention_mask", "labels"]
    assert found.to_list() == rows
    assert not [name for name in done.files if name == "dataset_info.json"]
    again = export(folder, tmp_path / "again", trainer=trainer)
    assert datasets.load_from_disk(str(again.folder / f"tokens-{PLAN[:12]}"))._fingerprint == found._fingerprint


def test_what_names_the_tokens_is_exact(tmp_path: Path) -> None:
    folder = token_build(tmp_path / "mix", token_rows(12), encoding={"max_length": 64})
    texts = {}
    for trainer, name in (("llama-factory", "llama_factory.yaml"), ("oumi", "oumi.yaml"), ("axolotl", "axolotl.yaml")):
        done = export(folder, tmp_path / trainer, trainer=trainer)
        texts[trainer] = yaml.safe_load((done.folder / name).read_text())
    place = f"tokens-{PLAN[:12]}"
    assert texts["llama-factory"]["tokenized_path"] == place
    assert texts["llama-factory"]["cutoff_len"] == 64
    assert texts["oumi"]["data"]["train"]["datasets"] == [{"dataset_name": "tokenized", "dataset_path": place}]
    assert texts["axolotl"]["datasets"] == [{"path": place, "type": None}]
    assert texts["axolotl"]["sequence_len"] == 64


def test_packs_are_for_padding_free_training_and_never_cut(tmp_path: Path) -> None:
    folder = token_build(tmp_path / "mix", packed_rows(8), "packed", packing={"capacity": 6})
    done = export(folder, tmp_path / "out", trainer="trl")
    config = yaml.safe_load((done.folder / "trl.yaml").read_text())
    assert (config["padding_free"], config["max_length"]) == (True, None)
    columns = ["input_ids", "attention_mask", "labels", "position_ids", "seq_lengths"]
    assert config["datasets"][0]["columns"] == columns
    assert "SFTConfig(max_length=None, padding_free=True)" in (done.folder / "trl_sft.py").read_text()


def test_the_rows_of_an_export_of_packs_are_the_packs(tmp_path: Path) -> None:
    made = tokens_built(tmp_path / "mix", "packed")
    done = made.export(tmp_path / "out", trainer="trl")
    assert done.rows == len(rows_of(done.folder)) < made.rows
    assert json.loads((done.folder / "export.json").read_text())["rows"] == done.rows


def test_tagged_turns_are_read_as_prompts_and_completions_and_become_turns_where_asked(tmp_path: Path) -> None:
    made = build(tmp_path / "mix", "tagged")
    assert checked(made.folder, "trl").problems == []
    as_texts = made.export(tmp_path / "texts", trainer="trl")
    assert rows_of(as_texts.folder) == rows_of(made.folder)
    as_turns = made.export(tmp_path / "turns", trainer="trl", layout="conversational")
    assert rows_of(as_turns.folder) == rows_of(build(tmp_path / "wanted", "conversational").folder)


# ---- what needs an extra


@pytest.mark.parametrize(("trainer", "module"), [("litdata", "litdata"), ("mds", "streaming")])
def test_what_needs_an_extra_names_it(
    trainer: str, module: str, built: fm.Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"pip install 'flanmix\[" + trainer + r"\]'"):
        built.export(tmp_path / "out", trainer=trainer)
    assert list(tmp_path.iterdir()) == []


def test_litdata_gets_an_index_in_the_order_of_the_shards(built: fm.Built, tmp_path: Path) -> None:
    pytest.importorskip("litdata", reason="needs the extra 'litdata'")
    done = built.export(tmp_path / "out", trainer="litdata")
    place = done.folder / f"prompt_completion-{digest_of(built)}"
    index = json.loads((place / "index.json").read_text())
    shards = sorted(place.glob("*.parquet"))
    assert [chunk["filename"] for chunk in index["chunks"]] == [shard.name for shard in shards]
    assert [chunk["chunk_size"] for chunk in index["chunks"]] == [pq.read_metadata(each).num_rows for each in shards]
    assert checked(done.folder, "litdata").problems == []
    assert "index.json: is no shard" in told(checked(place, "llama-factory").problems)


@pytest.mark.parametrize("layout", ["prompt_completion", "messages", "tokens"])
def test_mds_holds_the_same_rows_with_their_tasks(layout: str, tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming", reason="needs the extra 'mds'")
    if layout == "tokens":
        folder = token_build(tmp_path / "mix", token_rows(12))
    else:
        folder = build(tmp_path / "mix", layout).folder
    done = export(folder, tmp_path / "out", trainer="mds")
    (place,) = done.folder.glob(f"{layout}-*")
    found = [*streaming.StreamingDataset(local=str(place), batch_size=1)]
    names = [name for name in rows_in(folder / "data")[0] if not name.startswith("fm_")]
    expected = [{"task": row["fm_task"], **{name: row[name] for name in names}} for row in rows_in(folder / "data")]
    plain = [{name: getattr(value, "tolist", lambda v=value: v)() for name, value in row.items()} for row in found]
    assert plain == expected


# ---- what is refused


def test_an_unknown_trainer_is_answered_with_the_nearest(built: fm.Built, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trainer is called 'axolot' - did you mean 'axolotl'"):
        built.export(tmp_path / "out", trainer="axolot")
    with pytest.raises(UsageError, match="did you mean 'llama-factory'"):
        built.export(tmp_path / "out", trainer="llama_factory")
    with pytest.raises(UsageError, match="there are trl, axolotl"):
        built.export(tmp_path / "out", trainer="keras")


@pytest.mark.parametrize("trainer", ["automodel", "open-instruct"])
def test_a_layout_that_the_trainer_does_not_read_is_refused(trainer: str, built: fm.Built, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{trainer} does not read the layout 'alpaca' - it reads messages"):
        built.export(tmp_path / "out", trainer=trainer, layout="alpaca")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ["prompt_completion", "inputs_targets"])
def test_the_text_of_a_chat_template_is_not_put_into_turns(layout: str, tmp_path: Path) -> None:
    built = build(tmp_path / "mix", layout, chat_template="chatml")
    what = f"{layout} in the chat template chatml cannot be made into messages"
    with pytest.raises(UsageError, match=what):
        built.export(tmp_path / "out", trainer="automodel")
    if layout == "prompt_completion":
        assert built.export(tmp_path / "out", trainer="trl").layouts == (layout,)


@pytest.mark.parametrize(("trainer", "layout"), [("automodel", None), ("trl", "messages"), ("llama-factory", "alpaca")])
def test_tokens_cannot_be_made_into_texts(trainer: str, layout: str | None, tmp_path: Path) -> None:
    folder = token_build(tmp_path / "mix", token_rows(4))
    with pytest.raises(UsageError, match=r"tokens cannot be made into .* - build with --layout"):
        export(folder, tmp_path / "out", trainer=trainer, layout=layout)
    assert not (tmp_path / "out").exists()


def test_the_folder_that_one_is_in_is_refused(built: fm.Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(BuildError, match="is the folder that you are in - name another, or go out of it"):
        built.export(".", trainer="trl")
    assert not [*(tmp_path / "out").iterdir()]


def test_a_folder_that_holds_something_is_refused_and_an_empty_one_taken(built: fm.Built, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    built.export(out, trainer="trl")
    before = hashes(out)
    with pytest.raises(BuildError, match="out: is not empty - name a folder that is new or empty"):
        built.export(out, trainer="axolotl")
    assert hashes(out) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="file: is a file"):
        built.export(tmp_path / "file", trainer="trl")
    with pytest.raises(BuildError, match="lies in the build"):
        built.export(built.folder / "export", trainer="trl")


def test_what_is_no_build_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match=r"manifest.json: is not there - name a folder that 'flanmix build'"):
        export(tmp_path / "empty", tmp_path / "out", trainer="trl")


def test_a_damaged_build_is_refused_with_every_shard(tmp_path: Path) -> None:
    built = build(tmp_path / "mix")
    first, second, _ = sorted((built.folder / "data").iterdir())
    first.unlink()
    second.write_bytes(b"short")
    with pytest.raises(BuildError) as caught:
        built.export(tmp_path / "out", trainer="trl")
    assert [problem.file for problem in caught.value.problems] == [str(first), str(second)]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    """Rows that the check refuses: without a token to train, which no build writes."""
    folder = token_build(tmp_path / "mix", [{**row, "labels": [-100] * len(row["labels"])} for row in token_rows(6)])
    with pytest.raises(BuildError, match=r"out/tokens-.*3 rows of 3 have no token to train"):
        export(folder, tmp_path / "out", trainer="trl")
    assert [place.name for place in tmp_path.iterdir()] == ["mix"]


def test_a_prompt_without_the_separator_of_the_manifest_is_not_cut(tmp_path: Path) -> None:
    built = build(tmp_path / "mix")
    facts = built.manifest
    (built.folder / "manifest.json").write_text(json.dumps({**facts, "separator": " => "}))
    with pytest.raises(FlanmixError, match=r"\.parquet: the prompt of row 0 does not end in the separator ' => '"):
        built.export(tmp_path / "out", trainer="automodel")


def test_conversations_have_no_place_in_two_texts(tmp_path: Path) -> None:
    said = [("user", "Hi"), ("assistant", "Hello"), ("user", "1 + 1?"), ("assistant", "2")]
    built = build(tmp_path / "mix", "messages", metadata=False)
    facts = built.manifest
    file = built.folder / facts["shards"][0]["file"]
    pq.write_table(pa.Table.from_pylist(talks(said, said), pq.read_schema(file)), file)
    facts["shards"][0]["bytes"] = file.stat().st_size
    (built.folder / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(FlanmixError, match="earlier turns, for which the layout 'prompt_completion' has no place"):
        built.export(tmp_path / "out", trainer="trl", layout="prompt_completion")


@pytest.mark.parametrize("name", ["a/b c", "007", "on", "näht"])
def test_names_in_configs_are_words_whatever_the_mixture_is_called(name: str) -> None:
    data: Any = Exported(mixture=name, layout="messages", plan=PLAN, rows=1)
    assert yaml.safe_load(f"{data.name}: 1") == {data.name: 1}
    assert data.name.replace("_", "").isalnum()
