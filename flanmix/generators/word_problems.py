"""Word problems of one to three steps, each with a worked rationale."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from flanmix.generators import stories_counting as counting
from flanmix.generators import stories_measuring as measuring
from flanmix.generators import stories_money as money
from flanmix.generators.checks import check_span
from flanmix.generators.draw import Draw, Row
from flanmix.generators.telling import Problem

Story = Callable[[Draw], Problem]

# Every situation by the number of steps in its rationale.
STORIES: Mapping[int, tuple[Story, ...]] = MappingProxyType(
    {
        1: (
            counting.how_many_more,
            counting.shelves,
            counting.put_into_boxes,
            measuring.travel_time,
        ),
        2: (
            counting.gain_and_give,
            counting.share_together,
            counting.rows_and_gaps,
            counting.times_as_many,
            counting.part_and_rest,
            measuring.machine_output,
            measuring.average,
            measuring.steady_pace,
            money.change,
            money.saving,
            measuring.ages,
            measuring.recipe,
            money.floor,
            money.discount,
            measuring.tank,
            money.wages,
        ),
        3: (
            counting.bake_sell_pack,
            counting.on_and_off,
            money.total_cost,
            measuring.journey,
            money.fence,
        ),
    }
)


@cache
def _stories(fewest_steps: int, most_steps: int) -> tuple[Story, ...]:
    return tuple(story for steps in range(fewest_steps, most_steps + 1) for story in STORIES[steps])


def word_problems(draw: Draw, *, fewest_steps: int = 1, most_steps: int = 3) -> Row:
    """A situation with numbers, the steps that solve it and the answer as a bare number.

    >>> word_problems(Draw(1, "math/word_problems", 0))["answer"]
    '70'
    """
    check_span("fewest_steps", fewest_steps, "most_steps", most_steps, 1, 3)
    question, rationale, answer = draw.choice(_stories(fewest_steps, most_steps))(draw)
    return {"question": question, "rationale": rationale, "answer": str(answer)}
