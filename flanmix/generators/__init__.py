"""Generators of synthetic rows: pure functions of a seed, a name and a row number."""

import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from flanmix.generators import (
    arithmetic,
    comparisons,
    dates,
    sorting,
    strings,
    syllogisms,
    units,
    word_problems,
)
from flanmix.generators.draw import Draw, Generator, Row

__all__ = ["GENERATORS", "Draw", "Generator", "Row", "generate"]

GENERATORS: Mapping[str, Generator] = MappingProxyType(
    {
        "arithmetic/add_subtract": arithmetic.add_subtract,
        "arithmetic/fractions": arithmetic.fractions,
        "arithmetic/multiply_divide": arithmetic.multiply_divide,
        "arithmetic/order_of_operations": arithmetic.order_of_operations,
        "arithmetic/percentages": arithmetic.percentages,
        "dates/add_days": dates.add_days,
        "dates/clock_time": dates.clock_time,
        "dates/days_between": dates.days_between,
        "dates/weekday": dates.weekday,
        "logic/comparisons": comparisons.comparisons,
        "logic/syllogisms": syllogisms.syllogisms,
        "math/word_problems": word_problems.word_problems,
        "sorting/dates": sorting.dates,
        "sorting/numbers": sorting.numbers,
        "sorting/words": sorting.words,
        "strings/transform": strings.transform,
        "units/convert": units.convert,
    }
)


def generate(function: Generator, name: str, seed: int, rows: Iterable[int], args: Mapping[str, object]) -> list[Row]:
    """The rows with the given numbers; each depends only on the seed, the name, its number and the args.

    >>> generate(GENERATORS["dates/weekday"], "dates/weekday", 1, range(1), {})[0]["answer"]
    'Sunday'
    """
    _, *options = inspect.signature(function).parameters.values()
    known = [option.name for option in options]
    if not any(option.kind is option.VAR_KEYWORD for option in options):
        for arg in args:
            if arg not in known:
                raise ValueError(f"there is no option '{arg}'; the options are: {', '.join(known) or 'none'}")
    return [function(Draw(seed, name, row), **args) for row in rows]
