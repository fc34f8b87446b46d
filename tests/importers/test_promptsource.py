"""The template files of promptsource: what they say is kept, what they do not say is not made up."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from flanmix.errors import SpecError, UsageError
from flanmix.importers.promptsource import ImportNote, read_collection, read_files, read_templates
from flanmix.spec import Template, TemplateMetadata

P3 = Path(__file__).parents[3] / "shared" / "p3" / "templates"
IMDB = """\
dataset: imdb
templates:
  02ff2949-0f45-4d97-941e-6fa4c0afbc2d: !Template
    answer_choices: negative ||| positive
    id: 02ff2949-0f45-4d97-941e-6fa4c0afbc2d
    jinja: The following review expresses what sentiment? {{text}} ||| {{ answer_choices
      [label] }}
    metadata: !TemplateMetadata
      choices_in_prompt: true
      languages:
      - en
      metrics:
      - Accuracy
      - ROUGE
      original_task: false
    name: 'Sentiment with choices '
    reference: someone 2021
"""


def one(text: str) -> str:
    """A file with one template that has these lines."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return f"dataset: d\ntemplates:\n  an-id: !Template\n{lines}"


def read(folder: Path, text: str | bytes, **options: Any) -> list[Template]:
    file = folder / "templates.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_templates(file, **options)


def noted(folder: Path, text: str | bytes) -> tuple[list[Template], list[str]]:
    """The templates of a file and what was noted of it, without the folder's name."""
    file = folder / "templates.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        templates = read_templates(file)
    assert all(note.category is ImportNote for note in caught)
    return templates, [str(note.message).removeprefix(f"{folder}/") for note in caught]


def refused(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


# ---- one file


def test_every_field_of_a_template_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path, IMDB) == [
        Template(
            "Sentiment with choices ",
            dialect="promptsource",
            jinja="The following review expresses what sentiment? {{text}} ||| {{ answer_choices [label] }}",
            answer_choices="negative ||| positive",
            tags=("options",),
            metadata=TemplateMetadata(
                id="02ff2949-0f45-4d97-941e-6fa4c0afbc2d",
                original_task=False,
                choices_in_prompt=True,
                metrics=("Accuracy", "ROUGE"),
                languages=("en",),
                reference="someone 2021",
            ),
        )
    ]


def test_truncation_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert not read(tmp_path, IMDB)[0].truncate
    assert read(tmp_path, IMDB, truncate=True)[0].truncate


@pytest.mark.parametrize("metadata", ["", "metadata: null", "metadata: !TemplateMetadata {}", "metadata:"])
def test_what_is_not_said_is_not_known(tmp_path: Path, metadata: str) -> None:
    template = read(tmp_path, one(f"name: n\njinja: a ||| b\nreference: null\nanswer_choices: null\n{metadata}"))[0]
    assert template == Template("n", dialect="promptsource", jinja="a ||| b", metadata=TemplateMetadata(id="an-id"))


def test_fields_of_the_metadata_may_be_null(tmp_path: Path) -> None:
    nulls = "metadata: !TemplateMetadata {original_task: null, choices_in_prompt: , metrics: null, languages: ~}"
    assert read(tmp_path, one(f"name: n\njinja: a ||| b\n{nulls}"))[0].metadata == TemplateMetadata(id="an-id")


def test_templates_keep_the_order_of_the_file_and_names_that_stand_twice(tmp_path: Path) -> None:
    text = "templates:\n  b: {name: x, jinja: one}\n  a: {name: x, jinja: two}\n"
    assert [(t.name, t.jinja) for t in read(tmp_path, text)] == [("x", "one"), ("x", "two")]


def test_an_alias_stands_for_what_it_names(tmp_path: Path) -> None:
    text = one("name: n\njinja: a\nmetadata: !TemplateMetadata {languages: &id001 [en], metrics: *id001}")
    templates, _ = noted(tmp_path, text)
    assert templates[0].metadata == TemplateMetadata(id="an-id", languages=("en",), metrics=("en",))


@pytest.mark.parametrize(
    "jinja",
    [
        'jinja: "trailing \\n ||| \\t tab"',
        "jinja: |\n  a\n\n   b |||\n  c\n\n",
        "jinja: >-\n  folded\n  lines\n\n  ||| x",
        "jinja: 'it''s\n\n  so'",
        'jinja: "\\N \\L \\P \\_ \\x07 \\u00e9 \\U0001F600"',
        "jinja: !!str 12",
    ],
)
def test_text_is_what_pyyaml_reads(tmp_path: Path, jinja: str) -> None:
    text = one(f"name: n\n{jinja}").replace("!Template", "")
    assert read(tmp_path, text)[0].jinja == yaml.safe_load(text)["templates"]["an-id"]["jinja"]


