"""What the linter looks at, and how it tells what it found."""

import re
from pathlib import Path

import pytest

from flanmix.lint import RULES, lint
from flanmix.registry import Registry, load_registry
from flanmix.spec import Family, Task, Template
from flanmix.spec.tasks import TemplateMetadata
from tests.lint.catalogue import FILES, found, linted, spoilt, write

SPOILT = spoilt("toy.tsv", "Bob came late in June.", "")
"""A passage is blank in one row."""


def test_findings_are_told_like_problems_with_the_rule_and_the_template(tmp_path: Path) -> None:
    report = linted(write(tmp_path, spoilt("quiz.yaml", "Read this first:\n", "Read this first:\n      TODO\n")))
    (finding,) = report.findings
    assert str(finding.problem).removeprefix(f"{tmp_path}/") == (
        "quiz.yaml:14: templates[1].input: todo: quiz/listed: the input says 'TODO' - write what was meant"
    )
    assert finding.record["rule"] == "todo"


def test_findings_stand_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    files = {name: text.replace("{{ question }}", "TODO {{ question }}") for name, text in FILES.items()}
    lines = [line for _, _, line in found(linted(write(tmp_path, files)))]
    assert len(lines) == 4
    assert lines == sorted(lines)


def test_a_wording_that_serves_two_tasks_is_told_once(tmp_path: Path) -> None:
    files = spoilt("quiz.yaml", "Read this first:\n", "Read this first:\n      TODO\n")
    other = FILES["toy.yaml"].replace("task: toy", "task: other")
    assert len(found(linted(write(tmp_path, {**files, "other.yaml": other})))) == 1


def test_without_rows_only_texts_are_looked_at(tmp_path: Path) -> None:
    write(tmp_path, SPOILT)
    assert {rule for rule, _, _ in found(linted(tmp_path))} == {"blank-field"}
    assert found(linted(tmp_path, rows=0)) == []


def test_only_the_first_rows_are_looked_at(tmp_path: Path) -> None:
    write(tmp_path, SPOILT)
    assert found(linted(tmp_path, rows=1)) == []


def guarded(when: str) -> Task:
    plain = Template("plain", input="{{ q }}", target="{{ a }}")
    rare = Template("rare", input="Please say: {{ q }}", target="{{ a }}", when=when)
    rows = [{"q": f"What is {n}?", "a": "many" if n > 3 else "few"} for n in range(9)]
    return Task("toy", type="nli", source=rows, templates=[plain, rare])


def test_a_condition_is_dead_only_where_every_row_was_looked_at() -> None:
    def rules(when: str, rows: int) -> list[str]:
        return [finding.rule for finding in lint([Registry().with_specs(guarded(when))["toy"]], {}, rows=rows).findings]

    assert rules("{{ a == 'none' }}", 9) == ["dead-guard"]
    assert rules("{{ a == 'none' }}", 8) == []
    assert rules("{{ a == 'many' }}", 9) == []


def test_a_family_may_be_guarded_for_other_tasks(tmp_path: Path) -> None:
    files = spoilt("quiz.yaml", "answer != 'cannot say'", "answer == 'cannot tell'")
    assert found(linted(write(tmp_path, files))) == []


def test_sources_that_are_not_at_hand_are_told(tmp_path: Path) -> None:
    files = {**FILES, "hub.yaml": FILES["toy.yaml"].replace("task: toy", "task: hub")}
    files["hub.yaml"] = files["hub.yaml"].replace("{files: toy.tsv}", "{path: nowhere/to-be-found}")
    files["toy.yaml"] = files["toy.yaml"].replace("toy.tsv", "lost.tsv")
    report = linted(write(tmp_path, files))
    assert not report.findings
    assert report.unread["hub"] == "a dataset of the Hub, which --rows loads"
    assert report.unread["toy"].startswith("lost.tsv: no file of that name")


def test_fields_that_do_not_fit_the_rows_are_problems(tmp_path: Path) -> None:
    report = linted(write(tmp_path, spoilt("toy.yaml", "reason: reason", "reason: raeson")))
    (problem,) = report.problems
    assert (problem.line, problem.hint) == (8, "did you mean 'reason'?")


@pytest.mark.parametrize(
    "template",
    [
        Template("ask", dialect="promptsource", jinja="Question:{{ q }} TODO ||| {{ a }}"),
        Template("ask", input="Question:{{ q }} TODO", target="{{ a }}", metadata=TemplateMetadata(id="7f1c")),
    ],
)
def test_wordings_of_other_collections_are_warned_of(template: Template) -> None:
    task = Task("toy", type="nli", source=[{"q": "1 + 1?", "a": "2"}], templates=[template])
    report = lint([Registry().with_specs(task)["toy"]], {})
    assert report.findings == ()
    assert [warning.rule for warning in report.warnings] == ["glued-to-data", "todo"]


def test_a_template_that_cannot_be_compiled_is_left_to_the_check() -> None:
    template = Template("ask", input="{{ q", target="{{ a }}")
    family = Family("nli", fields=["q"], templates=[Template("t", input="{{ zz", target="TODO")])
    registry = Registry().with_specs(Task("toy", type="nli", source=[{"q": "x"}], templates=[template]), family)
    report = lint([registry["toy"]], {"nli": (family, registry.where(family))})
    assert not report.findings
    assert not report.problems


def test_generators_make_no_more_rows_than_are_looked_at() -> None:
    asked: list[int] = []

    def count(draw: object) -> dict[str, str]:
        asked.append(1)
        return {"q": f"Say {len(asked)}.", "a": str(len(asked))}

    template = Template("ask", input="{{ q }}", target="{{ a }}")
    task = Task("toy", type="nli", source={"generator": count, "rows": 10**9}, templates=[template])
    assert lint([Registry().with_specs(task)["toy"]], {}, rows=10).unread == {}
    assert len(asked) <= 20


def test_every_rule_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/checking.md").read_text(encoding="utf-8")
    for rule, what in RULES.items():
        assert re.search(rf"^\| `{rule}`(\\\*)? \| {re.escape(what)} \|$", page, re.MULTILINE), rule


def test_the_bundled_registry_is_left_alone_by_its_own_rules() -> None:
    registry = load_registry(plugins=False)
    families = {name: (family, registry.where(family)) for name, family in registry.families.items()}
    report = lint([registry[name] for name in registry], families, rows=0)
    assert [str(finding.problem) for finding in [*report.findings, *report.warnings]] == []
