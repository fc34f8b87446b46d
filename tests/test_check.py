"""What is wrong with a task is told before a row of it is read, with the line where it was written."""

from pathlib import Path

import pytest

from flanmix.bound import BoundTask
from flanmix.check import OPTIONS, explained, fields_of, problems_of, refuse_problems, variables_of
from flanmix.errors import TemplateError
from flanmix.registry import Registry, load_registry
from flanmix.spec import Task, Template

HEAD = "task: toy\ntype: nli\nsource: {files: nowhere.csv}\n"


TALK = "templates: [{name: a, input: '{{ prompt }}', target: '{{ response }}'}]\n"


def read(folder: Path, text: str, name: str = "toy", **others: str) -> BoundTask:
    for file, other in {"toy": text, **others}.items():
        (folder / f"{file}.yaml").write_text(text if file == "toy" else other, encoding="utf-8")
    return load_registry(folder, bundled=False, plugins=False)[name]


def problems(folder: Path, text: str) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in problems_of(read(folder, text))]


def python_task(input: str = "{{ q }}", target: str = "{{ a }}", **values: object) -> BoundTask:
    template = Template("ask", input=input, target=target, when=values.pop("when", None))
    task = Task("toy", **{"type": "nli", "source": [{"q": "x"}], "templates": [template], **values})
    return Registry().with_specs(task)["toy"]


# ---- conversations


def test_the_fields_of_a_conversation_are_known_without_its_data(tmp_path: Path) -> None:
    text = HEAD + "conversation: detect\nfields: {topic: t}\n"
    bound = read(
        tmp_path, text + "templates: [{name: a, input: '{{ prompt }} {{ topic }}', target: '{{ response }}'}]\n"
    )
    assert problems_of(bound) == []
    assert fields_of(bound) == {"prompt", "response", "system", "history", "topic"}
    assert variables_of(bound) == {"prompt", "response", "topic"}
    assert problems(tmp_path, text + "templates:\n  - {name: a, input: '{{ promt }}', target: '{{ response }}'}\n") == [
        "toy.yaml:7: templates[0].input: 'promt' is no field of the task toy - did you mean 'prompt'?"
    ]


def test_without_a_map_a_conversation_has_no_other_fields() -> None:
    found = python_task("{{ q }}", "{{ response }}", conversation="detect")
    assert [problem.what for problem in problems_of(found)] == ["'q' is no field of the task toy"]
    assert fields_of(python_task()) is None


@pytest.mark.parametrize("name", ["prompt", "response", "system", "history", "trained"])
def test_a_field_has_no_name_that_the_conversation_gives(tmp_path: Path, name: str) -> None:
    found = problems(tmp_path, HEAD + f"conversation: detect\nfields:\n  {name}: c\n" + TALK)
    assert found == [f"toy.yaml:6: fields.{name}: '{name}' comes from the conversation - call the field something else"]
    assert (
        problems(
            tmp_path,
            HEAD + f"fields:\n  {name}: c\n" + TALK.replace("{{ prompt }}", "x").replace("{{ response }}", "y"),
        )
        == []
    )


def test_a_dialogue_without_fields_is_one_of_turns_where_the_family_serves_it() -> None:
    registry = load_registry(plugins=False)

    def conversation(**values: object) -> object:
        task = Task("toy", **{"type": "dialogue", "source": [{}], **values})
        return registry.with_specs(task)["toy"].conversation

    own = Template("own", input="{{ q }}", target="{{ a }}")
    assert conversation() == "detect"
    assert conversation(templates={"use": ["dialogue", "nli"]}) == "detect"
    assert conversation(fields={"prompt": "q", "response": "a"}) is None
    assert conversation(templates=[own]) is None
    assert conversation(type="nli", templates={"use": ["dialogue"]}) is None
    assert conversation(type="nli", templates=[own], conversation="detect") == "detect"


# ---- the lines of problems

TEMPLATE = """\
templates:
  add:
    - name: ask
      input: |-
        The premise is a premise.

        {{ premise }}
        {{ hypthesis }}
      target: "{{ answer }}"
"""


def test_a_good_task_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + TEMPLATE) == []


def test_a_template_that_is_no_template_is_told_with_the_line_inside_its_text(tmp_path: Path) -> None:
    text = HEAD + TEMPLATE.replace("{{ hypthesis }}", "{{ hypthesis | uper }}")
    assert problems(tmp_path, text) == [
        "toy.yaml:11: templates.add[0].input: No filter named 'uper'. - did you mean 'upper'?"
    ]


def test_a_name_that_is_no_field_is_told_where_it_is_used_with_the_nearest(tmp_path: Path) -> None:
    fields = "fields: {premise: p, hypothesis: h, answer: a}\n"
    assert problems(tmp_path, HEAD + fields + TEMPLATE) == [
        "toy.yaml:12: templates.add[0].input: 'hypthesis' is no field of the task toy - did you mean 'hypothesis'?"
    ]


