"""What a template may print, and how much it may make: guards around Jinja's operators, filters and methods.

They keep a template from eating the memory or the hours of a build. The usual ways are refused before anything is
made; this is no proof that there are no others.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2 import Undefined, pass_context, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context

MAX_OUTPUT = 4_000_000
"""Characters that one rendered text may have."""
MAX_REPEAT = 1_000_000
"""The longest text or list that `*`, a width or a replacement may make."""
MAX_STEPS = 1_000_000
"""Rounds of loops in one rendered text; a call of a macro counts for ten."""
MAX_BITS = 100_000
"""The largest whole number, in bits."""

_WIDE_FORMAT = re.compile(r"\{[^{}]*:[^{}]*(?:\{|\d{5})")
_WIDE_PERCENT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\d*\.)?(?:\*|\d{5})")
_SIZED = (str, bytes, list, tuple)


class NullPrinted(ValueError):
    """A null was about to be printed as the word None."""


def printed(value: Any) -> Any:
    """`value`, where printing it gives the same text on every run; raises `NullPrinted` for a null."""
    if value is None:
        raise NullPrinted("a null would be printed")
    return printable(value)


def printable(value: Any) -> Any:
    """`value`, where printing it gives the same text on every run; raises `TypeError`."""
    if isinstance(value, Iterator) or (callable(value) and not isinstance(value, Undefined)):
        raise TypeError(f"a {type(value).__name__} would be printed; call it, or end with '| list' or '| join'")
    if isinstance(value, list | tuple | dict):
        refuse_endless(value)
        for item in value:
            if isinstance(item, Undefined):
                str(item)  # raises, and says what is undefined
    return value


def refuse_endless(*values: Any) -> None:
    """Raise `SecurityError` where values, whose parts may be shared, would be endless when they are written out."""
    left = MAX_OUTPUT
    waiting = [value for value in values if isinstance(value, list | tuple | dict)]
    while waiting:
        value = waiting.pop()
        left -= len(value)
        if left < 0:
            raise SecurityError(f"a list would be printed with more than {MAX_OUTPUT:,} items")
        inside = value.values() if isinstance(value, dict) else value
        waiting += [each for each in inside if isinstance(each, list | tuple | dict)]


def refuse_above(limit: int, size: int, what: str) -> None:
    """Raise `SecurityError` where `what` would make more than it may."""
    if size > limit:
        raise SecurityError(f"{what} would make more than {limit:,} items")


class Buffer(list[str]):
    """Pieces of a text that is not printed at once; raises `SecurityError` where they are more than one may print."""

    size = 0

    def append(self, piece: str) -> None:
        """Add one piece."""
        self.extend((piece,))

    def extend(self, pieces: Iterable[str]) -> None:
        """Add several pieces."""
        added = tuple(pieces)
        self.size += sum(map(len, added))
        if self.size > MAX_OUTPUT:
            raise SecurityError(f"the text has more than {MAX_OUTPUT:,} characters")
        super().extend(added)


def check_operator(operator: str, left: Any, right: Any, *, text_formats: bool) -> None:
    """Refuse an operation whose result would be huge; raises `SecurityError`."""
    whole = isinstance(left, int) and isinstance(right, int)
    if operator == "+" and isinstance(left, _SIZED) and isinstance(right, _SIZED):
        refuse_above(MAX_OUTPUT, len(left) + len(right), "'+'")
    elif operator == "*":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, _SIZED) and isinstance(other, int):
                refuse_above(MAX_REPEAT, len(one) * other, "'*'")
        if whole and left.bit_length() + right.bit_length() > MAX_BITS:
            raise SecurityError(f"a number of more than {MAX_BITS:,} bits")
    elif operator == "**":
        if abs(float(right)) > 1000:
            raise SecurityError("an exponent above 1000")
        if whole and left.bit_length() * right > MAX_BITS:
            raise SecurityError(f"a number of more than {MAX_BITS:,} bits")
    elif operator == "%" and isinstance(left, str):
        if not text_formats:
            raise SecurityError("'%' on text is not allowed; use '~' to join")
        _percent(left)
        refuse_endless(right)


def check_format(text: str) -> None:
    """Refuse a wide or a computed width in the text of `str.format`; raises `SecurityError`."""
    if _WIDE_FORMAT.search(text):
        raise SecurityError("a width in 'format' has at most four digits, and is written out")


def check_method(name: str, owner: Any, args: tuple[Any, ...]) -> None:
    """Refuse a method of a text or list that would make something huge; raises `SecurityError`."""
    size = 0
    if name in ("center", "ljust", "rjust", "zfill") and args:
        size = args[0]
    elif name == "replace" and len(args) > 1:
        size = owner.count(args[0]) * len(args[1])
    elif name == "join" and args and isinstance(args[0], list | tuple):
        size = sum(len(owner) + len(item) for item in args[0])
    elif name == "extend" and args and isinstance(args[0], list | tuple):
        size = len(owner) + len(args[0])
    refuse_above(MAX_OUTPUT if name == "join" else MAX_REPEAT, size, f"'{name}'")


SMALL_METHODS = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdecimal", "isdigit"),
        *("islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip", "partition", "removeprefix"),
        *("removesuffix", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith"),
        *("strip", "swapcase", "title", "upper"),
    }
)
"""Methods of text whose result is at most about as large as the text: they need no check."""
UNSAFE_METHODS = frozenset({"expandtabs", "from_bytes", "maketrans", "to_bytes", "translate"})
"""Methods that no template needs and that can make a lot out of a little."""


@pass_eval_context
def _join(eval_ctx: Any, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """As Jinja's `join`, and what `~` becomes."""
    if attribute is not None:
        value = map(make_attrgetter(eval_ctx.environment, attribute), value)
    finalize = eval_ctx.environment.finalize
    texts = [item if type(item) is str else str(finalize(item)) for item in _bounded(value)]
    refuse_above(MAX_OUTPUT, sum(map(len, texts)) + len(d) * max(len(texts) - 1, 0), "'join'")
    return str(d).join(texts)


