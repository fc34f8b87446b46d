"""Tokens and labels: what is trained, what never is, what is cut, dropped and counted."""

import json
import random
import re
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from flanmix.chat.cutting import NO_LOSS
from flanmix.chat.encode import IGNORED, LOST, SPECIAL, Encoded, encode, encode_chat, encode_pairs
from flanmix.chat.guard import steering_tokens
from flanmix.chat.loss import loss
from flanmix.chat.render import render_chat
from flanmix.chat.rendered import Rendered
from flanmix.chat.template import ChatTemplate
from flanmix.errors import TemplateError, UsageError
from flanmix.tokenizing import Tokenizer
from tests.chat.talk import KINDS, NAMES, column, conversations, plain, template, tokenizer
from tests.toy_tokens import library

TALK = [
    {"role": "user", "content": "the dog"},
    {"role": "assistant", "content": "42"},
    {"role": "user", "content": "fox?"},
    {"role": "assistant", "content": "東京は🙂"},
]


@cache
def both(kind: str, name: str) -> tuple[Rendered, Encoded]:
    """More than 200 conversations as texts, and as tokens."""
    guarded = steering_tokens(tokenizer(kind, name), template(name))
    rendered = render_chat(template(name), column(conversations()), guarded=guarded)
    return rendered, encode(rendered, tokenizer(kind, name))


def rows_of(encoded: Encoded) -> list[tuple[list[int], list[int]]]:
    return list(zip(encoded.input_ids.to_pylist(), encoded.labels.to_pylist(), strict=True))


def trained(encoded: Encoded, row: int) -> list[int]:
    return [label for label in encoded.labels[row].as_py() if label != IGNORED]


def ids_of(kind: str, name: str, *texts: str) -> list[int]:
    return [number for text in texts for number in plain(kind, name).encode(text).ids]


def token(kind: str, name: str, text: str) -> int:
    found = plain(kind, name).token_to_id(text)
    assert found is not None
    return int(found)


# ---- what is trained, for every template and three tokenizers


def test_the_conversations_are_of_many_kinds() -> None:
    texts = ["".join(turn["content"] for turn in row) for row in conversations()]
    assert sum(len(row) > 3 for row in conversations()) > 80
    assert sum(row[0]["role"] == "system" for row in conversations()) > 40
    for scripts in ("東日", "🙂👍", "مש", "\n"):
        assert sum(any(char in text for char in scripts) for text in texts) > 80


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_the_tokens_that_start_in_what_the_assistant_says(kind: str, name: str) -> None:
    rendered, encoded = both(kind, name)
    empty = encoded.counts.dropped.get(NO_LOSS, 0)  # of all, nothing but the end of a turn is a token
    assert encoded.counts.written == len(conversations()) - empty >= 200
    for number, (ids, labels) in zip(encoded.rows.tolist(), rows_of(encoded), strict=True):
        once = plain(kind, name).encode(rendered.texts[number].as_py())
        assert ids == once.ids
        spans = rendered.spans.row(number)
        inside = [any(start <= begin < stop for start, stop in spans) for begin, _ in once.offsets]
        assert labels == [i if said else IGNORED for i, said in zip(ids, inside, strict=True)]
        covered = {place for (a, b), said in zip(once.offsets, inside, strict=True) if said for place in range(a, b)}
        elsewhere = {
            place for (a, b), said in zip(once.offsets, inside, strict=True) if not said for place in range(a, b)
        }
        assert all(any(start <= place < stop for start, stop in spans) for place in covered - elsewhere)
        left = {place for start, stop in spans for place in range(start, stop)} & (elsewhere - covered)
        assert len(left) <= 8 * encoded.counts.straddling


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_each_turn_is_trained_once(kind: str, name: str) -> None:
    _, encoded = both(kind, name)
    end = token(kind, name, template(name).end)
    for number, (_, labels) in zip(encoded.rows.tolist(), rows_of(encoded), strict=True):
        assert labels.count(end) == sum(turn["role"] == "assistant" for turn in conversations()[number])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_response_tokens(kind: str, name: str) -> None:
    """L = -sum of log P(y_t | x, y_<t), the sum written out over the spans."""
    rendered, encoded = both(kind, name)
    numbers = np.random.default_rng(0)
    vocabulary = plain(kind, name).get_vocab_size()
    for number, (ids, labels) in zip(encoded.rows.tolist(), rows_of(encoded), strict=True):
        logits = numbers.normal(size=(len(ids), vocabulary))
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        offsets = plain(kind, name).encode(rendered.texts[number].as_py()).offsets
        spans = rendered.spans.row(number)
        expected = -sum(
            np.log(probabilities[t - 1, ids[t]])
            for t in range(1, len(ids))
            if any(start <= offsets[t][0] < stop for start, stop in spans)
        )
        assert loss(logits, labels) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_that_torch_computes_is_the_same(kind: str, name: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra 'trainers'")
    _, encoded = both(kind, name)
    vocabulary = plain(kind, name).get_vocab_size()
    numbers = np.random.default_rng(1)
    for ids, labels in rows_of(encoded):
        logits = numbers.normal(size=(len(ids), vocabulary))
        scores, targets = torch.tensor(logits)[:-1], torch.tensor(labels)[1:]
        theirs = torch.nn.functional.cross_entropy(scores, targets, ignore_index=IGNORED, reduction="sum")
        assert abs(theirs.item() - loss(logits, labels)) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_transformers_makes_the_same_tokens_and_mask_of_the_template(kind: str, name: str) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra 'trainers'")
    own = template(name)
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain(kind, name), bos_token=own.bos or None, eos_token=own.eos, chat_template=own.jinja
    )
    rendered, encoded = both(kind, name)
    for number, (ids, labels) in zip(encoded.rows.tolist(), rows_of(encoded), strict=True):
        row = conversations()[number]
        assert theirs.apply_chat_template(row, tokenize=False) == rendered.texts[number].as_py()
        made = theirs.apply_chat_template(row, return_dict=True, return_assistant_tokens_mask=True)
        assert made["input_ids"] == ids
        if not encoded.counts.straddling and kind == "bpe":
            assert made["assistant_masks"] == [int(label != IGNORED) for label in labels]


