"""Builds of tokens and of packs, against the library of tokenizers used by hand; what is dropped, cut and counted."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flanmix as fm
from flanmix import finishing
from flanmix.chat.encode import encode_chat
from flanmix.chat.library import load_chat_template
from flanmix.encoding import Encoding, make_encoding
from flanmix.errors import FlanmixError, UsageError
from flanmix.packing import pack
from flanmix.spec import EncodingKeys
from flanmix.tokenizing import Tokenizer
from tests.toy import RARE, SUMS, built, hashes, manifest_of, toy_plan
from tests.toy_tokens import library, plain

EOS, BOS = "<pad>", "<s>"
"""Any tokens will do that the toy tokenizer has."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer and its configuration; it knows the tokens of ChatML too."""
    made = library("bpe").from_str(library("bpe").to_str())
    made.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_text(made.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": EOS}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def plan() -> fm.Plan:
    return toy_plan()


def by_hand(example: fm.Example) -> tuple[list[int], list[int]]:
    """The tokens and labels of a row, one encoding of the whole text and the offsets of its tokens."""
    prompt, whole = f"{BOS}{example.input}\n", f"{BOS}{example.input}\n{example.target}{EOS}"
    found = plain("bpe").encode(whole, add_special_tokens=False)
    trained = [start >= len(prompt) for start, _ in found.offsets]
    return found.ids, [token if mine else -100 for token, mine in zip(found.ids, trained, strict=True)]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "data").to_pylist()


def kept(plan: fm.Plan) -> list[fm.Example]:
    return [example for example in plan if example.dropped is None]


def pieces_of(row: dict[str, Any]) -> Iterator[tuple[list[int], list[int], str, int]]:
    """The pieces of a pack: tokens, labels, task, source row."""
    ends = np.cumsum(row["seq_lengths"]).tolist()
    for end, length, task, number in zip(ends, row["seq_lengths"], row["fm_task"], row["fm_row"], strict=True):
        yield row["input_ids"][end - length : end], row["labels"][end - length : end], task, number


# ---- tokens


