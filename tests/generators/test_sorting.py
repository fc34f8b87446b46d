from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import pytest

Rows = Callable[..., list[dict[str, str]]]

DOWN = ("largest to smallest", "descending", "decreasing", "highest to lowest")


@pytest.mark.parametrize("options", [{}, {"fewest": 2, "most": 3}, {"fewest": 20, "most": 50}])
def test_numbers(rows: Rows, options: dict[str, int]) -> None:
    below_zero = decimals = 0
    for row in rows("sorting/numbers", **options):
        items, answer = row["items"].split(", "), row["answer"].split(", ")
        assert options.get("fewest", 4) <= len(items) <= options.get("most", 10)
        assert sorted(items) == sorted(answer)
        down = any(part in row["order"] for part in DOWN)
        steps = [(Fraction(a), Fraction(b)) for a, b in pairwise(answer)]
        assert all(a > b if down else a < b for a, b in steps), row
        below_zero += "-" in row["items"]
        decimals += "." in row["items"]
    assert below_zero > 200
    assert decimals > 400


@pytest.mark.parametrize("options", [{}, {"fewest": 2, "most": 3}, {"fewest": 20, "most": 50}])
def test_words(rows: Rows, options: dict[str, int]) -> None:
    orders = set()
    for row in rows("sorting/words", **options):
        items, answer, order = row["items"].split(", "), row["answer"].split(", "), row["order"]
        assert len(set(items)) == len(items)
        assert sorted(items) == sorted(answer)
        orders.add(order)
        if "est" in order:
            shorter_first = order in ("from shortest to longest", "by length, shortest first")
            pairs = [(len(a), len(b)) for a, b in pairwise(answer)]
            assert all(a < b if shorter_first else a > b for a, b in pairs), row
        else:
            backwards = order in ("in reverse alphabetical order", "from Z to A")
            assert all((a > b) == backwards for a, b in pairwise(answer)), row
    assert len(orders) == (9 if options.get("fewest", 4) < 6 else 5)