def test_a_word_of_the_text_is_not_taken_for_the_name(tmp_path: Path) -> None:
    fields = "fields: {zzz: p, hypthesis: h, answer: a}\n"
    assert problems(tmp_path, HEAD + fields + TEMPLATE) == [
        "toy.yaml:11: templates.add[0].input: 'premise' is no field of the task toy"
        " - its fields are answer, hypthesis, zzz"
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "fields: {a: '{{ x '}",
            "toy.yaml:4: fields.a: unexpected end of template, expected 'end of print statement'.",
        ),
        ("fields: {fm_row: x}", "toy.yaml:4: fields.fm_row: 'fm_row' is a name that flanmix gives"),
        ("fields: {options: x}", "toy.yaml:4: fields.options: 'options' is a name that flanmix gives"),
        ("drop: '{{ x }} {{ y }}'", "toy.yaml:4: drop: is not one '{{ expression }}'"),
        ("drop: x == 1", "toy.yaml:4: drop: is not one '{{ expression }}'"),
        ("drop: '{{ x | }}'", "toy.yaml:4: drop: "),
        ("fields: {a: '{{ x.__class__ }}'}", "toy.yaml:4: fields.a: the attribute '__class__' is private"),
    ],
)
def test_expressions_are_checked_too(tmp_path: Path, line: str, problem: str) -> None:
    text = f"{HEAD}{line}\ntemplates: [{{name: t, input: i, target: t}}]\n"
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)


def test_a_guard_is_an_expression_over_fields(tmp_path: Path) -> None:
    text = HEAD + "fields: {q: q}\ntemplates: {add: [{name: t, input: i, target: t, when: '{{ anwser }}'}]}\n"
    assert problems(tmp_path, text) == [
        "toy.yaml:5: templates.add[0].when: 'anwser' is no field of the task toy - its fields are q"
    ]
    assert problems(tmp_path, text.replace("{{ anwser }}", "q")) == [
        "toy.yaml:5: templates.add[0].when: is not one '{{ expression }}'"
        ' - write it as "{{ … }}" with nothing around it'
    ]


FAMILY = """\
family: nli
fields: [q]
templates:
- {name: t, input: "{{ q }}", target: "{{ zz }}"}
"""


def test_a_problem_of_a_family_is_told_once_for_all_its_tasks(tmp_path: Path) -> None:
    broken = FAMILY.replace("{{ zz }}", "{{ zz")
    head = "task: {}\ntype: nli\nsource: {{path: x}}\nfields: {{q: q}}\n"
    read(tmp_path, head.format("toy"), nli=broken, other=head.format("other"))
    registry = load_registry(tmp_path, bundled=False, plugins=False)
    with pytest.raises(TemplateError) as caught:
        refuse_problems(registry.tasks.values())
    (problem,) = caught.value.problems
    assert (Path(str(problem.file)).name, problem.line) == ("nli.yaml", 4)


def test_a_task_that_lacks_a_field_of_its_family_is_told_which(tmp_path: Path) -> None:
    read(tmp_path, HEAD + "fields: {q: q}\n", nli=FAMILY)
    bound = load_registry(tmp_path, bundled=False, plugins=False)["toy"]
    (problem,) = problems_of(bound)
    assert problem.what == "'zz' is no field of the task toy"


def test_refusing_says_all_problems_of_all_tasks() -> None:
    tasks = [python_task("{{ q", "{{ a"), python_task("{% if %}")]
    with pytest.raises(TemplateError) as caught:
        refuse_problems(tasks)
    assert len(caught.value.problems) == 3
    refuse_problems([python_task()])


# ---- names


def test_without_a_field_map_templates_may_use_any_column() -> None:
    assert fields_of(python_task()) is None


def test_with_a_field_map_they_may_use_its_fields_and_options_where_there_are_choices() -> None:
    assert fields_of(python_task(fields={"q": "q", "a": "a"})) == {"q", "a"}
    assert fields_of(python_task(fields={"q": "q", "choices": ["x"]})) == {"q", "choices", OPTIONS}


def test_the_names_used_are_those_of_input_target_and_guard() -> None:
    assert variables_of(python_task("{{ q }}{% for x in l %}{{ x }}{% endfor %}", when="{{ w > 1 }}")) == set("qalw")
    fields = {"q": "q", "a": "a", "unused": "u"}
    assert variables_of(python_task("{{ q }} {{ range(3) | list }}", fields=fields)) == {"q", "a"}


# ---- texts of turns and system prompts

TALKING = """\
templates:
  - name: talk
    system:
      - Be brief.
      - weight: 2
        text: |-
          Be kind.
          {{ %s }}
    turns:
      - user: "{{ premise }}"
      - assistant: |-
          Well,
          {{ %s }}
      - {user: "Why?", assistant: "{%% macro m() %%}{{ answer }}{%% endmacro %%}{{ m() }}"}
"""
FIELDS = "fields: {premise: p, answer: a, note: n}\n"


def test_every_text_of_a_template_is_checked_at_its_own_line(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + FIELDS + TALKING % ("note", "answer")) == []
    assert problems(tmp_path, HEAD + FIELDS + TALKING % ("nte", "answr")) == [
        "toy.yaml:12: templates[0].system[1].text: 'nte' is no field of the task toy - did you mean 'note'?",
        "toy.yaml:17: templates[0].turns[1].assistant: 'answr' is no field of the task toy - did you mean 'answer'?",
    ]


def test_the_names_used_are_those_of_all_texts(tmp_path: Path) -> None:
    assert variables_of(read(tmp_path, HEAD + TALKING % ("note", "answer"))) == {"premise", "answer", "note"}


def test_what_makes_a_turn_go_by_rows_is_told_with_its_place(tmp_path: Path) -> None:
    (item,) = read(tmp_path, HEAD + TALKING % ("note", "answer")).templates
    found = explained(item)
    assert (found.engine, found.construct) == ("rows", "'macro'")
    assert found.place.removeprefix(f"{tmp_path}/") == "toy.yaml:17: templates[0].turns[2].assistant"