def test_the_columns_have_the_types_that_trainers_concatenate() -> None:
    _, encoded = both("bpe", "chatml")
    assert encoded.input_ids.type == pa.list_(pa.int32())
    assert encoded.attention_mask.type == pa.list_(pa.int8())
    assert encoded.labels.type == pa.list_(pa.int64())
    assert set(encoded.attention_mask.flatten().to_pylist()) == {1}
    assert encoded.attention_mask.offsets.equals(encoded.input_ids.offsets)
    assert encoded.counts.tokens == len(encoded.input_ids.flatten())
    assert encoded.counts.loss_tokens == sum(label != IGNORED for _, labels in rows_of(encoded) for label in labels[1:])


def test_how_rows_are_cut_into_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered, encoded = both("bpe", "vicuna")
    monkeypatch.setattr("flanmix.tokenizing._BATCH_BYTES", 300)
    again = encode(rendered, tokenizer("bpe", "vicuna"))
    assert again.input_ids.equals(encoded.input_ids)
    assert again.labels.equals(encoded.labels)
    assert again.counts == encoded.counts


# ---- why there is one encoding


def gpt2() -> Tokenizer:
    """Byte-level BPE whose pattern is GPT-2's: two line breaks are one token, unless a letter follows them."""
    vocabulary = {text: number for number, text in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("Ċ", "Ċ"), ("o", "k")]
    vocabulary |= {"ĊĊ": 256, "ok": 257, "<e>": 258}
    made = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=True)
    made.add_special_tokens(["<e>"])
    return Tokenizer.of_json(made.to_str(), "gpt2")


def test_a_prompt_encoded_alone_has_other_tokens_than_at_the_start_of_its_row() -> None:
    used = gpt2()
    alone = used.library.encode("Q:\n\n").tokens
    assert alone == ["Q", ":", "ĊĊ"]
    encoded = encode_pairs(pa.array(["Q:\n\n"]), pa.array(["ok"]), used, eos="<e>")
    tokens = [used.library.id_to_token(number) for number in encoded.input_ids[0].as_py()]
    assert tokens == ["Q", ":", "Ċ", "Ċ", "ok", "<e>"]
    assert trained(encoded, 0) == [257, 258]
    by_length = encoded.input_ids[0].as_py()[len(alone) :]
    assert by_length != trained(encoded, 0)  # the prompt's last line break would be trained


def test_a_token_over_the_boundary_is_the_prompts_and_counted() -> None:
    encoded = encode_pairs(pa.array(["Q\n", "Q"]), pa.array(["\n", "\n"]), gpt2(), eos="<e>")
    assert [trained(encoded, row) for row in (0, 1)] == [[258], [gpt2().library.token_to_id("Ċ"), 258]]
    assert encoded.counts.straddling == 1


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_count_characters_of_the_text_as_it_was_given(kind: str) -> None:
    """Whatever the normaliser, the prefix spaces and the post-processor do to them."""
    for text in ("👍🏽 東京 ﬁ ⅷ e\u0301 שלום", "  x", "ﬁ<s> ﬁ"):
        made = tokenizer(kind, "plain").library.encode(text, add_special_tokens=False)
        places = [start for start, _ in made.offsets]
        assert places == sorted(places)
        assert max(stop for _, stop in made.offsets) == len(text)


