"""axolotl prepares built folders with its own `prepare_datasets`: every row, in its order, with the loss on the answer.

One config lists the folders of all layouts, as a user's would list one; axolotl encodes them and puts them together.
"""

from pathlib import Path
from typing import Any, NamedTuple

import datasets
import pyarrow as pa
import pytest

from tests.trainers.builds import (
    BOS,
    CHAT,
    EOS,
    PAD,
    TALKS,
    built,
    chat_text,
    pairs_of,
    rows_of,
    tokenizer_of,
    write_shard,
    write_talks,
)

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
transformers = pytest.importorskip("transformers", reason="needs transformers")
pytest.importorskip("axolotl", reason="needs axolotl")
from axolotl.utils.config import validate_config  # noqa: E402
from axolotl.utils.data.sft import prepare_datasets  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402

TURNS = {"type": "chat_template", "split": "train"}
SHAREGPT = {"field_messages": "conversations", "message_property_mappings": {"role": "from", "content": "value"}}
PAIR = {
    "field_instruction": "prompt",
    "field_output": "completion",
    "format": "{instruction}",
    "no_input_format": "{instruction}",
}
ENTRIES: dict[str, dict[str, Any]] = {
    "messages": TURNS,
    "sharegpt": {**TURNS, **SHAREGPT},
    "alpaca": {"type": "alpaca", "split": "train"},
    "prompt_completion": {"type": PAIR, "split": "train"},
}
TALK_ENTRIES = {layout: ENTRIES[layout] for layout in ("messages", "sharegpt", "alpaca")}
KINDS = {"input_ids": pa.int32(), "attention_mask": pa.int8(), "labels": pa.int64()}
TOKENS = pa.schema([(name, pa.list_(pa.field("element", kind))) for name, kind in KINDS.items()])
TOKEN_ROWS = [
    {"input_ids": [*range(n + 4)], "attention_mask": [1] * (n + 4), "labels": [-100] * (n + 2) + [7, 8]}
    for n in range(20)
]


class Prepared(NamedTuple):
    """What axolotl made of each folder, what was in the folder, and the tokenizer."""

    found: dict[str, list[dict[str, Any]]]
    rows: dict[str, list[dict[str, Any]]]
    tokenizer: Any

    def texts(self, name: str) -> list[str]:
        """The whole texts."""
        return [str(self.tokenizer.decode(row["input_ids"])) for row in self.found[name]]

    def trained(self, name: str) -> list[str]:
        """What the loss is on."""
        labels = ([token for token in row["labels"] if token != -100] for row in self.found[name])
        return [str(self.tokenizer.decode(tokens)) for tokens in labels]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Builds of one turn, conversations and tokens, prepared at once: axolotl starts processes to save each dataset."""
    place = tmp_path_factory.mktemp("axolotl")
    entries, rows = {}, {}
    for layout, entry in ENTRIES.items():
        entries[layout], rows[layout] = entry, rows_of(built(place / layout, layout).folder)
    for layout, entry in TALK_ENTRIES.items():
        write_talks(place / f"talks_{layout}", layout)
        entries[f"talks_{layout}"], rows[f"talks_{layout}"] = entry, rows_of(place / f"talks_{layout}")
    write_shard(place / "tokens" / "data" / "train-00000-of-00001.parquet", TOKEN_ROWS, TOKENS)
    entries["tokens"], rows["tokens"] = {"type": "", "split": "train"}, TOKEN_ROWS

    texts = (row["prompt"] + row["completion"] for row in rows["prompt_completion"])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(texts), bos_token=BOS, eos_token=EOS, pad_token=PAD, chat_template=CHAT
    )
    data = _prepare(place, entries, tokenizer).to_list()
    found = {}
    for name, of_name in rows.items():
        found[name], data = data[: len(of_name)], data[len(of_name) :]
    assert data == []
    return Prepared(found, rows, tokenizer)


def _prepare(place: Path, entries: dict[str, dict[str, Any]], tokenizer: Any) -> datasets.Dataset:
    """What `axolotl preprocess` does with a config of these folders."""
    config = validate_config(
        DictDefault(
            {
                "base_model": str(place),
                "datasets": [{"path": str(place / name), **entry} for name, entry in entries.items()],
                "dataset_prepared_path": str(place / "prepared"),
                "shuffle_merged_datasets": False,
                "excess_length_strategy": "truncate",
                "sequence_len": 2048,
                "micro_batch_size": 1,
                "gradient_accumulation_steps": 1,
                "num_epochs": 1,
                "learning_rate": 1e-4,
                "val_set_size": 0,
                "dataset_num_proc": 1,
                "output_dir": str(place / "out"),
            }
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXOLOTL_IS_PREPROCESS", "1")
        patch.setenv("AXOLOTL_DO_NOT_TRACK", "1")
        train, _, _, _ = prepare_datasets(config, tokenizer)
    return train


@pytest.mark.parametrize("layout", ["messages", "sharegpt"])
def test_turns_are_trained_on_the_answer_and_its_end(prepared: Prepared, layout: str) -> None:
    pairs = [pairs_of([row], layout)[0] for row in prepared.rows[layout]]

    assert prepared.texts(layout) == [chat_text([("user", asked), ("assistant", said)]) for asked, said in pairs]
    assert prepared.trained(layout) == [said + EOS for _, said in pairs]


def test_a_prompt_and_its_completion_stand_together_as_built(prepared: Prepared) -> None:
    rows = prepared.rows["prompt_completion"]

    assert prepared.texts("prompt_completion") == [BOS + row["prompt"] + row["completion"] + EOS for row in rows]
    assert prepared.trained("prompt_completion") == [row["completion"] + EOS for row in rows]


def test_alpaca_is_trained_on_the_output_and_its_end(prepared: Prepared) -> None:
    """axolotl puts words of its own around the instruction."""
    rows = prepared.rows["alpaca"]

    assert prepared.trained("alpaca") == [row["output"] + EOS for row in rows]
    texts = zip(prepared.texts("alpaca"), rows, strict=True)
    assert all(f"### Instruction:\n{row['instruction']}\n" in text for text, row in texts)


@pytest.mark.parametrize("layout", ["messages", "sharegpt"])
def test_system_and_earlier_turns_are_kept_and_every_answer_is_trained(prepared: Prepared, layout: str) -> None:
    for number, (system, history, asked, said) in enumerate(TALKS):
        pairs = [*history, (asked, said)]
        turns = [("system", system)] * bool(system)
        turns += [turn for user, answer in pairs for turn in (("user", user), ("assistant", answer))]
        assert prepared.texts(f"talks_{layout}")[number] == chat_text(turns)
        assert prepared.trained(f"talks_{layout}")[number] == "".join(answer + EOS for _, answer in pairs)


def test_alpaca_loses_system_and_earlier_turns(prepared: Prepared) -> None:
    """Why conversations go to axolotl as messages."""
    for text, (system, history, asked, _) in zip(prepared.texts("talks_alpaca"), TALKS, strict=True):
        assert asked in text
        assert not system or system not in text
        assert not any(answer in text.split("### Instruction:")[1] for user, answer in history if len(answer) > 1)


def test_rows_of_tokens_are_taken_as_they_are(prepared: Prepared) -> None:
    assert [{name: row[name] for name in KINDS} for row in prepared.found["tokens"]] == TOKEN_ROWS
