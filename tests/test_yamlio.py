"""YAML as people write it: words stay words, every key has a line, and nothing unexpected is let in."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flanmix import yamlio
from flanmix.errors import SpecError
from flanmix.spec import Family, Mixture, Task
from flanmix.yamlio import parse, read, read_text

ROOT = Path(__file__).parents[1]
TASK = "task: a/b\ntype: nli\nsource: {path: x}\n"
MESAGES = (
    "'mesages' is not one of 'prompt_completion', 'conversational', 'messages', 'sharegpt', 'alpaca', "
    "'inputs_targets', 'text', 'tagged', 'tokens' or 'packed' - did you mean 'messages'?"
)
MIXTURE = "mixture: m\nparts:\n- {select: x}\n"


def refused(text: str | bytes, model: Any = None) -> list[str]:
    """The lines of the error that reading `text` gives."""
    with pytest.raises(SpecError) as caught:
        parse(read_text(text, "x.yaml"), model or Task)
    return str(caught.value).splitlines()


# ---- values


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "True", "FALSE", "Null", "2020-01-01", "12:30", "007", "0x1F"]
)
def test_words_that_yaml_would_turn_into_something_else_stay_text(word: str) -> None:
    assert read_text(f"a: {word}", "x.yaml").data == {"a": word}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-3", -3),
        ("500_000", 500_000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e6", 1_000_000.0),
        ("'1'", "1"),
        ("!!str 1", "1"),
    ],
)
def test_the_few_types_that_are_read(text: str, value: object) -> None:
    data = read_text(f"a: {text}", "x.yaml").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), PLAIN, min_size=1))
def test_what_pyyaml_writes_is_read_back_as_it_was(data: dict[str, Any]) -> None:
    assert read_text(yaml.safe_dump(data, default_style='"'), "x.yaml").data == data


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_reads_as_any_other() -> None:
    document = read_text(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n", "x.yaml")
    assert document.data == {"a": 1, "b": "x\ny\n"}


# ---- lines

NESTED = """\
mixture: m

parts:
  - select: a
    weight: 2
  - {select: b,
     rows: 3}
