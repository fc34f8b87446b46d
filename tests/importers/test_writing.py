"""Files that are written: they read back to the same values, and look as people would write them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flanmix.errors import UsageError
from flanmix.importers.writing import family_text, write_files
from flanmix.spec import Family, Template, TemplateMetadata
from flanmix.yamlio import parse, read_text

NASTY = [
    " ", "  ", "\t", "\n", "\n\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\ufeff", "\u00a0", "\x00", "\x1b", "\x7f",
    "#", " # ", ": ", "- ", "? ", "'", '"', "\\", "\\n", "{{ a }}", "{%", "|", "|||", ">", "%", "@", "`", "&a", "*a",
    "!t", "~", "null", "true", "yes", "no", "1", "1.0", "1e6", "1_000", ".5", "0x1F", "12:30", "2020-01-01", "=", "<<",
    "---", "...", "😀", "é", "word", "x" * 300,
]  # fmt: skip
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
texts = st.lists(st.sampled_from(NASTY) | any_text, min_size=1, max_size=6).map("".join).filter(bool)
titles = st.lists(
    st.sampled_from(["a b", "#", ": ", "'", '"', "no", "1.0", "é", "\u00a0", "- ", "😀"]), max_size=4
).map(lambda words: "".join(words) + "x")
metadata = st.builds(
    lambda **values: TemplateMetadata(**values),
    id=any_text,
    original_task=st.sampled_from([True, False, None]),
    choices_in_prompt=st.sampled_from([True, False, None]),
    metrics=st.lists(texts, max_size=2).map(tuple),
    languages=st.lists(st.sampled_from(["en", "no", "yes", "1"]), max_size=2).map(tuple),
    reference=texts | st.just(""),
)
more = {"tags": st.sampled_from([(), ("options",), ("no", "cot")]), "metadata": st.none() | metadata}
templates = st.one_of(
    st.builds(lambda name, **v: Template(name, **v), titles, input=texts, target=texts, when=st.none() | texts, **more),
    st.builds(
        lambda name, **v: Template(name, dialect="promptsource", **v),
        titles,
        jinja=texts,
        answer_choices=st.none() | texts | st.just(""),
        truncate=st.booleans(),
        **more,
    ),
)
families = st.builds(
    lambda description, held: Family("no", description=description, fields=("no", "a"), templates=tuple(held)),
    texts | st.just(""),
    st.lists(templates, min_size=1, max_size=3),
)


def family(**keys: Any) -> Family:
    return Family("f", fields=("a",), templates=(Template("ask", **{"input": "i", "target": "t"} | keys),))


def written(**keys: Any) -> str:
    """The lines of a template below its name."""
    return family_text(family(**keys), "x").partition("  - name: ask\n")[2]


@settings(max_examples=300, deadline=None)
@given(families)
def test_what_is_written_reads_back_the_same(held: Family) -> None:
    text = family_text(held, "From somewhere.")
    assert parse(read_text(text.encode(), "x.yaml"), Family) == held
    assert family_text(held, "From somewhere.") == text


def test_long_texts_are_blocks_and_short_ones_stand_in_quotes() -> None:
    assert written(input="{{ q }}  \n\n  - #x: 'y' 😀", target='"{{ a }}" 😀', when="{{ a }}", tags=("options",)) == (
        "    input: |-\n      {{ q }}  \n\n        - #x: 'y' 😀\n"
        "    target: '\"{{ a }}\" 😀'\n"
        '    when: "{{ a }}"\n'
        "    tags: [options]\n"
    )
    assert written(input="x, " * 50).startswith("    input: |-\n      x, x, ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("yes", '"yes"'),
        ("1.0", '"1.0"'),
        ("a: b", '"a: b"'),
        ("plain words", "plain words"),
        ("a\tb", '"a\\tb"'),
        ("a\r\nb", '"a\\r\\nb"'),
        ("a\x85\nb", '"a\\N\\nb"'),
        ("a\u2028b", '"a\\Lb"'),
        (" a", '" a"'),
        ("\n a", "|2-\n\n       a"),
        ("a\n", "|\n      a"),
        ("a\n\n", "|+\n      a\n"),
    ],
)
def test_text_is_written_in_the_plainest_way_that_keeps_it(text: str, shown: str) -> None:
    assert written(input=text) == f"    input: {shown}\n    target: t\n"


def test_what_is_said_of_a_template_is_one_line() -> None:
    said = TemplateMetadata(id="x", original_task=True, metrics=("BLEU",), reference="a, b\nc")
    assert written(metadata=said).endswith(
        'target: t\n    metadata: {id: x, original_task: true, metrics: [BLEU], reference: "a, b\\nc"}\n'
    )
    assert written(metadata=TemplateMetadata()).endswith("target: t\n    metadata: {}\n")


# ---- files


def test_files_are_written_once_and_left_alone_when_they_are_the_same(tmp_path: Path) -> None:
    texts = {tmp_path / "a" / "b.yaml": "one\n", tmp_path / "c.yaml": "two\n"}
    assert set(write_files(texts).values()) == {"written"}
    assert {path: path.read_text() for path in texts} == texts
    before = {path: path.stat().st_mtime_ns for path in texts}
    assert set(write_files(texts).values()) == {"unchanged"}
    assert before == {path: path.stat().st_mtime_ns for path in texts}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b.yaml", "c.yaml"]


def test_nothing_is_written_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mine")
    (tmp_path / "b.yaml").mkdir()
    texts = {tmp_path / f"{name}.yaml": "new" for name in "abc"}
    with pytest.raises(UsageError) as caught:
        write_files(texts)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "a.yaml: is there already, and differs - --replace writes over it",
        "b.yaml: is no file that could be replaced - name another folder with -o",
    ]
    assert not (tmp_path / "c.yaml").exists()
    (tmp_path / "b.yaml").rmdir()
    assert list(write_files(texts, replace=True).values()) == ["replaced", "written", "written"]
    assert (tmp_path / "a.yaml").read_text() == "new"


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="f is a file - name a folder with -o"):
        write_files({tmp_path / "f" / "g" / "a.yaml": "x"})
