"""What is shown of the labels of a build: every token, once, on the side of the loss that it is on."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

import flanmix as fm
from flanmix.errors import UsageError
from flanmix.preview.masked import Part, Stretch, stretches_of
from flanmix.tokenizing import Tokenizer
from tests.chat.talk import KINDS, plain
from tests.toy_tokens import tokenizer as toy

SAID = [{"role": "user", "content": "the quick <b>dog</b>"}, {"role": "assistant", "content": "the fox 東京は🙂"}]
TALK = [{"role": "system", "content": "Be 42."}, *SAID, {"role": "user", "content": "dog?"}, SAID[1]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tokenizer")
    (made / "tokenizer.json").write_text(plain("bpe", "chatml").to_str(), encoding="utf-8")
    (made / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    return made


def built(folder: Path, out: Path, **options: Any) -> fm.Built:
    source = [{"messages": said} for said in (SAID, TALK) * 5]
    task = fm.Task("toy/talks", type="dialogue", source=source, conversation={"messages": "messages"})
    mixture = fm.Mixture("toy", parts=[fm.Part("toy/*")], order="sequential")
    plan = mixture.plan(fm.load_registry(specs=[task]), rows=10)
    told = {"layout": "tokens", "tokenizer": str(folder), "chat_template": "chatml", "quiet": True, "shard_rows": 4}
    return plan.build(out, **(told | options))


def ids_of(*texts: str) -> list[int]:
    return [number for text in texts for number in plain("bpe", "chatml").encode(text).ids]


def known() -> Tokenizer:
    return Tokenizer.of_json(plain("bpe", "chatml").to_str())


# ---- stretches


def test_neighbours_are_one_stretch_and_special_tokens_are_parts_of_it() -> None:
    asked, answered = ids_of("<|im_start|>", "dog"), ids_of("42", "<|im_end|>")
    found = list(stretches_of(asked + answered, [-100] * len(asked) + answered, known()))
    assert found == [
        Stretch(False, len(asked), (Part("<|im_start|>", True), Part("dog", False))),
        Stretch(True, len(answered), (Part("42", False), Part("<|im_end|>", True))),
    ]


def test_a_label_on_the_first_token_trains_nothing() -> None:
    ids = ids_of("<|im_start|>", "dog")
    assert [(each.trained, each.text) for each in stretches_of(ids, ids, known())] == [
        (False, "<|im_start|>"),
        (True, "dog"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_stretches_say_together_what_the_tokens_say(kind: str) -> None:
    ids = toy(kind).library.encode("the quick fox 42 dog 東京は").ids
    for place in range(1, len(ids)):
        found = list(stretches_of(ids, [-100] * place + ids[place:], toy(kind)))
        assert [(each.trained, each.tokens) for each in found] == [(False, place), (True, len(ids) - place)]
        if kind == "bpe" and "\ufffd" in "".join(each.text for each in found):
            continue  # a cut inside a character, which no label of a build makes
        assert "".join(each.text for each in found) == toy(kind).library.decode(ids)


# ---- builds


def test_what_is_trained_of_a_build_is_what_the_assistant_says(folder: Path, tmp_path: Path) -> None:
    mix = built(folder, tmp_path / "out")
    rows = pq.read_table(mix.folder / "data").to_pylist()
    shown = mix.mask(rows=range(10))
    assert [row.number for row in shown.rows] == list(range(10))
    for row, built_row in zip(shown.rows, rows, strict=True):
        (example,) = row.examples
        said = (SAID, TALK)[built_row["fm_row"] % 2]
        answers = [turn["content"] + "<|im_end|>" for turn in said if turn["role"] == "assistant"]
        assert [each.text for each in example.stretches if each.trained] == answers
        whole = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in said)
        assert "".join(each.text for each in example.stretches) == whole
        assert (example.task, example.fm_row) == ("toy/talks", built_row["fm_row"])
        assert example.tokens == len(built_row["input_ids"])
        assert example.trained == sum(label != -100 for label in built_row["labels"])


@pytest.mark.parametrize("options", [{"metadata": False}, {"format": "arrow"}, {"metadata": False, "format": "arrow"}])
def test_builds_of_any_form_are_shown(options: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    plainly = built(folder, tmp_path / "a").mask(rows=[1, 6])
    other = built(folder, tmp_path / "b", **options).mask(rows=[1, 6])
    assert [row.examples[0].stretches for row in other.rows] == [row.examples[0].stretches for row in plainly.rows]
    assert (other.rows[0].examples[0].task is None) == ("metadata" in options)


def test_a_pack_shows_its_examples_one_by_one(folder: Path, tmp_path: Path) -> None:
    mix = built(folder, tmp_path / "out", layout="packed", max_length=400)
    packs = pq.read_table(mix.folder / "data").to_pylist()
    shown = mix.mask(rows=range(len(packs)))
    for row, pack in zip(shown.rows, packs, strict=True):
        assert [example.tokens for example in row.examples] == pack["seq_lengths"]
        assert [example.fm_row for example in row.examples] == pack["fm_row"]
    assert max(len(row.examples) for row in shown.rows) > 1


def test_rows_are_spread_over_the_build(folder: Path, tmp_path: Path) -> None:
    assert [row.number for row in built(folder, tmp_path / "out").mask(rows=2).rows] == [2, 7]


# ---- pages


def test_a_page_colours_runs_and_escapes_what_it_shows(folder: Path, tmp_path: Path) -> None:
    page = built(folder, tmp_path / "out").mask(rows=[1])._repr_html_()
    text = page[page.index("<article>") :]
    assert text.count('<span class="flanmix-trained">') == 2
    assert text.count('<span class="flanmix-untrained">') == 3
    assert '<span class="flanmix-special">&lt;|im_end|&gt;</span>' in text
    assert "the quick &lt;b&gt;dog&lt;/b&gt;" in text
    assert "<b>dog" not in page
    assert "<script" not in page


def test_plain_text_has_brackets_around_what_is_trained(folder: Path, tmp_path: Path) -> None:
    shown = built(folder, tmp_path / "out").mask(rows=[1])
    found = re.findall("⟦(.*?)⟧", str(shown))
    assert found[-1] == "trained"
    assert found[:-1] == ["the fox 東京は🙂<|im_end|>"] * 2
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="truecolor", _environ={})
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    coloured = re.sub("\x1b\\[[0-9;]*m", "", console.file.getvalue())
    assert "\x1b[1;38;2;41;133;87m" in console.file.getvalue()
    assert re.findall("⟦(.*?)⟧", coloured) == found


# ---- wrong inputs


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rows": 0}, "a mask of no rows shows nothing"),
        ({"rows": [3, 10]}, "has no row 10 - there are 10, from 0 to 9"),
        ({"rows": [-1]}, "has no row -1"),
    ],
)
def test_rows_that_are_not_there_are_refused(options: Any, told: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        built(folder, tmp_path / "out").mask(**options)


def test_a_build_of_texts_has_no_mask(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no labels: its layout is messages - build it with layout='tokens'"):
        built(folder, tmp_path / "out", layout="messages", chat_template=None).mask()


def test_another_tokenizer_is_refused_and_one_that_moved_is_found(folder: Path, tmp_path: Path) -> None:
    mix = built(folder, tmp_path / "out")
    for name, text in (("moved", plain("bpe", "chatml").to_str()), ("other", plain("unigram", "chatml").to_str())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text(text, encoding="utf-8")
    assert mix.mask(tokenizer=tmp_path / "moved").rows == mix.mask().rows
    with pytest.raises(UsageError, match="is not the tokenizer that"):
        mix.mask(tokenizer=tmp_path / "other")
