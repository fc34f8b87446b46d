"""What is made of a file of templates: a family with a safe name, each template under a name of its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.errors import SpecError
from flanmix.importers.families import family_name, import_files, unique
from flanmix.importers.promptsource import TemplateFile
from flanmix.spec import SLUG_PATTERN, Template


def template(name: str, jinja: str, **more: str) -> Template:
    return Template(name, dialect="promptsource", jinja=jinja, **more)


def file(dataset: str, *templates: Template, config: str | None = None) -> TemplateFile:
    held = templates or (template("n", "{{ a }} ||| x"),)
    return TemplateFile(dataset, config, f"{dataset}/templates.yaml", held, ("a note",))


def test_a_family_holds_native_templates_where_they_do_the_same() -> None:
    (made,) = import_files([file("d", template("one", "{{ q }}? ||| yes"), template("two", "{{ l | choice }} ||| x"))])
    assert made.family is not None
    assert (made.family.name, made.family.fields) == ("d", ("l", "q"))
    assert [t.dialect for t in made.family.templates] == ["native", "promptsource"]
    assert (made.count("native"), made.count("promptsource")) == (1, 1)
    assert made.reasons == (("two", "it chooses at random"),)
    assert made.notes == ("a note",)


def test_the_dialect_is_kept_where_that_is_asked_for() -> None:
    source = file("d", template("one", "{{ q }}? ||| yes", answer_choices="{{ c }} ||| x"))
    (made,) = import_files([source], keep_dialect=True)
    assert made.family is not None
    assert made.family.templates == source.templates
    assert made.family.fields == ("c", "q")
    assert not made.reasons


def test_templates_that_cannot_be_compiled_are_left_out() -> None:
    (made,) = import_files([file("d", template("a", "{{ x ||| y"), template("b", "{{ x }} ||| {% if %}"))])
    assert made.family is None
    assert [name for name, _ in made.left_out] == ["a", "b"]
    assert [note.partition(", it")[0] for note in made.notes[1:]] == [
        "d/templates.yaml: the template 'a' is left out",
        "d/templates.yaml: the template 'b' is left out",
    ]


def test_a_file_whose_templates_read_nothing_makes_no_family() -> None:
    (made,) = import_files([file("d", template("a", "x ||| y"))])
    assert made.family is None
    assert made.notes[-1] == "d/templates.yaml: is left out, its templates read no column"


def test_columns_that_are_no_fields_are_told() -> None:
    (made,) = import_files([file("d", template("a", "{{ _id }} {{ q }} {{ größe }} ||| y"))])
    assert made.family is not None
    assert made.family.fields == ("q",)
    assert made.notes[-1] == "d/templates.yaml: columns that 'fields' cannot name are read: _id, größe"


def test_two_files_cannot_share_a_name() -> None:
    with pytest.raises(SpecError) as caught:
        import_files([file("a_b"), file("a", config="B"), file("c")])
    assert str(caught.value) == (
        "a/templates.yaml: its family would be called 'a_B', as that of a_b/templates.yaml"
        " - import one of the two alone, into another folder"
    )


def test_a_name_that_is_taken_gets_an_ending() -> None:
    (made,) = import_files([file("NLI")], taken=["nli"])
    assert made.family is not None
    assert made.family.name == "NLI_promptsource"
    assert made.notes[-1].endswith("a family is called 'NLI' already; this one is 'NLI_promptsource'")


@given(st.text(), st.none() | st.text())
def test_every_name_is_a_safe_one(dataset: str, config: str | None) -> None:
    assert re.fullmatch(SLUG_PATTERN, family_name(dataset, config))
    assert len(family_name(dataset, config)) <= 100


def test_long_names_that_start_alike_stay_apart() -> None:
    assert family_name("d" * 200, "a") != family_name("d" * 200, "b")


@given(st.lists(st.sampled_from(["x", "x (2)", "y", "z" * 200])))
def test_names_become_unique_and_the_first_of_each_stays(names: list[str]) -> None:
    made = [t.name for t in unique(template(name, "a") for name in names)]
    assert len(set(made)) == len(made) == len(names)
    assert all(len(name) <= 200 for name in made)
    if "x" in names:
        assert made[names.index("x")] == "x"
    assert made == [t.name for t in unique(template(name, "a") for name in [*names, "x"])][:-1]
