"""What the tests of the generators share."""

from collections.abc import Callable

import pytest

from flanmix.generators import GENERATORS, Row, generate

Rows = Callable[..., list[dict[str, str]]]


def _text(row: Row) -> dict[str, str]:
    return {field: value for field, value in row.items() if isinstance(value, str)}


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Give a function that returns the text fields of the first rows of a generator."""

    def rows(name: str, count: int = 2000, *, seed: int = 7, **options: object) -> list[dict[str, str]]:
        return [_text(row) for row in generate(GENERATORS[name], name, seed, range(count), options)]

    return rows
