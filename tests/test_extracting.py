"""From what was written after a wording to the answer in it."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.errors import UsageError
from flanmix.extracting import extracted
from flanmix.spec import Template

LAST_LINE = Template("last", input="{{ q }}", target="{{ r }}\nAnswer: {{ a }}", extract="(?m)^Answer: (?P<answer>.+)$")
FIRST_LINE = Template("first", input="{{ q }}", target="{{ a }}\n\n{{ r }}", extract=r"\A(?P<answer>.+)")
WHOLE = Template("whole", input="{{ q }}", target="{{ a }}")

no_break = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1)


def test_the_last_place_counts_where_the_pattern_matches() -> None:
    assert extracted(LAST_LINE, ["Answer: 3\nNo.\nAnswer: 4"]).to_pylist() == ["4"]
    assert extracted(FIRST_LINE, ["4\n\nAnswer: 5"]).to_pylist() == ["4"]


def test_a_text_without_an_answer_has_none() -> None:
    assert extracted(LAST_LINE, ["I cannot say.", "", "The Answer: 4", None]).to_pylist() == [None] * 4


def test_a_group_that_takes_no_part_in_the_last_match_gives_none() -> None:
    either = LAST_LINE.model_copy(update={"extract": r"Answer: (?P<answer>\d+)|no answer"})
    assert extracted(either, ["Answer: 4, or no answer"]).to_pylist() == [None]


def test_without_a_pattern_the_whole_text_is_the_answer() -> None:
    assert extracted(WHOLE, [" 4\n", None]).to_pylist() == [" 4\n", None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["Answer: 4", None]),
        pa.array(["Answer: 4", None], pa.large_string()),
        pa.array(["Answer: 4", None]).dictionary_encode(),
        pa.chunked_array([["Answer: 4"], [None]]),
        ("Answer: 4", None),
        iter(["Answer: 4", None]),
    ],
)
def test_any_column_of_texts_gives_a_column_of_large_strings(column: pa.Array) -> None:
    assert extracted(LAST_LINE, column).equals(pa.array(["4", None], pa.large_string()))


def test_no_texts_give_no_answers() -> None:
    assert extracted(LAST_LINE, []).equals(pa.array([], pa.large_string()))


def test_a_single_text_is_no_column() -> None:
    with pytest.raises(UsageError, match="put it into a list"):
        extracted(LAST_LINE, "Answer: 4")


def test_it_is_public() -> None:
    assert fm.extracted is extracted


@given(st.lists(st.tuples(st.text(), no_break)))
def test_what_a_target_was_made_of_is_found_in_it_again(rows: list[tuple[str, str]]) -> None:
    texts = [f"{reason}\nAnswer: {answer}" for reason, answer in rows]
    assert extracted(LAST_LINE, texts).to_pylist() == [answer for _, answer in rows]
