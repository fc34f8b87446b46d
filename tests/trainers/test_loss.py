"""The loss that torch computes from built labels is L = -sum of log P(y_t | x, y_<t) over the tokens of the answers.

200 random conversations in several scripts, each chat template, three kinds of tokenizers, a random model. Where the
answers are in a text is found by rendering it with transformers turn by turn.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix.chat.library import load_chat_template
from tests.chat.talk import KINDS, NAMES, conversations
from tests.trainers.sft import needs_trainers, saved, tiny, tokenizer_of, torch

pytestmark = needs_trainers

ROWS = 200
IGNORED = -100


@cache
def plan() -> fm.Plan:
    """200 of the conversations that are left when those with empty turns are not taken."""
    source = [{"messages": said} for said in conversations(600, seed=5)]
    task = fm.Task("toy/talks", type="dialogue", source=source, conversation={"messages": "messages"})
    mixture = fm.Mixture("toy", parts=[fm.Part("toy/*")], max_epochs=1)
    return mixture.plan(fm.load_registry(specs=[task]), rows=ROWS)


@cache
def model(vocabulary: int) -> Any:
    """A random model that reckons in double precision."""
    return tiny(vocabulary, layers=1).double().eval()


def built(folder: Path, **options: Any) -> list[dict[str, Any]]:
    """The rows of a build."""
    made = plan().build(folder, quiet=True, **options)
    assert made.rows == ROWS
    return list(pq.read_table(made.folder / "data").to_pylist())


def answers(said: Sequence[Mapping[str, str]], tokenizer: Any, name: str) -> tuple[list[int], list[bool]]:
    """The tokens of a conversation, and which of them start in an answer or its end of turn."""
    end = load_chat_template(name).end

    def text(turns: int, *, prompt: bool = False) -> str:
        return str(tokenizer.apply_chat_template(said[:turns], tokenize=False, add_generation_prompt=prompt))

    whole = text(len(said))
    spans = []
    for number, turn in enumerate(said):
        if turn["role"] == "assistant":
            asked, answered = text(number, prompt=True), text(number + 1)
            stop = answered.rindex(end) + len(end)
            assert whole.startswith(asked)
            assert whole[:stop] == answered[:stop]
            spans.append((len(asked), stop))
    found = tokenizer.backend_tokenizer.encode(whole, add_special_tokens=False)
    return found.ids, [any(start <= place < stop for start, stop in spans) for place, _ in found.offsets]


def logits(vocabulary: int, ids: Sequence[int], positions: Sequence[int] | None = None) -> Any:
    """What the model says after each token; pieces begin where positions begin anew.

    transformers looks for that only without a cache; TRL turns it off too.
    """
    places = None if positions is None else torch.tensor([positions])
    with torch.no_grad():
        return model(vocabulary)(input_ids=torch.tensor([ids]), position_ids=places, use_cache=False).logits[0]


def formula(scores: Any, ids: Sequence[int], trained: Sequence[bool]) -> float:
    """The sum written out."""
    given = scores.numpy()
    norms = np.log(np.exp(given).sum(axis=1))
    return float(sum(norms[t - 1] - given[t - 1, ids[t]] for t in range(1, len(ids)) if trained[t]))


def torchs(scores: Any, labels: Sequence[int]) -> float:
    """As trainers compute it: labels moved by one."""
    wanted = torch.tensor(labels[1:], dtype=torch.long)
    total = torch.nn.functional.cross_entropy(scores[:-1], wanted, ignore_index=IGNORED, reduction="sum")
    return float(total)


def test_the_conversations_are_of_many_kinds() -> None:
    rows = list(plan())
    texts = [text for row in rows for text in (row.input, row.target)]
    assert len({(row.system, row.history, row.input, row.target) for row in rows}) > ROWS - 5
    assert sum(len(row.history) > 0 for row in rows) > 50
    assert sum(row.system != "" for row in rows) > 30
    for scripts in ("東日", "🙂👍", "مש"):
        assert sum(any(char in text for char in scripts) for text in texts) > 50


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_built_tokens_is_that_of_the_answers(kind: str, name: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(name, kind)
    told = {"tokenizer": saved(tokenizer, tmp_path / "tokenizer"), "chat_template": name}
    rows = built(tmp_path / "tokens", layout="tokens", **told)
    messages = built(tmp_path / "messages", layout="messages")
    for row, said in zip(rows, (row["messages"] for row in messages), strict=True):
        ids, trained = answers(said, tokenizer, name)
        assert row["input_ids"] == ids
        assert row["labels"] == [token if mine else IGNORED for token, mine in zip(ids, trained, strict=True)]
        scores = logits(len(tokenizer), ids)
        assert torchs(scores, row["labels"]) == pytest.approx(formula(scores, ids, trained), abs=1e-5, rel=0)


@pytest.mark.parametrize(
    ("packing", "loss"), [("best_fit", "assistant"), ("best_fit_split", "all"), ("concatenate", "assistant")]
)
@pytest.mark.parametrize(("kind", "name"), list(zip(KINDS, ("chatml", "mistral", "llama3"), strict=True)))
def test_the_loss_of_a_pack_is_that_of_its_pieces_alone(
    kind: str, name: str, packing: str, loss: str, tmp_path: Path
) -> None:
    tokenizer = tokenizer_of(name, kind)
    told = {"tokenizer": saved(tokenizer, tmp_path / "tokenizer"), "chat_template": name, "loss": loss}
    longest = 1500 if packing == "best_fit" else 97
    packs = built(tmp_path / "packed", layout="packed", packing=packing, max_length=longest, **told)
    assert max(len(row["seq_lengths"]) for row in packs) > 2
    total = 0.0
    for row in packs:
        ids, labels, ends = row["input_ids"], row["labels"], np.cumsum([0, *row["seq_lengths"]]).tolist()
        alone = sum(torchs(logits(len(tokenizer), ids[a:b]), labels[a:b]) for a, b in pairwise(ends))
        whole = torchs(logits(len(tokenizer), ids, row["position_ids"]), labels)  # labels as written, moved by one
        assert whole == pytest.approx(alone, abs=1e-5, rel=0)
        total += whole
    if packing == "best_fit":
        rows = built(tmp_path / "tokens", layout="tokens", **told)
        each = (torchs(logits(len(tokenizer), row["input_ids"]), row["labels"]) for row in rows)
        assert total == pytest.approx(sum(each), abs=1e-5, rel=1e-12)