def _bounded(values: Iterable[Any]) -> Iterable[Any]:
    """The values; those that are made one by one are counted while they are made."""
    return _weighed(values) if isinstance(values, Iterator) else values


def _weighed(values: Iterator[Any]) -> Iterator[Any]:
    size = 0
    for value in values:
        size += len(value) if isinstance(value, _SIZED) else 1
        refuse_above(MAX_OUTPUT, size, "a list")
        yield value


def _list(value: Iterable[Any]) -> list[Any]:
    """As Jinja's `list`."""
    return list(_bounded(value))


@pass_context
def counted(context: Context, values: Iterable[Any]) -> Iterable[Any]:
    """The values of a loop, of which a text may have only so many."""
    if isinstance(values, list | tuple | range):
        count_steps(context, len(values))
        return values
    return _counted_one_by_one(context, values)


def _counted_one_by_one(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        count_steps(context, 1)
        yield value


def count_steps(context: Context, steps: int) -> None:
    """Count rounds of loops, or what a call is worth of them, in the text being rendered; raises `SecurityError`."""
    context.steps = getattr(context, "steps", 0) + steps  # type: ignore[attr-defined]
    if context.steps > MAX_STEPS:  # type: ignore[attr-defined]
        raise SecurityError(f"more than {MAX_STEPS:,} rounds of loops and calls")


def _percent(text: str, *_: Any, **__: Any) -> int:
    if _WIDE_PERCENT.search(text):
        raise SecurityError("a width in 'format' has at most four digits, and is written out")
    return 0


_SIZES: Mapping[str, Callable[..., int]] = {
    "batch": lambda values, linecount, fill_with=None: linecount,
    "center": lambda text, width=80: width,
    "format": _percent,
    "indent": lambda text, width=4, *_, **__: (
        (width if isinstance(width, int) else len(width)) * (text.count("\n") + 1)
    ),
    "replace": lambda text, old, new, count=None: str(text).count(str(old)) * len(str(new)),
    "round": lambda value, precision=0, method="common": precision,
    "slice": lambda values, slices, fill_with=None: slices,
    "tojson": lambda value, indent=None: 1000 * (indent or 0),
    "wordwrap": lambda text, width=79, long=True, wrapstring=None, hyphens=True: len(text) * len(wrapstring or ""),
}
_OF_TEXT = frozenset(
    [
        "capitalize",
        "center",
        "e",
        "escape",
        "forceescape",
        "format",
        "indent",
        "lower",
        "replace",
        "safe",
        "string",
        "striptags",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
        "wordcount",
        "wordwrap",
    ]
)
"""Filters that would make a word out of a null, or out of anything else that is not to be printed."""


_WRITES = _OF_TEXT | {"filesizeformat", "pprint", "tojson", "urlize", "xmlattr"}
"""Filters that write a value out, or another that they are given."""


def guard_filters(filters: dict[str, Callable[..., Any]], *, nulls: bool) -> None:
    """Replace Jinja's filters by guarded ones; where not `nulls`, those of text refuse a null too."""
    for name in (_SIZES.keys() | _WRITES) & filters.keys():
        filters[name] = _guarded(name, filters[name], nulls=nulls)
    filters["join"] = _join
    filters["list"] = _list
    filters["counted"] = counted


def _guarded(name: str, function: Callable[..., Any], *, nulls: bool) -> Callable[..., Any]:
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if name in _OF_TEXT:
            (printable if nulls else printed)(args[first])
        if name in _WRITES:
            refuse_endless(*args[first:], *kwargs.values())
        if name in _SIZES:
            refuse_above(MAX_REPEAT, _SIZES[name](*args[first:], **kwargs), f"'{name}'")
        return function(*args, **kwargs)

    return guarded
