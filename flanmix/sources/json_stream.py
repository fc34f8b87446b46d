"""JSON files read member by member: an object with one list that is too long to be held whole."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanmix.errors import Problem, SourceError

_CHUNK = 1 << 16
_LONGEST_CHUNK = 1 << 23
_MAX_VALUE = 256 << 20
"""Characters of the longest value that is taken in one piece."""
_SPACE = re.compile(r"[ \t\n\r]*")
_CUT = 16
"""A value that breaks off so near the end of what was read may go on after it."""


class JsonStream:
    """A JSON file as a stream of values; raises `SourceError` with the line of what is no JSON."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream: Any = pa.input_stream(str(file), compression="detect")
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._place, self._lines, self._ended = "", 0, 1, False
        self._chunk = _CHUNK

    def __enter__(self) -> "JsonStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def line(self) -> int:
        """The line of the value that is read next, from 1."""
        return self._line_of(self._place)

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; whoever asks reads each key's value, by `value` or `items`."""
        yield from self._inside("{", "}", "an object", self._key)

    def items(self) -> Iterator[Any]:
        """The items of the list that comes next, one at a time."""
        yield from self._inside("[", "]", "a list", self.value)

    def value(self) -> Any:
        """The value that comes next."""
        self._next()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _CUT
                if self._ended or not cut:
                    raise self._broken(error.msg, error.pos) from error
            except RecursionError as error:
                raise self._broken("is nested too deeply", self._place) from error
            else:
                if end < len(self._text) or self._ended:
                    self._place = end
                    return found
            self._more()

    @property
    def at_end(self) -> bool:
        """Whether nothing follows but white space."""
        return not self._next()

    def end(self) -> None:
        """Raise `SourceError` where something follows."""
        if not self.at_end:
            raise self._broken("Extra data", self._place)

    def told(self, what: str, hint: str, line: int | None = None) -> SourceError:
        """An error at a line of the file, or where the reading is."""
        return SourceError(Problem(what, file=str(self._file), line=line or self.line, hint=hint))

    def _inside(self, opening: str, closing: str, kind: str, read: Any) -> Iterator[Any]:
        if self._next() != opening:
            raise self.told(f"should be {kind}", "look at what the format says in docs/files.md")
        self._place += 1
        if self._next() == closing:
            self._place += 1
            return
        while True:
            yield read()
            mark = self._next()
            if mark not in (",", closing):
                raise self._broken("Expecting ',' delimiter", self._place)
            self._place += 1
            if mark == closing:
                return

    def _key(self) -> str:
        key = self.value()
        if not isinstance(key, str) or self._next() != ":":
            raise self._broken("Expecting a key and ':'", self._place)
        self._place += 1
        return key

    def _next(self) -> str:
        """The next character that is no white space, or nothing at the end."""
        while True:
            space = _SPACE.match(self._text, self._place)
            assert space is not None
            self._place = space.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if self._ended:
                return ""
            self._more()

    def _more(self) -> None:
        """Read on; what was read before the place is let go."""
        if len(self._text) - self._place > _MAX_VALUE:
            raise self._broken(f"a value is longer than {_MAX_VALUE:,} characters", self._place)
        self._lines = self.line
        try:
            data = self._stream.read(self._chunk)
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self._lines + self._text[self._place :].count("\n") + error.object[: error.start].count(b"\n")
            raise self.told("cannot be read: is not UTF-8 text", "save it as UTF-8", line) from error
        except (OSError, pa.ArrowException) as error:
            raise SourceError(Problem(f"cannot be read: {error}", file=str(self._file))) from error
        self._ended = not data
        self._text, self._place = self._text[self._place :] + text, 0
        self._chunk = min(2 * self._chunk, _LONGEST_CHUNK)

    def _line_of(self, place: int) -> int:
        return self._lines + self._text.count("\n", 0, place)

    def _broken(self, what: str, place: int) -> SourceError:
        problem = f"cannot be read: {what[:1].lower()}{what[1:]}"
        return self.told(problem, "repair or leave out the file", self._line_of(place))


_DECODER = json.JSONDecoder()