# ---- what is taken in another way is noted


def test_unknown_keys_are_left_out_with_one_note_for_each_kind(tmp_path: Path) -> None:
    text = (
        "dataset: d\nversion: 3\ntemplates:\n"
        "  a: !Template {name: a, jinja: a, task_template: true, metadata: !TemplateMetadata {x: 1}}\n"
        "  b: !Template {name: b, jinja: b, task_template: true, old: 1}\n"
    )
    templates, notes = noted(tmp_path, text)
    assert [template.name for template in templates] == ["a", "b"]
    assert notes == [
        "templates.yaml:2: a key of the file is not known, and is left out: 'version'",
        "templates.yaml:4: a key of the template is not known, and is left out: 'task_template', 'old' (3 times)",
        "templates.yaml:4: a key of the metadata is not known, and is left out: 'x'",
    ]


def test_an_unknown_metric_is_kept_with_a_note(tmp_path: Path) -> None:
    templates, notes = noted(tmp_path, one("name: n\njinja: a\nmetadata: !TemplateMetadata {metrics: [F1, BLEU]}"))
    assert templates[0].metadata == TemplateMetadata(id="an-id", metrics=("F1", "BLEU"))
    assert notes == ["templates.yaml:6: a metric is none of promptsource's, and is kept: 'F1'"]


def test_norwegian_is_a_language(tmp_path: Path) -> None:
    """Without quotes, `no` is false in YAML 1.1, as in promptsource."""
    templates, notes = noted(tmp_path, one("name: 2.0\njinja: a\nmetadata: !TemplateMetadata {languages: [no, en]}"))
    assert templates[0].metadata == TemplateMetadata(id="an-id", languages=("no", "en"))
    assert templates[0].name == "2.0"
    assert notes == [
        "templates.yaml:6: 'languages' is no text in YAML 1.1, and is kept as it is written: 'no'",
        "templates.yaml:4: 'name' is no text in YAML 1.1, and is kept as it is written: '2.0'",
    ]


@pytest.mark.parametrize(("written", "read_as"), [("yes", True), ("On", True), ("FALSE", False), ("off", False)])
def test_true_and_false_are_those_of_yaml_1_1(tmp_path: Path, written: str, read_as: bool) -> None:
    text = one(f"name: n\njinja: a\nmetadata: !TemplateMetadata {{original_task: {written}}}")
    assert read(tmp_path, text)[0].metadata == TemplateMetadata(id="an-id", original_task=read_as)


def test_what_is_neither_true_nor_false_is_left_out(tmp_path: Path) -> None:
    templates, notes = noted(tmp_path, one("name: n\njinja: a\nmetadata: !TemplateMetadata {original_task: 1}"))
    assert templates[0].metadata == TemplateMetadata(id="an-id")
    assert notes == ["templates.yaml:6: 'original_task' is neither true nor false, and is left out"]


@pytest.mark.parametrize("jinja", ["jinja: ''", "jinja: null", "jinja:", ""])
def test_a_template_without_text_is_left_out(tmp_path: Path, jinja: str) -> None:
    text = one(f"name: n\n{jinja}") + "  other: !Template {name: o, jinja: a}\n"
    templates, notes = noted(tmp_path, text)
    assert [template.name for template in templates] == ["o"]
    assert notes == ["templates.yaml:3: a template without text is left out: n"]


@pytest.mark.parametrize("templates", ["templates: {}", "templates: null", "templates:"])
def test_a_file_may_hold_no_templates(tmp_path: Path, templates: str) -> None:
    assert noted(tmp_path, f"dataset: d\n{templates}\n") == ([], ["templates.yaml:2: holds no templates"])


@pytest.mark.parametrize(
    ("name", "becomes"),
    [('"a\\nb"', "a b"), ('" "', "an-id"), ("''", "an-id"), ("null", "an-id"), ("x" * 300, "x" * 200)],
)
def test_a_name_is_one_line(tmp_path: Path, name: str, becomes: str) -> None:
    templates, notes = noted(tmp_path, one(f"name: {name}\njinja: a"))
    assert templates[0].name == becomes
    assert len(notes) == 1
    assert notes[0].startswith("templates.yaml:4: a name is not one line of printable text, and is changed: ")