"""


def test_every_key_and_item_has_its_line() -> None:
    origin = read_text(NESTED, "x.yaml").origin
    paths = [("mixture",), ("parts",), ("parts", 0), ("parts", 0, "weight"), ("parts", 1), ("parts", 1, "rows")]
    assert [origin.line(path) for path in paths] == [1, 3, 4, 5, 6, 7]


def test_what_is_not_there_has_the_line_of_what_is_around_it() -> None:
    origin = read_text(NESTED, "x.yaml").origin
    assert origin.line(("parts", 0, "epochs", "deeper")) == 4
    assert origin.line(("nothing",)) == 1


def test_a_line_inside_a_block_of_text_is_counted_from_its_first_line() -> None:
    origin = read_text("a: 1\nb: |-\n  one\n  two\n  three\n", "x.yaml").origin
    assert origin.problem("no", ("b",), into_text=3).line == 5


@pytest.mark.parametrize("text", ['b: "one\\ntwo\\nthree"', "b: >\n  one\n\n  two\n"])
def test_where_lines_of_text_are_not_lines_of_the_file_the_key_is_pointed_at(text: str) -> None:
    origin = read_text(f"a: 1\n{text}", "x.yaml").origin
    assert origin.problem("no", ("b",), into_text=2).line == 2


# ---- what is not let in


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    assert refused("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n") == [
        "x.yaml:4: b.c: the key 'c' stands here twice - keep one; the first is on line 3",
        "x.yaml:5: a: the key 'a' stands here twice - keep one; the first is on line 1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [echo]",
        "a: !!python/name:os.system",
        "a: !own x",
        "a: !!set {x, y}",
        "a: !!binary aGk=",
        "a: !!timestamp 2020-01-01",
        "a: !!bool yes",
        "a: !!null x",
        "a: !!int 0x10",
        "!own a: x",
        "a: [!!python/tuple [1]]",
    ],
)
def test_tags_are_refused_and_never_silently_misread(text: str) -> None:
    (line,) = refused(text)
    assert line.startswith("x.yaml:1: ")


def test_a_billion_laughs_are_refused_before_they_are_written_out() -> None:
    levels = "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))
    (line,) = refused("a: &a [x, x, x, x, x, x, x, x, x]\n" + levels)
    assert "more than 200,000 values" in line


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: " + "[" * 100 + "]" * 100, "a: " + "[" * 50_000])
def test_endless_and_deep_nesting_is_refused(text: str) -> None:
    (line,) = refused(text)
    assert "nested" in line


def test_a_huge_file_is_refused_unread() -> None:
    assert refused(b"a" * (yamlio.MAX_BYTES + 1)) == [
        "x.yaml: is larger than 10,000,000 bytes - a spec is a small file"
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (b"a: 1\nb: caf\xe9\n", 2, "is not UTF-8 text"),
        ("a: 1\nb: \x00\n", 2, "special characters are not allowed"),
        ("a:\n\t- b\n", 2, "YAML wants spaces instead of tabs"),
        ("a: b: c\n", 1, "wants quotes"),
        ("a: 1\nb: {{ x }}\n", 2, "text that starts with '{' wants quotes"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("- a\n", 1, "must hold 'key: value' lines at its top"),
        ("just words\n", 1, "must hold 'key: value' lines at its top"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str | bytes, line: int, what: str) -> None:
    (found,) = refused(text)
    assert found.startswith(f"x.yaml:{line}: ")
    assert what in found


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_says_how_to_start_one(text: str) -> None:
    assert refused(text) == ["x.yaml: is empty - start it with 'task:', 'family:' or 'mixture:'"]


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"mix\.yaml: cannot be read: No such file or directory"):
        read(tmp_path / "mix.yaml", "mix.yaml")


# ---- values against specs


@pytest.mark.parametrize(
    ("model", "text", "problems"),
    [
        (Task, TASK + "tag: [x]\n", {"4: tag: ": "unknown key 'tag' - did you mean 'tags'?"}),
        (
            Task,
            "task: a\ntype: nli\nsource:\n  path: x\n  nme: y\n",
            {"5: source.nme: ": "unknown key 'nme' - did you mean 'name'?"},
        ),
        (
            Task,
            TASK + "templates:\n- name: p\n  input: x\n- {name: q, inputs: x, target: y}\n",
            {
                "5: templates[0]: ": "a template needs 'target' - write the text under that key",
                "7: templates[1].inputs: ": "unknown key 'inputs' - did you mean 'input'?",
            },
        ),
        (Task, "task: a\n", {"1: type: ": "is missing", "1: source: ": "is missing"}),
        (Task, TASK + "tags: english\n", {"4: tags: ": "should be a list, not 'english'"}),
        (Task, TASK + "description: 3\n", {"4: description: ": "should be text (put it in quotes), not 3"}),
        (Task, TASK.replace("a/b", "../b"), {"1: task: ": "'../b' is not a name"}),
        (
            Task,
            "task: a\ntype: nli\nsource: {pth: x}\n",
            {"3: source: ": "a source needs one of the keys 'path'"},
        ),
        (
            Mixture,
            MIXTURE + "layout: mesages\n",
            {"4: layout: ": MESAGES},
        ),
        (Mixture, MIXTURE + "- {select: x, rows: 2.5}\n", {"4: parts[1].rows: ": "should be a whole number, not 2.5"}),
        (Mixture, MIXTURE + "- {}\n", {"4: parts[1]: ": "a part needs one of 'select', 'mixture', 'parts'"}),
        (Mixture, MIXTURE + "defaults:\n", {"4: defaults: ": "should be 'key: value' lines"}),
        (
            Mixture,
            MIXTURE + "rows: 1\nepochs: 1\n",
            {"1: ": "a budget is in one of 'rows', 'tokens', 'epochs' - leave the others out"},
        ),
        (
            Family,
            "family: nli\nfields: [a]\ntemplates:\n- {name: x, input: i, target: t, wen: y}\n",
            {"4: templates[0].wen: ": "unknown key 'wen' - did you mean 'when'?"},
        ),
    ],
)
def test_every_problem_of_a_spec_is_told_with_its_line_and_the_nearest_name(
    model: Any, text: str, problems: dict[str, str]
) -> None:
    found = refused(text, model)
    assert len(found) == len(problems)
    for place, what in problems.items():
        (line,) = [line for line in found if line.startswith(f"x.yaml:{place}")]
        assert what in line


def test_an_unknown_key_that_is_near_to_none_lists_the_keys_there_are() -> None:
    (line,) = refused(MIXTURE + "defaults: {zzz: 1}\n", Mixture)
    keys = "max_epochs, max_rows, max_share, min_rows, min_share, rate, rate_cap, scale, temperature"
    assert line.endswith(f"the keys here are {keys}")


def test_a_good_file_becomes_its_spec() -> None:
    mixture = parse(read_text(MIXTURE + "seed: 7\nrows: 500_000\n", "x.yaml"), Mixture)
    assert mixture == Mixture("m", parts=[{"select": "x"}], seed=7, rows=500_000)


# ---- the two parsers


def tree(node: Any) -> Any:
    """A tree of nodes as plain values: all that is looked at. An empty value has no line: that of its key is told."""
    if node is None:
        return None
    children = node.value
    if isinstance(node, yaml.MappingNode):
        children = [(tree(key), tree(value)) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [tree(child) for child in node.value]
    return node.tag, children and node.start_mark.line, getattr(node, "style", None) == "|", children


def both(text: str) -> tuple[Any, Any]:
    return tree(yamlio._compose(text, yamlio._Loader)), tree(yaml.compose(text, yamlio._Loader))


FILES = sorted(file for name in ("templates", "task_registry", "mixtures") for file in (ROOT / name).rglob("*.yaml"))
IMPORTED = """\
# Imported.
task: niv2/task1_a
type: nli
tags: [natural-instructions, "2 b", 007]
source: {files: "../a b.json", format: natural_instructions, split: [a]}
drop: "{{ fault }}"
templates: {use: [natural_instructions]}
licence: CC BY 4.0
citation: "https://example.org/?a=%20&b#c"
languages: []
"""
PIECES = ["a", "b: ", "- ", "\n", "  ", "|-", ">", "'", '"', "[", "]", "{", "}", ",", ":", "#", "1", "%", "?", ".", "-"]


def test_imported_files_are_parsed_in_c_where_that_can_be_had() -> None:
    assert yamlio._EASY.fullmatch(IMPORTED)
    assert (yamlio._FAST is not None) == yaml.__with_libyaml__
    fast, slow = both(IMPORTED)
    assert fast == slow


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_both_parsers_read_the_bundled_files_alike(file: Path) -> None:
    fast, slow = both(file.read_text())
    assert fast == slow


@given(st.integers(0, len(IMPORTED)), st.integers(0, 4), st.lists(st.sampled_from(PIECES), max_size=4))
def test_both_parsers_take_and_refuse_alike(place: int, gone: int, words: list[str]) -> None:
    text = IMPORTED[:place] + "".join(words) + IMPORTED[place + gone :]
    try:
        slow = tree(yaml.compose(text, yamlio._Loader))
    except yaml.YAMLError:
        with pytest.raises(yaml.YAMLError):
            yamlio._compose(text, yamlio._Loader)
    else:
        assert tree(yamlio._compose(text, yamlio._Loader)) == slow


@pytest.mark.parametrize("text", ["[" * 1_000_000, "- " * 1_000_000, "a: " + "[" * 1_000_000 + "\n"])
def test_brackets_without_end_do_not_end_the_process(text: str) -> None:
    with pytest.raises(SpecError):
        read_text(text, "x.yaml")
