"""What chat templates have beside Jinja: marks around what the assistant says, and three helpers."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser

OPEN, CLOSE = "fm_open", "fm_close"
"""Names under which a row gives what is written where a `{% generation %}` block begins and ends."""


class RefusedByTemplate(ValueError):
    """A chat template called `raise_exception`: it does not take such a conversation."""


class Generation(Extension):
    """`{% generation %} … {% endgeneration %}`: what is inside is printed between the marks of the row.

    The marks are characters of the text, so they are right in macros and in captured blocks too.
    """

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The nodes of one block."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        before, after = (nodes.Output([nodes.Name(name, "load")]).set_lineno(line) for name in (OPEN, CLOSE))
        return [before, *body, after]


EXTENSIONS = (Generation, "jinja2.ext.loopcontrols")


def tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """As chat templates have it: plain JSON, where Jinja's own escapes `<`, `>`, `&` and quotes for web pages."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message: str) -> str:
    """What a chat template calls to refuse a conversation."""
    raise RefusedByTemplate(message)


def clock(today: date | None) -> Callable[[str], str]:
    """The `strftime_now` of a chat template: it tells the given day, or refuses.

    >>> clock(date(2024, 7, 26))("%d %b %Y")
    '26 Jul 2024'
    """

    def strftime_now(form: str) -> str:
        if today is None:
            raise SecurityError("it asks for today's date, and a build gives the same bytes on every day: give a date")
        return today.strftime(form)

    return strftime_now