def test_rows_are_one_encoding_of_the_whole_text_and_the_loss_is_on_the_answer_and_its_end(
    plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    out = built(plan, tmp_path / "out", layout="tokens", tokenizer=str(tokenizer))
    rows = rows_of(out)
    assert [(row["input_ids"], row["labels"]) for row in rows] == [by_hand(example) for example in kept(plan)]
    assert all(row["attention_mask"] == [1] * len(row["input_ids"]) for row in rows)
    assert [row["fm_row"] for row in rows] == [example.row for example in kept(plan)]
    assert [str(field.type) for field in pq.read_schema(next(out.glob("data/*")))][:3] == [
        "list<element: int32>",
        "list<element: int8>",
        "list<element: int64>",
    ]


def test_a_chat_template_is_that_of_encode_chat(plan: fm.Plan, tokenizer: Path, tmp_path: Path) -> None:
    out = built(plan, tmp_path / "out", layout="tokens", tokenizer=str(tokenizer), chat_template="chatml")
    said = pa.array(
        [
            [{"role": "user", "content": example.input}, {"role": "assistant", "content": example.target}]
            for example in kept(plan)
        ]
    )
    known = Tokenizer.of_json((tokenizer / "tokenizer.json").read_text())
    encoded = encode_chat(load_chat_template("chatml"), said, known)
    rows = rows_of(out)
    assert [row["input_ids"] for row in rows] == encoded.input_ids.to_pylist()
    assert [row["labels"] for row in rows] == encoded.labels.to_pylist()
    facts = manifest_of(out)["encoding"]
    assert (facts["chat_template"], facts["chat_template_sha256"]) == ("chatml", load_chat_template("chatml").digest)


def test_a_tokenizers_own_chat_template_is_taken_from_its_folder(
    plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    jinja = load_chat_template("chatml").jinja
    own = tmp_path / "own"
    own.mkdir()
    (own / "tokenizer.json").write_bytes((tokenizer / "tokenizer.json").read_bytes())
    config = {"eos_token": "<|im_end|>", "chat_template": jinja}
    (own / "tokenizer_config.json").write_text(json.dumps(config))
    ours = built(plan, tmp_path / "a", layout="tokens", tokenizer=str(tokenizer), chat_template="chatml")
    theirs = built(plan, tmp_path / "b", layout="tokens", tokenizer=str(own), chat_template="tokenizer")
    assert pq.read_table(ours / "data").equals(pq.read_table(theirs / "data"))


def test_the_manifest_counts_tokens_and_loss_tokens_task_by_task(
    plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    out = built(plan, tmp_path / "out", layout="tokens", tokenizer=str(tokenizer))
    tokens: Counter[str] = Counter()
    loss: Counter[str] = Counter()
    for row in rows_of(out):
        tokens[row["fm_task"]] += len(row["input_ids"])
        loss[row["fm_task"]] += sum(label != -100 for label in row["labels"][1:])
    facts = manifest_of(out)
    assert {task["task"]: task["tokens"] for task in facts["tasks"]} == tokens
    assert {task["task"]: task["loss_tokens"] for task in facts["tasks"]} == loss
    assert facts["encoding"]["tokens"] == tokens.total()
    assert facts["encoding"]["loss_tokens"] == loss.total()


@pytest.mark.parametrize("truncate", [None, "right", "left"])
def test_longer_rows_are_dropped_and_counted_or_cut_where_asked(
    truncate: str | None, plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    told = {} if truncate is None else {"truncate": truncate}
    out = built(plan, tmp_path / "out", layout="tokens", tokenizer=str(tokenizer), max_length=20, **told)
    rows, facts = rows_of(out), manifest_of(out)
    whole = [by_hand(example) for example in kept(plan)]
    cut = [ids[:20] if truncate == "right" else ids[-20:] if truncate == "left" else ids for ids, _ in whole]
    marks = [
        labels[:20] if truncate == "right" else labels[-20:] if truncate == "left" else labels for _, labels in whole
    ]
    good = [
        number for number, ids in enumerate(cut) if len(ids) <= 20 and any(mark != -100 for mark in marks[number][1:])
    ]
    assert len(good) > 0
    assert (len(good) < len(whole)) == (truncate != "left")  # the answers are short
    assert [row["input_ids"] for row in rows] == [cut[number] for number in good]
    assert [row["labels"] for row in rows] == [marks[number] for number in good]
    dropped = Counter(reason for task in facts["tasks"] for reason in task["dropped"])
    assert facts["encoding"]["cut_tokens"] == sum(len(whole[n][0]) - len(cut[n]) for n in good)
    if truncate is None:
        assert dropped["longer than max_length"]
    elif truncate == "right":
        assert dropped["prompt fills the length"]
    for task in facts["tasks"]:
        assert task["planned"] == task["written"] + sum(task["dropped"].values())
    fm.verify(out)


def test_the_card_gives_rows_tokens_and_loss_tokens(plan: fm.Plan, tokenizer: Path, tmp_path: Path) -> None:
    out = built(plan, tmp_path / "out", layout="packed", tokenizer=str(tokenizer), max_length=150)
    card, facts = (out / "README.md").read_text(encoding="utf-8"), manifest_of(out)
    task = facts["tasks"][0]
    line = next(line for line in card.splitlines() if line.startswith(f"| {task['task']} | {task['type']} |"))
    assert line.endswith(f"| {task['tokens']:,} | {task['loss_tokens']:,} |")
    assert f"{facts['packing']['packs']} packs of 150, {facts['packing']['fill_rate']:.2%} full." in card


def test_turns_that_the_data_leave_out_of_the_loss_are_left_out_unless_asked(tokenizer: Path, tmp_path: Path) -> None:
    said = [("user", "1?", None), ("assistant", "wrong", 0), ("user", "Sure?", None), ("assistant", "right", 1)]
    rows = [{"messages": [{"role": r, "content": c, "weight": w} for r, c, w in said]}] * 3
    say = fm.Template("say", input="{{ prompt }}", target="{{ response }}")
    task = fm.Task("toy/talk", type="dialogue", source=rows, conversation="detect", templates=[say])
    plan = toy_plan(task, rows=3)
    told = {"layout": "tokens", "tokenizer": str(tokenizer), "chat_template": "chatml"}
    ours, asked = built(plan, tmp_path / "a", **told), built(plan, tmp_path / "b", loss="assistant", **told)
    assert [manifest_of(out)["encoding"]["loss"] for out in (ours, asked)] == ["chosen", "assistant"]
    known = Tokenizer.of_json((tokenizer / "tokenizer.json").read_text()).library
    texts = [
        known.decode([label for label in rows_of(out)[0]["labels"] if label != -100], skip_special_tokens=False)
        for out in (ours, asked)
    ]
    assert texts == ["right<|im_end|>", "wrong<|im_end|>right<|im_end|>"]


# ---- packs


@pytest.mark.parametrize("packing", ["best_fit", "best_fit_split", "concatenate"])
def test_packs_hold_every_token_of_every_row_and_say_whose_they_are(
    packing: str, plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    out = built(plan, tmp_path / "out", layout="packed", tokenizer=str(tokenizer), max_length=150, packing=packing)
    rows = rows_of(out)
    pieces = [piece for row in rows for piece in pieces_of(row)]
    wanted: Counter[tuple[str, int]] = Counter()
    for example in kept(plan):
        wanted[example.task, example.row] += len(by_hand(example)[0])
    found: Counter[tuple[str, int]] = Counter()
    for ids, _, task, number in pieces:
        found[task, number] += len(ids)
    assert found == wanted
    assert all(len(row["input_ids"]) <= 150 for row in rows)
    assert all(row["position_ids"] == [n for length in row["seq_lengths"] for n in range(length)] for row in rows)
    if packing == "best_fit":
        whole = Counter((tuple(ids), tuple(labels)) for ids, labels in map(by_hand, kept(plan)))
        assert Counter((tuple(ids), tuple(labels)) for ids, labels, _, _ in pieces) == whole
    facts = manifest_of(out)
    assert facts["rows"] == len(kept(plan))
    assert facts["packing"]["packs"] == len(rows) == sum(shard["lines"] for shard in facts["shards"])
    tokens = sum(len(row["input_ids"]) for row in rows)
    assert facts["packing"]["fill_rate"] == round(tokens / (150 * len(rows)), 6)
    assert facts["encoding"]["tokens"] == tokens
    fm.verify(out)


def test_each_shard_is_packed_best_fit_and_its_packs_stand_by_arrival(
    plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    out = built(plan, tmp_path / "out", layout="packed", tokenizer=str(tokenizer), max_length=150, shard_rows=100)
    for number, file in enumerate(sorted(out.glob("data/*"))):
        part = [plan[k] for k in range(100 * number, 100 * (number + 1))]
        lengths = [len(by_hand(example)[0]) for example in part if example.dropped is None]
        packs = pack(lengths, 150).by_arrival()
        assert [row["seq_lengths"] for row in pq.read_table(file).to_pylist()] == [
            packs.lengths[a:b].tolist() for a, b in zip(packs.bounds[:-1], packs.bounds[1:], strict=True)
        ]


def test_more_tokens_than_are_held_are_packed_in_windows(
    plan: fm.Plan, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = built(plan, tmp_path / "a", layout="packed", tokenizer=str(tokenizer), max_length=150)
    monkeypatch.setattr(finishing, "_WINDOW_TOKENS", 1)
    monkeypatch.setattr("flanmix.build._GROUP_ROWS", 50)
    windows = built(plan, tmp_path / "b", layout="packed", tokenizer=str(tokenizer), max_length=150)
    first, second = (
        Counter(str(piece) for row in rows_of(out) for piece in pieces_of(row)) for out in (whole, windows)
    )
    assert first == second
    assert manifest_of(windows)["packing"]["packs"] > manifest_of(whole)["packing"]["packs"]


def test_a_pack_without_a_loss_token_is_not_written_and_its_rows_are_counted(tokenizer: Path, tmp_path: Path) -> None:
    long = fm.Task(
        "toy/long",
        type="closed_book_qa",
        source=[{"question": "why " * 60, "answer": "so"}],
        templates=[fm.Template("ask", input="{{ question }}", target="{{ answer }}")],
    )
    plan = toy_plan(long, rows=1)
    out = built(plan, tmp_path / "out", layout="packed", tokenizer=str(tokenizer), max_length=16, packing="concatenate")
    facts = manifest_of(out)
    assert facts["packing"]["untrained"] > 0
    assert facts["packing"]["packs"] == len(rows_of(out)) < facts["packing"]["untrained"] + facts["packing"]["packs"]
    assert all(any(label != -100 for label in row["labels"][1:]) for row in rows_of(out))


# ---- the same bytes, and what decides them


@pytest.mark.parametrize("layout", ["tokens", "packed"])
def test_processes_make_the_same_folder(layout: str, plan: fm.Plan, tokenizer: Path, tmp_path: Path) -> None:
    told = {"layout": layout, "tokenizer": str(tokenizer), "max_length": 150, "shard_rows": 90}
    one, two = (built(plan, tmp_path / str(n), num_proc=n, **told) for n in (1, 2))
    assert hashes(one) == hashes(two)


def test_all_that_decides_tokens_is_in_the_digest(tokenizer: Path) -> None:
    keys = EncodingKeys(chat_template="chatml", max_length=64)
    first = make_encoding(keys, str(tokenizer), separator="\n")
    other = Tokenizer.of_json(library("unigram").to_str())
    changed: list[Encoding] = [
        replace(first, policy="last"),
        replace(first, max_length=65),
        replace(first, truncate="left"),
        replace(first, packing="best_fit"),
        replace(first, tokenizer=other),
        replace(first, separator=" "),
        replace(first, template=load_chat_template("zephyr")),
    ]
    assert len({first.digest, *(each.digest for each in changed)}) == 1 + len(changed)
    assert make_encoding(keys, str(tokenizer), separator=" ").digest == first.digest  # stands nowhere in a chat


# ---- budgets in tokens


@pytest.mark.parametrize("chat", [None, "chatml"])
def test_a_budget_in_tokens_counts_what_the_build_writes(chat: str | None, tokenizer: Path, tmp_path: Path) -> None:
    plan = toy_plan(SUMS, RARE, rows=None, tokens=3_000, tokenizer=str(tokenizer), layout="tokens", chat_template=chat)
    out = built(plan, tmp_path / "out")
    facts = manifest_of(out)
    assert facts["tokens"]["built"] == facts["encoding"]["tokens"] == sum(len(row["input_ids"]) for row in rows_of(out))
    assert abs(facts["tokens"]["off_by"]) < 0.02


@pytest.mark.parametrize("layout", ["tokens", "packed", "prompt_completion", "inputs_targets", "text"])
@pytest.mark.parametrize("chat", ["chatml", "alpaca", "mistral", "zephyr"])
def test_a_budget_in_tokens_counts_what_a_template_puts_around_every_turn(
    layout: str, chat: str, tokenizer: Path, tmp_path: Path
) -> None:
    turn = {"user": "{{ x }} + {{ y }}?", "assistant": "{{ z }}"}
    talk = fm.Template("talk", turns=[turn, {**turn, "user": "{{ x }}, again?"}, turn])
    rows = [{"x": number, "y": 1, "z": number + 1} for number in range(200)]
    tasks = fm.load_registry(specs=[fm.Task("talks", type="arithmetic", source=rows, templates=[talk])], bundled=False)
    keys = {"chat_template": chat, "eos": EOS, "bos": EOS, "max_length": 512, "tokenizer": str(tokenizer)}
    mixture = fm.Mixture("m", parts=[fm.Part("talks")], layout=layout, tokens=9_000, system="Add.", **keys)
    facts = manifest_of(built(mixture.plan(tasks, seed=1), tmp_path / "out"))
    assert abs(facts["tokens"]["off_by"]) < 0.03


# ---- wrong inputs


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tokenizer": None}, "a layout of tokens needs a tokenizer - name a tokenizer.json"),
        ({"layout": "packed"}, "packs need a length - say how many tokens a pack holds as 'max_length'"),
        ({"layout": "packed", "max_length": 64, "packing": "concatenate", "truncate": "left"}, "truncates none"),
        ({"max_lenght": 64}, "a build has no option 'max_lenght' - did you mean 'max_length'?"),
        ({"max_length": 1}, "max_length"),
        ({"loss": "some"}, "loss"),
        ({"chat_template": "chatlm"}, "no chat template 'chatlm' - did you mean 'chatml'?"),
        ({"chat_template": "llama3"}, "'<|eot_id|>', which ends a turn in the chat template 'llama3', is no token of"),
        ({"chat_template": "tokenizer"}, "has no chat_template"),
        ({"eos": "</end>"}, "'</end>', which ends a turn"),
        ({"truncate": "right"}, "truncate='right' needs max_length"),
        ({"loss": "chosen"}, "where no task has flags"),
        (
            {"layout": "messages", "max_length": 64, "loss": "last"},
            "loss and max_length would do nothing in the layout",
        ),
        ({"layout": "text", "packing": "concatenate"}, "packing would do nothing in the layout 'text' - leave it out"),
        ({"layout": "alpaca", "chat_template": "chatml"}, "chat_template would do nothing in the layout 'alpaca'"),
    ],
)
def test_wrong_options_are_told_before_anything_is_written(
    options: dict[str, Any], told: str, plan: fm.Plan, tokenizer: Path, tmp_path: Path
) -> None:
    chosen = {"layout": "tokens", "tokenizer": str(tokenizer), **options}
    with pytest.raises(FlanmixError) as caught:
        built(plan, tmp_path / "out", **chosen)
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_without_a_word_of_the_end_of_a_text_nothing_is_guessed(plan: fm.Plan, tokenizer: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "tokenizer.json").write_bytes((tokenizer / "tokenizer.json").read_bytes())
    with pytest.raises(UsageError, match=r"nothing says which token of .* ends a text - write it under 'eos'"):
        built(plan, tmp_path / "out", layout="tokens", tokenizer=str(alone))
    built(plan, tmp_path / "out", layout="tokens", tokenizer=str(alone), eos=EOS)