# ---- half characters


def test_a_pair_of_surrogates_is_the_character_it_stands_for(tmp_path: Path) -> None:
    templates, notes = noted(tmp_path, one('name: n\njinja: "\\uD83D\\uDE00 ||| \\ud83d\\ude01"'))
    assert templates[0].jinja == "😀 ||| 😁"
    note = "a character is written as a pair of surrogates, and read as that character"
    assert notes == [f"templates.yaml:5: {note}"]
    raw = one("name: n\njinja: X").encode().replace(b"X", "\ud83d\ude00".encode("utf-8", "surrogatepass"))
    assert noted(tmp_path, raw)[0][0].jinja == "😀"
    assert noted(tmp_path, raw)[1] == [f"templates.yaml: {note}"]


def test_half_a_character_is_refused_where_it_stands(tmp_path: Path) -> None:
    text = one('name: n\njinja: "a \\uD83D"\nreference: "\\uDE00\\uD83D"')
    hint = "write the whole character; no UTF-8 file can hold half of one"
    assert refused(tmp_path, text) == [
        f"templates.yaml:5: templates.an-id.jinja: holds half a character (U+D83D) - {hint}",
        f"templates.yaml:6: templates.an-id.reference: holds half a character (U+DE00) - {hint}",
    ]
    raw = one("name: n\njinja: X").encode().replace(b"X", b"\xed\xa0\xbd")
    assert refused(tmp_path, raw)[0].startswith("templates.yaml:5: not YAML")


def test_what_is_no_utf8_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, b"dataset: d\ntemplates: {a: {jinja: \xff}}") == [
        "templates.yaml:2: is not UTF-8 text - save it as UTF-8"
    ]


# ---- what cannot be meant


