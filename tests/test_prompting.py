"""Which rows are given a mixture's system prompts and type tags: a function of the seed, the task and the draw."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from flanmix.prompting import Prompting, chosen_texts, system_offset, tag_of, tag_offset
from flanmix.spec import Mixture, Prompt, SystemPrompts, Template, TypeTag
from flanmix.words import TASK_TYPES, natural_name

POOL = ["Be brief.", Prompt("Be kind.", weight=2), ""]


def mixture(**others: Any) -> Mixture:
    return Mixture("m", sizes={"a": 1}, **others)


def prompts(made: Prompting, count: int = 4_000, seed: int = 7, task: str = "a") -> list[int]:
    return made.chosen_prompts(np.arange(count), np.full(count, system_offset(seed, task), np.uint64)).tolist()


def tags(made: Prompting, count: int = 4_000, seed: int = 7, task: str = "a") -> list[bool]:
    return made.tagged(np.arange(count), np.full(count, tag_offset(seed, task), np.uint64)).tolist()


def test_a_mixture_that_asks_for_nothing_has_none() -> None:
    for nothing in (
        {},
        {"type_tag": "none"},
        {"type_tag": TypeTag("none", share=0.5)},
        {"type_tag": TypeTag("system", share=0)},
    ):
        assert not Prompting.of(mixture(**nothing))
    assert not Prompting.of(mixture(system=SystemPrompts(["Be brief."], share=0)))
    assert Prompting.of(mixture()) == Prompting()


def test_the_short_forms_are_the_long_ones_with_a_share_of_1() -> None:
    assert Prompting.of(mixture(system="Be brief.")) == Prompting.of(mixture(system={"prompts": ["Be brief."]}))
    assert Prompting.of(mixture(system=["a", "b"])) == Prompting.of(mixture(system={"prompts": ["a", {"text": "b"}]}))
    assert Prompting.of(mixture(type_tag="prefix")) == Prompting.of(mixture(type_tag={"as": "prefix", "share": 1.0}))


@pytest.mark.parametrize("share", [0.01, 0.29, 0.5, 1])
def test_each_prompt_is_given_to_its_part_of_the_share(share: float) -> None:
    found = prompts(Prompting.of(mixture(system=SystemPrompts(POOL, share=share))))
    for number, part in enumerate((Fraction(1, 4), Fraction(1, 2), Fraction(1, 4))):
        assert abs(found.count(number) - 4_000 * share * part) < 6
    assert abs(found.count(3) - 4_000 * (1 - share)) < 6


def test_fewer_draws_are_the_first_of_more() -> None:
    made = Prompting.of(mixture(system=SystemPrompts(POOL, share=0.3), type_tag=TypeTag("prefix", share=0.2)))
    assert prompts(made)[:77] == prompts(made, 77)
    assert tags(made)[:77] == tags(made, 77)


def test_other_seeds_and_tasks_are_given_other_draws() -> None:
    made = Prompting.of(mixture(system=SystemPrompts(POOL, share=0.3), type_tag=TypeTag("prefix", share=0.3)))
    for of in (prompts, tags):
        found = [tuple(of(made, 200, seed, task)) for seed, task in product((1, 2), ("a", "b"))]
        assert len(set(found)) == 4


def test_a_larger_share_holds_the_rows_of_a_smaller_one() -> None:
    few, many = (tags(Prompting.of(mixture(type_tag=TypeTag("prefix", share=share)))) for share in (0.2, 0.6))
    assert all(more or not one for one, more in zip(few, many, strict=True))


def test_a_templates_pool_is_drawn_by_weight_and_apart_from_those_of_others() -> None:
    ask = Template("ask", input="q", target="a", system=POOL)
    one, other = (chosen_texts(ask, np.arange(900), seed=1, task="a", name=name).tolist() for name in ("x", "y"))
    assert one != other
    for found in (one, other):
        assert [round(found.count(number) / 900, 2) for number in range(3)] == [0.25, 0.5, 0.25]


def test_every_type_has_a_name_in_plain_words() -> None:
    assert all(
        name.replace("-", " ").replace(" ", "").isalpha() and name == name.lower() for name in TASK_TYPES.values()
    )
    assert len(set(TASK_TYPES.values())) == len(TASK_TYPES)
    assert tag_of("word_sense") == "Task: word sense disambiguation"
    assert natural_name("my_own_type") == "my own type"


def test_facts_tell_all_that_decides() -> None:
    ways = [
        {}, {"system": "a"}, {"system": "b"}, {"system": ["a", "b"]}, {"system": ["b", "a"]}, {"type_tag": "prefix"},
        {"system": ["a", {"text": "b", "weight": 2}]}, {"system": {"prompts": "a", "share": 0.5}},
        {"type_tag": "system"}, {"type_tag": {"as": "system", "share": 0.5}},
    ]  # fmt: skip
    facts = [repr(Prompting.of(mixture(**way)).facts(["nli"])) for way in ways]
    assert len(set(facts)) == len(ways)
    tagged = Prompting.of(mixture(type_tag="prefix"))
    assert tagged.facts(["nli"]) != tagged.facts(["units"])
