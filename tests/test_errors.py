"""Errors say what, where and the next step, one line for each problem."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix import errors
from flanmix.errors import FlanmixError, Problem, UsageError, did_you_mean

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FlanmixError)]


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("is wrong"), "is wrong"),
        (Problem("is wrong", file="a.yaml"), "a.yaml: is wrong"),
        (Problem("is wrong", file="a.yaml", line=3), "a.yaml:3: is wrong"),
        (Problem("is wrong", file="a.yaml", line=3, key="parts[0]"), "a.yaml:3: parts[0]: is wrong"),
        (Problem("is wrong", key="seed", hint="say 1"), "seed: is wrong - say 1"),
    ],
)
def test_a_problem_is_one_line_with_its_place_in_front_and_its_hint_behind(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_an_error_made_of_text_holds_one_problem() -> None:
    error = FlanmixError("no", hint="yes")
    assert error.problems == (Problem("no", hint="yes"),)
    assert str(error) == "no - yes"


def test_an_error_tells_all_its_problems_in_their_order() -> None:
    error = FlanmixError([Problem("first", file="b.yaml"), Problem("second", file="a.yaml")])
    assert str(error).splitlines() == ["b.yaml: first", "a.yaml: second"]


def test_the_tree_is_the_one_drawn_at_the_top_of_the_module() -> None:
    assert errors.__doc__ is not None
    drawn = [word for word in errors.__doc__.replace("├──", "").replace("└──", "").split() if word.endswith("Error")]
    assert drawn == [kind.__name__ for kind in ALL]


@pytest.mark.parametrize("kind", ALL)
def test_wrong_calls_exit_with_2_and_all_else_with_1(kind: type[FlanmixError]) -> None:
    assert kind.exit_code == (2 if kind is UsageError else 1)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_the_way_back_from_a_worker(kind: type[FlanmixError]) -> None:
    error = kind([Problem("no", file="a.yaml", line=2, key="k", hint="yes"), Problem("neither")])
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert back.problems == error.problems
    assert str(back) == str(error)


def test_a_near_name_is_suggested_and_a_far_one_is_not() -> None:
    assert did_you_mean("wieght", ["rows", "weight"]) == "did you mean 'weight'?"
    assert did_you_mean("zzz", ["rows", "weight"]) is None
    assert did_you_mean("rows", []) is None


@given(st.text(min_size=1), st.sets(st.text(min_size=1)))
def test_only_known_names_are_suggested(name: str, known: set[str]) -> None:
    assert did_you_mean(name, known) in {None, *(f"did you mean '{other}'?" for other in known)}
