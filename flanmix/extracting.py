"""The answer in a text that a template asked for: what the template's `extract` finds."""

import re
from collections import deque
from collections.abc import Iterable

import pyarrow as pa

from flanmix.errors import UsageError
from flanmix.spec import Template

_TEXT = pa.large_string()


def extracted(template: Template, texts: pa.Array | pa.ChunkedArray | Iterable[str | None]) -> pa.Array:
    """The answers in texts that were written after a template's wording, as a `large_string` column of that length.

    The last place counts where the template's pattern matches; null where there is none, or where the text is null.
    Without a pattern the whole text is the answer. Nothing is stripped. Raises `UsageError` for a single text.

    >>> ask = Template("ask", input="{{ q }}", target="{{ r }}\\nAnswer: {{ a }}", extract="Answer: (?P<answer>.+)")
    >>> extracted(ask, ["Answer: 3?\\nNo, 2 + 2 is 4.\\nAnswer: 4", "I cannot say."]).to_pylist()
    ['4', None]
    """
    if isinstance(texts, str):
        raise UsageError("extracted() was given a single text, where it takes a column", hint="put it into a list")
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        texts = texts.to_pylist()
    if template.extract is None:
        return pa.array(texts, _TEXT)
    pattern = re.compile(template.extract)
    return pa.array([None if text is None else _last(pattern, text) for text in texts], _TEXT)


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    """What the group `answer` holds in the last place where a pattern matches."""
    last = deque(pattern.finditer(text), maxlen=1)
    return last[0]["answer"] if last else None
