"""All that is bundled passes the linter, over rows too; and nothing without the tag `options` shows options."""

import pytest

from flanmix.lint import Report, lint
from flanmix.lint.option_words import of_task, of_wording
from flanmix.lint.sampling import sample
from flanmix.lint.static import wording_of
from flanmix.registry import Registry, load_registry
from flanmix.render import render_pair


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(plugins=False)


@pytest.fixture(scope="module")
def report(registry: Registry) -> Report:
    families = {name: (family, registry.where(family)) for name, family in registry.families.items()}
    return lint([registry[name] for name in registry], families, rows=2000)


@pytest.mark.slow
def test_no_wording_has_a_finding(report: Report) -> None:
    assert [str(finding.problem) for finding in [*report.findings, *report.warnings]] == []


@pytest.mark.slow
def test_the_rows_of_every_task_were_looked_at(report: Report) -> None:
    assert (report.unread, report.problems) == ({}, ())


def test_no_prompt_without_options_holds_words_about_them(registry: Registry) -> None:
    for name in registry:
        for item in registry[name].templates:
            wording = wording_of(item, registry[name])
            assert [*of_wording(wording), *of_task(registry[name], wording)] == []


def test_no_prompt_without_options_lists_them(registry: Registry) -> None:
    looked = 0
    for name in registry:
        bound = registry[name]
        if "choices" not in (bound.task.fields or {}):
            continue
        taken = sample(bound, 300)
        for index, item in enumerate(bound.templates):
            table = taken.of_template(index)
            if "options" in item.template.tags or not table.num_rows:
                continue
            inputs, _ = render_pair(item.template, table)
            for text, options in zip(inputs.to_pylist(), table.column("options").to_pylist(), strict=True):
                looked += 1
                assert options not in text
                assert not all(f"- {choice}" in text for choice in options.removeprefix("- ").split("\n- "))
    assert looked > 5000
