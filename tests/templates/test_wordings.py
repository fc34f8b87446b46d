"""The standard that every bundled wording keeps: read from its text, and from rows of the bundled tasks."""

import re
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flanmix.bound import BoundTask, BoundTemplate
from flanmix.check import templates_of, variables_of_template
from flanmix.extracting import extracted
from flanmix.mapped import GUARD, Mapped
from flanmix.prepare import prepare
from flanmix.registry import Registry, load_registry
from flanmix.render import names_read, render
from flanmix.spec import GeneratorSource

ROWS = 300
"""How many rows of a generated task are looked at; of a written table it is all of them."""

OPTION_WORDS = re.compile(
    r"\b(options?|choices|choose (?:from|one|between)|(?:which|one|any|some) of (?:the following|these|those)"
    r"|pick one|pick from|select (?:from|one)|from the list (?:above|below)|answers? (?:above|below)"
    r"|(?:possible|suggested|given) answers|multiple.choice)\b",
    re.IGNORECASE,
)
"""What no wording says that does not list the choices."""

LONG = {
    *("question", "rationale", "text", "passage", "premise", "hypothesis", "premises", "summary", "correction"),
    *("sentence1", "sentence2", "translation", "options", "instruction"),
}
"""Fields with whole sentences in them."""

REGISTRY = load_registry(plugins=False)
WORDINGS = {
    item.id: item for family in REGISTRY.families.values() for item in templates_of(family, REGISTRY.where(family))
}
INVERTED = {id_: item for id_, item in WORDINGS.items() if "inverted" in item.template.tags}
NOT_INVERTED = {"dialogue"}
"""A conversation is said as it was; there is nothing in it to ask for the other way round."""


def family_of(id_: str) -> str:
    return id_.partition("/")[0]


def asked(item: BoundTemplate) -> frozenset[str]:
    """The fields in the target."""
    return names_read(item.template, "target")


def given(item: BoundTemplate) -> frozenset[str]:
    """The fields in the input."""
    return names_read(item.template, "input")


def fixed(text: str | None) -> str:
    """What a text says whatever the row: each field is a dash."""
    return re.sub(r"\{\{.*?\}\}", "–", text or "")