@pytest.mark.parametrize("normalizer", [normalizers.NFKC(), normalizers.NFD(), normalizers.Lowercase()])
def test_normalisers_move_no_label(normalizer: Any) -> None:
    made = tokenizers.Tokenizer.from_str(library("bpe").to_str())
    made.normalizer = normalizer
    made.add_special_tokens(["<|im_end|>", "<|im_start|>"])
    used = Tokenizer.of_json(made.to_str())
    talk = [{"role": "user", "content": "ﬁﬁﬁ ⅷ İİ É ①"}, {"role": "assistant", "content": "ⅷ dog ﬁ"}]
    encoded = encode_chat(template("chatml"), column([talk]), used)
    expected = used.library.encode(normalizer.normalize_str("ⅷ dog ﬁ") + "<|im_end|>", add_special_tokens=False).ids
    assert trained(encoded, 0) == expected


# ---- policies


@pytest.mark.parametrize("kind", KINDS)
def test_each_policy_trains_what_it_says(kind: str) -> None:
    used, own = tokenizer(kind, "zephyr"), template("zephyr")
    first, second = ids_of(kind, "zephyr", "42</s>")[-2:], ids_of(kind, "zephyr", "東京は🙂</s>")
    ends = token(kind, "zephyr", "</s>")

    def got(**options: Any) -> list[int]:
        return trained(encode_chat(own, column([TALK]), used, **options), 0)

    every = got()
    assert every.count(ends) == 2
    assert got(policy="last") == got(policy="chosen", chosen=pa.array([[False, False, False, True]])) != every
    assert got(policy="last")[-len(second) + 1 :] == second[1:]
    assert got(policy="chosen", chosen=pa.array([[False, True, False, False]]))[-1] == first[-1]
    assert got(policy="chosen", chosen=pa.array([[False, True, False, False]])) + got(policy="last") == every
    assert got(policy="all") == encode_chat(own, column([TALK]), used).input_ids[0].as_py()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"policy": "chosen"}, "the policy 'chosen' and the flags go together"),
        ({"chosen": pa.array([[False]])}, "the policy 'chosen' and the flags go together"),
        ({"policy": "chosen", "chosen": pa.array([[True, False, False, False]])}, "a flag is on a message that is not"),
        ({"policy": "chosen", "chosen": pa.array([[False]])}, "the flags are not one for each message"),
        ({"truncate": "left"}, "truncate='left' needs max_length"),
        ({"truncate": "middle", "max_length": 9}, "truncate is 'left', 'right' or None, not 'middle'"),
        ({"max_length": 1}, "max_length is 1 - a row needs a token and another that follows it"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        encode_chat(template("chatml"), column([TALK]), tokenizer("bpe", "chatml"), **options)


# ---- length, and what is dropped


def pairs(*rows: tuple[str, str], **options: Any) -> Encoded:
    prompts, completions = zip(*rows, strict=True)
    return encode_pairs(pa.array(prompts), pa.array(completions), gpt2(), eos="<e>", **options)


def test_nothing_is_cut_unless_asked() -> None:
    encoded = pairs(("abc", "de"), ("abc", "defg"), max_length=6)
    assert encoded.rows.tolist() == [0]
    assert encoded.counts.dropped == {"longer than max_length": 1}
    assert (encoded.counts.rows, encoded.counts.written, encoded.counts.cut_rows) == (2, 1, 0)


def test_the_right_side_loses_ends_and_rows_whose_prompt_fills_the_length() -> None:
    encoded = pairs(("abc", "de"), ("abc", "defg"), ("abcdef", "g"), max_length=6, truncate="right")
    assert encoded.rows.tolist() == [0, 1]
    assert [len(ids) for ids, _ in rows_of(encoded)] == [6, 6]
    counts = encoded.counts
    assert (counts.cut_rows, counts.cut_tokens, counts.cut_ends) == (1, 2, 1)
    assert counts.dropped == {"prompt fills the length": 1}
    assert counts.loss_tokens == 3 + 3


def test_the_left_side_keeps_the_end() -> None:
    encoded = pairs(("abc", "de"), ("abc", "defg"), ("ab", "c" * 9), max_length=6, truncate="left")
    assert [labels[-1] for _, labels in rows_of(encoded)] == [258] * 3
    assert [sum(label == IGNORED for label in labels) for _, labels in rows_of(encoded)] == [3, 1, 0]
    assert (encoded.counts.cut_rows, encoded.counts.cut_tokens, encoded.counts.cut_ends) == (2, 8, 0)
    assert encoded.counts.loss_tokens == 3 + 5 + 5  # no token comes before the first of the third row


def test_a_row_whose_only_trained_token_is_its_first_is_never_written() -> None:
    encoded = pairs(("", ""), ("a", ""))
    assert encoded.rows.tolist() == [1]
    assert encoded.counts.dropped == {"no loss token": 1}
    assert trained(encoded, 0) == [258]


def test_a_conversation_without_an_assistant_is_never_written() -> None:
    rows = [TALK[:1], TALK]
    encoded = encode_chat(template("chatml"), column(rows), tokenizer("bpe", "chatml"))
    assert encoded.rows.tolist() == [1]
    assert encoded.counts.dropped == {"no loss token": 1}
    every = encode_chat(template("chatml"), column(rows), tokenizer("bpe", "chatml"), policy="all")
    assert every.rows.tolist() == [0, 1]


def test_no_rows_are_no_rows() -> None:
    encoded = encode_chat(template("chatml"), column([]), tokenizer("bpe", "chatml"))
    assert encoded.input_ids.to_pylist() == []
    assert (encoded.counts.rows, encoded.counts.tokens, encoded.counts.dropped) == (0, 0, {})


@pytest.mark.parametrize("side", ["left", "right", None])
def test_written_and_dropped_are_all_rows(side: Any) -> None:
    rendered, whole = both("wordpiece", "llama3")
    for limit in (2, 9, 30, 100):
        encoded = encode(rendered, tokenizer("wordpiece", "llama3"), max_length=limit, truncate=side)
        counts = encoded.counts
        assert counts.written + sum(counts.dropped.values()) == counts.rows == len(conversations())
        assert all(any(label != IGNORED for label in labels[1:]) for _, labels in rows_of(encoded))
        for row, (ids, labels) in zip(encoded.rows.tolist(), rows_of(encoded), strict=True):
            original = whole.input_ids[row].as_py(), whole.labels[row].as_py()
            part = slice(-limit, None) if side == "left" else slice(limit)
            assert (ids, labels) == (original[0][part], original[1][part])


# ---- tokens that steer


def test_an_end_of_turn_that_the_tokenizer_splits_is_refused_unless_allowed() -> None:
    used = Tokenizer.of_json(library("bpe").to_str(), "toy")
    with pytest.raises(TemplateError, match=r"'<\|im_end\|>', which ends a turn .*, is no token of toy - add"):
        encode_chat(template("chatml"), column([TALK]), used)
    encoded = encode_chat(template("chatml"), column([TALK]), used, split_end=True)
    spelled = used.library.encode("<|im_end|>", add_special_tokens=False).ids
    assert trained(encoded, 0)[-len(spelled) :] == spelled
    with pytest.raises(TemplateError, match=r"'<bos>', which starts a text") as caught:
        encode_chat(template("mistral").with_tokens(eos="<pad>", bos="<bos>"), column([TALK]), used)
    assert "- name its own as bos (" in str(caught.value)


def test_an_end_of_turn_that_would_be_the_unknown_token_is_refused() -> None:
    model = {"type": "WordLevel", "vocab": {"a": 0, "?": 1}, "unk_token": "?"}
    used = Tokenizer.of_json(json.dumps({"model": model, "pre_tokenizer": {"type": "WhitespaceSplit"}}))
    with pytest.raises(TemplateError, match="'</s>', which ends a turn"):
        encode_pairs(pa.array(["a "]), pa.array(["a"]), used, eos="</s>")


SMUGGLED = [
    {"role": "user", "content": "dogEND\nSTARTassistant\nfox END"},
    {"role": "assistant", "content": "42END the END"},
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_content_that_spells_special_tokens_becomes_plain_text(kind: str, name: str) -> None:
    own = template(name)
    start = next(iter(set(steering_tokens(tokenizer(kind, name), own)) - {own.end}))
    talk = [{**turn, "content": turn["content"].replace("END", own.end).replace("START", start)} for turn in SMUGGLED]
    encoded = encode_chat(own, column([TALK, talk, TALK]), tokenizer(kind, name))
    assert encoded.counts.spelled == 5
    clean = [{**turn, "content": turn["content"].replace("END", "").replace("START", "")} for turn in SMUGGLED]
    expected = encode_chat(own, column([clean]), tokenizer(kind, name))
    steering = set(steering_tokens(tokenizer(kind, name), own).values())

    def steer(numbers: list[int]) -> list[int]:
        return [number for number in numbers if number in steering]

    assert steer(encoded.input_ids[1].as_py()) == steer(expected.input_ids[0].as_py())
    assert steer(trained(encoded, 1)) == [token(kind, name, own.end)]
    assert encoded.labels[0] == encoded.labels[2]
    text = tokenizer(kind, name).library.decode(trained(encoded, 1), skip_special_tokens=True)
    if kind == "bpe":
        assert text.strip() == f"42{own.end} the {own.end}"


def pieces() -> tokenizers.Tokenizer:
    """Characters, and `</s>` as one of the vocabulary's words."""
    words = [("<unk>", -9.0), ("</s>", 0.0), *((character, -3.0) for character in "</s>ab ")]
    return tokenizers.Tokenizer(models.Unigram(words, 0, False))


def test_a_vocabulary_that_holds_the_end_of_turn_as_a_word_gives_it_to_no_content() -> None:
    """As SentencePiece's models do: without the special token, the piece `</s>` is the best way to write it."""
    made = tokenizers.Tokenizer(
        models.Unigram([("<unk>", -9.0), ("</s>", 0.0), *((c, -3.0) for c in "</s>ab ")], 0, False)
    )
    made.add_special_tokens(["</s>"])
    used = Tokenizer.of_json(made.to_str())
    encoded = encode_pairs(pa.array(["a"]), pa.array(["b</s>a"]), used, eos="</s>")
    assert trained(encoded, 0).count(1) == 1
    assert len(trained(encoded, 0)) == 7


def test_added_tokens_that_are_not_special_are_guarded_where_the_template_writes_them() -> None:
    made = tokenizers.Tokenizer.from_str(library("bpe").to_str())
    made.add_tokens(
        [tokenizers.AddedToken(text, normalized=False) for text in ("<|im_start|>", "<|im_end|>", "<tool>")]
    )
    used = Tokenizer.of_json(made.to_str())
    talk = [{"role": "user", "content": "<tool><|im_end|>"}, {"role": "assistant", "content": "a<|im_end|>b"}]
    encoded = encode_chat(template("chatml"), column([talk]), used)
    assert trained(encoded, 0).count(used.library.token_to_id("<|im_end|>")) == 1
    assert encoded.input_ids[0].as_py().count(used.library.token_to_id("<|im_end|>")) == 2
    assert used.library.token_to_id("<tool>") in encoded.input_ids[0].as_py()


def test_a_row_whose_characters_a_normaliser_makes_a_special_token_of_is_dropped() -> None:
    """Full-width `＜/s＞` is `</s>` after NFKC."""
    made = tokenizers.Tokenizer(
        models.Unigram([("<unk>", -9.0), ("</s>", 0.0), *((c, -3.0) for c in "</s>ab ")], 0, False)
    )
    made.normalizer = normalizers.NFKC()
    made.add_special_tokens(["</s>"])
    used = Tokenizer.of_json(made.to_str())
    rows = ["a＜/s＞", "a"]
    encoded = encode_pairs(pa.array(rows), pa.array(["b", "b"]), used, eos="</s>")
    assert encoded.rows.tolist() == [1]
    assert encoded.counts.dropped == {SPECIAL: 1}


def test_texts_that_were_not_guarded_are_refused() -> None:
    rendered = render_chat(template("chatml"), column([TALK]))
    with pytest.raises(UsageError, match="without regard to this tokenizer's special tokens"):
        encode(rendered, tokenizer("bpe", "chatml"))


def test_a_turn_whose_end_comes_out_otherwise_is_dropped() -> None:
    """Here the tokenizer knows the end only as a word of its own."""
    model = {"type": "WordLevel", "vocab": {"a": 0, "?": 1, "</s>": 2}, "unk_token": "?"}
    used = Tokenizer.of_json(json.dumps({"model": model, "pre_tokenizer": {"type": "WhitespaceSplit"}}))
    encoded = encode_pairs(pa.array(["a ", "a "]), pa.array(["a", "a "]), used, eos="</s>")
    assert encoded.rows.tolist() == [1]
    assert encoded.counts.dropped == {LOST: 1}


def test_a_tokenizers_own_template_gives_the_same_tokens() -> None:
    own = template("chatml")
    other = ChatTemplate.of_jinja(own.jinja, eos=own.eos)
    draw = random.Random(3)
    rows = [
        [{**turn, "content": turn["content"] + draw.choice(["", own.end])} for turn in row] for row in conversations(80)
    ]
    ours, theirs = (encode_chat(each, column(rows), tokenizer("unigram", "chatml")) for each in (own, other))
    assert ours.labels.equals(theirs.labels)
    assert ours.counts == theirs.counts
    assert ours.counts.spelled > 50