@pytest.mark.parametrize("scalar", ["yes", "1.0", "2020-01-01", "12:30", "0x1F", "True"])
def test_choices_without_quotes_that_are_no_text_are_refused(tmp_path: Path, scalar: str) -> None:
    """In promptsource they are no text either, and every row of the template fails."""
    text = one(f"name: n\njinja: a\nanswer_choices: {scalar}")
    assert refused(tmp_path, text) == [
        f"templates.yaml:6: templates.an-id.answer_choices: should be text, not '{scalar}' - put it in quotes"
    ]
    assert read(tmp_path, text.replace(scalar, f"'{scalar}'"))[0].answer_choices == scalar


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": is empty"),
        ("- a", ":1: must hold 'key: value' lines"),
        ("dataset: d", "has no key 'templates'"),
        ("templates: [a]", ":1: templates: should be 'id: !Template' lines"),
        ("templates: {a: b}", ":1: templates.a: should be a template"),
        ("templates: {a: !Template b}", ":1: templates.a: the tag '!Template' is not allowed"),
        ("templates: {a: {name: n, jinja: [b]}}", ":1: templates.a.jinja: should be text, not a list"),
        ("templates: {a: {name: n, jinja: b, metadata: [c]}}", "metadata: should be '!TemplateMetadata' and its keys"),
        ("templates: {a: {name: [n], jinja: b}}", ":1: templates.a.name: should be text"),
        ("templates: {a: {name: n, jinja: b, metadata: {metrics: [{}]}}}", "metrics: should be text"),
        ("templates: {a: {name: n, name: m, jinja: b}}", "the key 'name' stands here twice"),
        ("templates: {a: {jinja: b}, a: {jinja: c}}", "the key 'a' stands here twice"),
        ("templates: !!python/object:os.system {}", "the tag '!!python/object:os.system' is not allowed"),
        ("templates: {a: !!python/name:os.system {}}", "is not allowed"),
        ("templates: {a: !Other {jinja: b}}", "the tag '!Other' is not allowed"),
        ("dataset: 'a\\nb\"\ntemplates: {}", "not YAML"),
        ('dataset: "a\\nb"\ntemplates: {}', ":1: dataset: should be one line of printable text"),
        ("templates: {<<: {a: b}}", "a key must be one word"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    lines = refused(tmp_path, text)
    assert problem in lines[0]
    assert lines[0].startswith("templates.yaml:")


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, after in zip("abcdefg", "bcdefgh", strict=True):
        bomb += f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    assert "once its aliases are written out" in refused(tmp_path, bomb + "templates: {}")[0]


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = "templates:\n  a: {name: n, jinja: yes}\n  b: {name: m, jinja: no}\n  c: 1\n"
    assert [line.split(":")[1] for line in refused(tmp_path, text)] == ["2", "3", "4"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .* - name a templates\.yaml"):
        read_templates(tmp_path / "templates.yaml")


# ---- a collection


def collection(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / name.replace("__", "/") / "templates.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


TINY = "templates: {a: !Template {name: n, jinja: 'x ||| y'}}\n"


def test_a_collection_goes_by_dataset_and_config(tmp_path: Path) -> None:
    root = collection(tmp_path, imdb=IMDB, glue__rte=f"dataset: glue\nsubset: rte\n{TINY}", glue__mrpc=TINY)
    collection(tmp_path, user__set__en=TINY)
    (root / ".git").mkdir()
    (root / ".git" / "templates.yaml").write_text("none of ours")
    found = read_collection(root)
    assert list(found) == [("glue", "mrpc"), ("glue", "rte"), ("imdb", None), ("user/set", "en")]
    assert found["imdb", None].templates == tuple(read_templates(root / "imdb" / "templates.yaml"))
    assert found["glue", "rte"].file == str(root / "glue" / "rte" / "templates.yaml")


def test_the_names_in_a_file_go_before_those_of_its_folders(tmp_path: Path) -> None:
    root = collection(tmp_path, a__b=f"dataset: other\n{TINY}", c=f"dataset: x/y\nsubset: z\n{TINY}")
    assert list(read_collection(root)) == [("other", None), ("x/y", "z")]


def test_a_dataset_without_folders_below_has_the_name_of_its_own(tmp_path: Path) -> None:
    root = collection(tmp_path, riddles=TINY) / "riddles"
    assert list(read_collection(root)) == [("riddles", None)]
    assert [(file.dataset, file.config) for file in read_files(root / "templates.yaml")] == [("riddles", None)]


def test_a_folder_whose_name_is_no_text_is_told(tmp_path: Path) -> None:
    root = collection(tmp_path, **{"a\nb": TINY})
    with pytest.raises(SpecError, match="its folders have names that are no printable text"):
        read_collection(root)


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    root = collection(tmp_path, a="templates: 1", b="- x", c=f"dataset: d\n{TINY}", d=TINY)
    with pytest.raises(SpecError) as caught:
        read_collection(root)
    assert str(caught.value).replace(f"{root}/", "").splitlines() == [
        "a/templates.yaml:1: templates: should be 'id: !Template' lines - write each template below its id",
        "b/templates.yaml:1: must hold 'key: value' lines at its top - it should hold the key 'templates'",
        "d/templates.yaml: holds templates of d, which are in "
        f"{root}/c/templates.yaml already - leave one out, or change its 'dataset' or 'subset'".replace(f"{root}/", ""),
    ]


def test_a_folder_without_templates_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no templates\.yaml below"):
        read_collection(tmp_path)
    with pytest.raises(UsageError, match="there is no file or folder"):
        read_collection(tmp_path / "nothing")


@pytest.mark.skipif(not P3.is_dir(), reason="needs ../shared/p3, which is not here")
def test_the_p3_collection_is_read_whole() -> None:
    """Texts and names are those that PyYAML's safe loader gives."""

    class Loader(yaml.SafeLoader):
        """Reads the two tags as plain mappings."""

    for tag in ("!Template", "!TemplateMetadata"):
        Loader.add_constructor(tag, lambda loader, node: loader.construct_mapping(node, deep=True))
    files = read_files(P3)
    assert len(files) == len(list(P3.rglob("templates.yaml")))
    for file in files:
        plain = yaml.load(Path(file.file).read_text(encoding="utf-8"), Loader)
        assert (file.dataset, file.config) == (plain["dataset"], plain.get("subset"))
        for template, held in zip(file.templates, plain["templates"].values(), strict=True):
            assert (template.name, template.jinja) == (held["name"], held["jinja"])
            assert template.answer_choices == held["answer_choices"]
            assert template.metadata is not None
            assert template.metadata.id == held["id"]
            assert template.metadata.reference == held["reference"]
            for key in ("original_task", "choices_in_prompt"):
                assert getattr(template.metadata, key) == held["metadata"][key]
            for key in ("metrics", "languages"):
                assert getattr(template.metadata, key) == tuple(held["metadata"][key])