def each(items: dict[str, BoundTemplate]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("item", items.values(), ids=list(items))


# ---- read from the text


@each(WORDINGS)
def test_a_wording_shows_the_options_exactly_if_it_is_tagged_so(item: BoundTemplate) -> None:
    assert ("options" in given(item)) == ("options" in item.template.tags)
    assert "options" not in asked(item)
    assert "choices" not in variables_of_template(item.template)


@each({id_: item for id_, item in WORDINGS.items() if "options" not in item.template.tags})
def test_a_wording_without_options_does_not_speak_of_any(item: BoundTemplate) -> None:
    for text in item.template.texts.values():
        assert not OPTION_WORDS.search(fixed(text))


@each(WORDINGS)
def test_no_wording_asks_for_what_it_gives(item: BoundTemplate) -> None:
    assert asked(item)
    assert not asked(item) & given(item)


@each(INVERTED)
def test_an_inverted_wording_asks_for_something_else_than_the_others(item: BoundTemplate) -> None:
    family = family_of(item.id)
    others = [other for id_, other in WORDINGS.items() if family_of(id_) == family and id_ not in INVERTED]
    usual = frozenset[str]().union(*(asked(other) for other in others))
    assert asked(item) - usual


def test_every_family_has_two_or_more_inverted_wordings_where_that_makes_sense() -> None:
    counts = Counter(map(family_of, INVERTED))
    assert {name for name in REGISTRY.families if counts[name] < 2} == NOT_INVERTED


@each(WORDINGS)
def test_a_wording_is_tagged_as_reasoning_exactly_if_there_is_a_rationale_in_it(item: BoundTemplate) -> None:
    assert ("rationale" in asked(item) | given(item)) == ("cot" in item.template.tags)


@each(WORDINGS)
def test_a_wording_says_how_to_find_the_answer_exactly_if_its_target_has_more_than_that(item: BoundTemplate) -> None:
    among_others = "answer" in asked(item) and item.template.target != "{{ answer }}"
    assert (item.template.extract is not None) == among_others


@each(WORDINGS)
def test_a_wording_is_clean(item: BoundTemplate) -> None:
    for text in item.template.texts.values():
        assert text == text.strip()
        assert not re.search(r"[ \t]$|  |\n\n\n|[\t\r\u00a0]", text, re.MULTILINE)
        assert not re.search(r"[“”‘’…]", text)


@each(WORDINGS)
def test_sentences_of_a_row_are_set_apart_from_those_of_the_wording(item: BoundTemplate) -> None:
    """They begin on a line of their own, after a colon or a number, or in quotes, and end with a line or in quotes."""
    for text in item.template.texts.values():
        for match in re.finditer(r"\{\{ (\w+) \}\}", text):
            if match[1] in LONG:
                assert re.search(r'(?:^|\n|"|: |\n\d\. )$', text[: match.start()]), match[0]
                assert re.match(r'(?:$|\n|")', text[match.end() :]), match[0]


def test_no_wording_stands_twice() -> None:
    def key(item: BoundTemplate) -> tuple[str, ...]:
        return tuple(" ".join(re.findall(r"\w+", text.lower())) for text in item.template.texts.values())

    within = Counter((family_of(id_), key(item)) for id_, item in WORDINGS.items())
    assert [what for what, count in within.items() if count > 1] == []
    instructions = Counter(
        " ".join(words) for item in WORDINGS.values() if len(words := fixed(item.template.input).lower().split()) > 12
    )
    assert [what for what, count in instructions.items() if count > 1] == []


# ---- read from rows


def smaller(registry: Registry, name: str) -> BoundTask:
    """A bundled task; a generated one with fewer rows."""
    bound = registry[name]
    if isinstance(bound.task.source, GeneratorSource):
        source = bound.task.source.model_copy(update={"rows": ROWS})
        bound = BoundTask(
            bound.task.model_copy(update={"source": source}), bound.templates, bound.fields, bound.where, bound.folder
        )
    return bound


@pytest.fixture(scope="module", params=list(REGISTRY))
def rendered(request: pytest.FixtureRequest) -> list[tuple[BoundTemplate, pa.Table, pa.Table]]:
    """Each wording of a task with the rows that it serves and what they become."""
    return list(rendered_rows(smaller(REGISTRY, request.param)))


def rendered_rows(bound: BoundTask) -> Iterator[tuple[BoundTemplate, pa.Table, pa.Table]]:
    prepared = prepare(bound)
    table = Mapped(prepared.rows).table
    for index, item in enumerate(bound.templates):
        guards = [guard for guard, serving in enumerate(prepared.guards) if index in serving]
        rows = table.filter(pc.is_in(table.column(GUARD), pa.array(guards, pa.int32())))
        yield item, rows, render(item.template, rows)


def test_no_text_of_a_bundled_task_is_blank_or_ends_in_white_space(
    rendered: list[tuple[BoundTemplate, pa.Table, pa.Table]],
) -> None:
    for item, _, texts in rendered:
        for column in texts.columns:
            assert all(text == text.strip() != "" for text in column.to_pylist()), item.id


def test_every_wording_serves_some_row_or_says_of_which_kind_of_row_it_is(
    rendered: list[tuple[BoundTemplate, pa.Table, pa.Table]],
) -> None:
    assert all(rows.num_rows or item.template.when for item, rows, _ in rendered)


def test_an_inverted_input_does_not_hold_what_it_asks_for(
    rendered: list[tuple[BoundTemplate, pa.Table, pa.Table]],
) -> None:
    for item, _, texts in rendered:
        if item.style == "inverted":
            for input_, target in zip(*(texts.column(side).to_pylist() for side in ("input", "target")), strict=True):
                assert not re.search(rf"(?<!\w){re.escape(target)}(?!\w)", input_), (item.id, input_, target)


def test_the_answer_is_found_in_the_target_just_as_the_row_has_it(
    rendered: list[tuple[BoundTemplate, pa.Table, pa.Table]],
) -> None:
    for item, rows, texts in rendered:
        if item.template.extract is not None:
            found = extracted(item.template, texts.column("target"))
            assert found.to_pylist() == rows.column("answer").to_pylist(), item.id
