"""axolotl prepares exports with its own `prepare_datasets`: every row, in its order, with the loss on the answer.

One config lists the datasets of several exports, each as its own config has it; axolotl puts them together.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

import flanmix as fm
from flanmix.errors import BuildError
from tests.trainers.builds import (
    EOS,
    answers_in,
    built,
    chat_text,
    pair_of,
    rows_of,
    talks_built,
    talks_in,
    tokens_built,
    trained_text,
    without_metadata,
    wrapped_tokenizer,
)

pytestmark = [pytest.mark.trainers, pytest.mark.slow]

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("transformers", reason="needs transformers")
pytest.importorskip("axolotl", reason="needs axolotl")
from axolotl.utils.config import validate_config  # noqa: E402
from axolotl.utils.data.sft import prepare_datasets  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402

LAYOUTS = ["messages", "sharegpt", "alpaca", "prompt_completion"]
TALK_LAYOUTS = ["messages", "sharegpt"]


class Prepared(NamedTuple):
    """What axolotl made of each export, the builds that they are of with their rows, and the tokenizer."""

    found: dict[str, list[dict[str, Any]]]
    builds: dict[str, fm.Built]
    rows: dict[str, list[dict[str, Any]]]
    tokenizer: Any

    def texts(self, name: str) -> list[str]:
        """The whole texts."""
        return [str(self.tokenizer.decode(row["input_ids"])) for row in self.found[name]]

    def trained(self, name: str) -> list[str]:
        """What the loss is on."""
        return [trained_text(self.tokenizer, row["labels"]) for row in self.found[name]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Builds of one turn, conversations and tokens, prepared at once: axolotl starts processes to save each dataset."""
    place = tmp_path_factory.mktemp("axolotl")
    builds = {layout: built(place / "builds" / layout, layout) for layout in LAYOUTS}
    for layout in TALK_LAYOUTS:
        builds[f"talks_{layout}"] = talks_built(place / "builds" / f"talks_{layout}", layout)
    builds["tokens"] = tokens_built(place / "builds" / "tokens", "tokens")
    for name, made in builds.items():
        assert made.export(place / name, trainer="axolotl").layouts == (name.removeprefix("talks_"),)
    builds["talks_alpaca"] = talks_built(place / "builds" / "talks_alpaca", "alpaca")
    export_unchecked(builds["alpaca"], builds["talks_alpaca"], place / "talks_alpaca")
    rows = {name: rows_of(made.folder) for name, made in builds.items()}

    tokenizer = wrapped_tokenizer()
    data = _prepare(place, list(rows), tokenizer)
    found = {}
    for name, of_name in rows.items():
        found[name], data = data[: len(of_name)], data[len(of_name) :]
    assert data == []
    return Prepared(found, builds, rows, tokenizer)


def export_unchecked(other: fm.Built, made: fm.Built, out: Path) -> None:
    """An export that flanmix refuses: the export of another build, with the rows of this one in place of its own."""
    (folder,) = (place for place in other.export(out, trainer="axolotl").folder.iterdir() if place.is_dir())
    shutil.rmtree(folder)
    shutil.copytree(made.folder / "data", folder)


def _prepare(place: Path, names: list[str], tokenizer: Any) -> list[dict[str, Any]]:
    """What `axolotl preprocess` does with the configs of these exports, their datasets listed together."""
    entries, config = [], {}
    for name in names:
        config = yaml.safe_load((place / name / "axolotl.yaml").read_text(encoding="utf-8"))
        entries += [{**entry, "path": str(place / name / entry["path"])} for entry in config["datasets"]]
    batches = {"sequence_len": 2048, "micro_batch_size": 1, "gradient_accumulation_steps": 1, "dataset_num_proc": 1}
    rest = {"base_model": str(place), "num_epochs": 1, "learning_rate": 1e-4, "val_set_size": 0}
    places = {"dataset_prepared_path": str(place / "prepared"), "output_dir": str(place / "trained")}
    whole = validate_config(DictDefault({**config, "datasets": entries, **batches, **rest, **places}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXOLOTL_IS_PREPROCESS", "1")
        train, _, _, _ = prepare_datasets(whole, tokenizer)
    found: list[dict[str, Any]] = train.to_list()
    return found


@pytest.mark.parametrize("layout", ["messages", "sharegpt"])
def test_turns_are_trained_on_the_answer_and_its_end(prepared: Prepared, layout: str) -> None:
    pairs = [pair_of(row, layout) for row in prepared.rows[layout]]

    assert prepared.texts(layout) == [chat_text([("user", asked), ("assistant", said)]) for asked, said in pairs]
    assert prepared.trained(layout) == [said + EOS for _, said in pairs]


def test_a_prompt_and_its_completion_stand_together_as_built(prepared: Prepared) -> None:
    rows = prepared.rows["prompt_completion"]

    assert prepared.texts("prompt_completion") == [row["prompt"] + row["completion"] + EOS for row in rows]
    assert prepared.trained("prompt_completion") == [row["completion"] + EOS for row in rows]


def test_alpaca_is_trained_on_the_output_and_its_end(prepared: Prepared) -> None:
    """Around the instruction stand words of its own."""
    rows = prepared.rows["alpaca"]

    assert prepared.trained("alpaca") == [row["output"] + EOS for row in rows]
    texts = zip(prepared.texts("alpaca"), rows, strict=True)
    assert all(f"### Instruction:\n{row['instruction']}\n" in text for text, row in texts)


@pytest.mark.parametrize("layout", ["messages", "sharegpt"])
def test_system_and_earlier_turns_are_kept_and_every_answer_is_trained(prepared: Prepared, layout: str) -> None:
    name = f"talks_{layout}"
    talks = talks_in(prepared.builds[name].folder, layout)

    assert prepared.texts(name) == [chat_text(turns) for turns in talks]
    assert prepared.trained(name) == ["".join(answer + EOS for answer in answers_in(turns)) for turns in talks]


def test_alpaca_loses_system_and_earlier_turns_so_that_its_export_is_refused(
    prepared: Prepared, tmp_path: Path
) -> None:
    """Why conversations go to axolotl as messages."""
    for text, row in zip(prepared.texts("talks_alpaca"), prepared.rows["talks_alpaca"], strict=True):
        before, _, after = text.partition("### Instruction:\n")
        assert not row["system"] or row["system"] not in before
        assert "\n\n### " not in before
        assert after == f"{row['instruction']}\n\n### Response:\n{row['output']}{EOS}"

    with pytest.raises(BuildError, match="system"):
        prepared.builds["talks_alpaca"].export(tmp_path / "out", trainer="axolotl", layout="alpaca")


def test_rows_of_tokens_are_taken_as_they_are(prepared: Prepared) -> None:
    written = without_metadata(prepared.rows["tokens"])

    assert len(written) == prepared.builds["tokens"].rows
    assert [{name: row[name] for name in written[0]} for row in prepared.found["tokens"]] == written
