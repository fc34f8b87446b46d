"""Tokenizers as values, and how many tokens rows of text are.

A row is `prompt + completion`, encoded **once**, without special tokens, truncation or padding: its tokens are
`len(encode(prompt + completion))` plus `extra`. Its loss tokens are those whose text starts in the completion: a token
that begins in the prompt and ends in the completion is the prompt's. Where a chat template stands between the texts of
a row, each is encoded alone; so are system prompts and earlier turns, which carry no loss.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.errors import Problem, SourceError
from flanmix.order import Ints

if TYPE_CHECKING:
    import tokenizers

FILE = "tokenizer.json"
_BATCH_BYTES = 1 << 20
"""Bytes of text that are encoded at a time: the library keeps about 200 bytes for each token of them."""
_FOLDER_HINT = f"name a {FILE}, a folder that holds one, or a repository of the Hub"


@dataclass(frozen=True)
class Counting:
    """What is counted as the tokens of a row, beside the tokenizer.

    `separator` is what the layout writes between input and target: it is the input's. None: a chat template stands
    between them, and they are encoded apart. `extra` tokens are added to every row, 1 for the end-of-text token that
    trainers append; with a chat template, all that it adds to a row, and `of_system` and `of_pair` what it adds to a
    system text and to each pair of earlier turns. They are no loss tokens.
    """

    separator: str | None = "\n"
    extra: int = 1
    of_system: int = 0
    of_pair: int = 0

    @classmethod
    def of_layout(cls, layout: str, separator: str, extra: int = 1) -> "Counting":
        """How the rows of a layout are counted.

        >>> Counting.of_layout("messages", "\\n", extra=9)
        Counting(separator=None, extra=9, of_system=0, of_pair=0)
        """
        return cls(separator if layout in ("prompt_completion", "text") else None, extra)


@dataclass(frozen=True)
class TokenCounts:
    """For each row, its tokens (`extra` included) and how many of them are loss tokens."""

    tokens: Ints
    loss: Ints


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer as its `tokenizer.json` says; `digest` is the SHA-256 of that text, and decides equality.

    >>> model = {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"}
    >>> tiny = json.dumps({"model": model, "pre_tokenizer": {"type": "Whitespace"}})
    >>> tokenizer = Tokenizer.of_json(tiny)
    >>> counts = tokenizer.count(pa.array(["a b ", "a "]), pa.array(["b", "b a"]), extra=1)
    >>> counts.tokens.tolist(), counts.loss.tolist()
    ([4, 4], [1, 2])
    """

    digest: str
    name: str = field(compare=False)
    text: str = field(compare=False, repr=False)

    @classmethod
    def of_json(cls, text: str, name: str = "tokenizer") -> "Tokenizer":
        """From the text of a `tokenizer.json`; raises `SourceError` where it is none."""
        made = cls(hashlib.sha256(text.encode()).hexdigest(), name, text)
        _ = made.library
        return made

    @cached_property
    def library(self) -> "tokenizers.Tokenizer":
        """The tokenizer of the library, without truncation, padding and post-processor.

        A post-processor adds special tokens, which are not counted, and may cut the spaces off the offsets of tokens:
        a line break at the end of a prompt would seem to start in the completion.
        """
        import tokenizers

        try:
            plain = {**json.loads(self.text), "truncation": None, "padding": None, "post_processor": None}
            return tokenizers.Tokenizer.from_str(json.dumps(plain))
        except Exception as error:  # the library raises plain `Exception`s
            problem = Problem(f"is no tokenizer: {_short(error)}", file=self.name, hint=_FOLDER_HINT)
            raise SourceError(problem) from error

    @cached_property
    def start(self) -> str:
        """The special token that the tokenizer itself puts before a text; "" where it puts none, or several."""
        import tokenizers

        whole = tokenizers.Tokenizer.from_str(
            json.dumps({**json.loads(self.text), "truncation": None, "padding": None})
        ).encode("a")
        before = list(takewhile(lambda token: token[1], zip(whole.ids, whole.special_tokens_mask, strict=True)))
        return str(self.library.id_to_token(before[0][0])) if len(before) == 1 else ""

    @property
    def version(self) -> str:
        """The version of the library, which may decide what a text's tokens are."""
        import tokenizers

        return str(tokenizers.__version__)

    def lengths(self, texts: pa.Array) -> Ints:
        """The tokens of each text, encoded alone."""
        found = np.zeros(len(texts), np.int64)
        encode = getattr(self.library, "encode_batch_fast", self.library.encode_batch)
        for part in text_batches(texts):
            encoded = encode(texts[part].to_pylist(), add_special_tokens=False)
            found[part] = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return found

    def count(self, prompts: pa.Array, completions: pa.Array, *, extra: int) -> TokenCounts:
        """The tokens of rows `prompt + completion`, each encoded once (arrays of strings without nulls)."""
        joined = pc.binary_join_element_wise(prompts, completions, pa.scalar("", prompts.type))
        tokens, loss = (np.zeros(len(joined), np.int64) for _ in range(2))
        for part in text_batches(joined):
            encoded = self.library.encode_batch(joined[part].to_pylist(), add_special_tokens=False)
            ends = np.asarray(pc.utf8_length(prompts[part])).tolist()
            tokens[part] = [len(row) for row in encoded]
            loss[part] = [_starting_from(row, end) for row, end in zip(encoded, ends, strict=True)]
        return TokenCounts(tokens + extra, loss)

    def count_examples(self, examples: pa.Table, counting: Counting) -> TokenCounts:
        """The tokens of rendered rows: of `input` and `target`, and of `system` and `history` where there are such.

        >>> words = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
        >>> tokenizer = Tokenizer.of_json(json.dumps({"model": words, "pre_tokenizer": {"type": "Whitespace"}}))
        >>> row = {"input": "a a", "target": "a", "system": "a", "history": [{"user": "a", "assistant": "a a"}]}
        >>> tokenizer.count_examples(pa.Table.from_pylist([row]), Counting(None, extra=0)).tokens.tolist()
        [7]
        """
        columns = {name: _one(examples.column(name)) for name in examples.column_names}
        inputs, targets = (columns[name].cast(pa.large_string()) for name in ("input", "target"))
        counts = self.count_pairs(inputs, targets, counting)
        tokens = counts.tokens.copy()
        if "system" in columns:
            tokens += self.lengths(columns["system"])
            tokens += counting.of_system * (np.asarray(pc.binary_length(columns["system"])) > 0)
        if "history" in columns:
            pairs, owners = columns["history"].flatten(), np.asarray(pc.list_parent_indices(columns["history"]))
            for side in ("user", "assistant"):
                np.add.at(tokens, owners, self.lengths(pc.struct_field(pairs, side)))
            np.add.at(tokens, owners, counting.of_pair)
        return TokenCounts(tokens, counts.loss)

    def count_pairs(self, inputs: pa.Array, targets: pa.Array, counting: Counting) -> TokenCounts:
        """The tokens of rendered inputs and targets, as a layout writes them (`large_string` without nulls)."""
        if counting.separator is None:
            loss = self.lengths(targets)
            return TokenCounts(self.lengths(inputs) + loss + counting.extra, loss)
        ending = pa.scalar(counting.separator, inputs.type)
        prompts = pc.binary_join_element_wise(inputs, ending, pa.scalar("", inputs.type))
        return self.count(prompts, targets, extra=counting.extra)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """A column of few rows as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _starting_from(row: Any, place: int) -> int:
    """How many tokens start at a character or after it; where tokens start ascends."""
    tokens = len(row)
    return tokens - bisect_left(range(tokens), place, key=lambda token: row.token_to_chars(token)[0])


def text_batches(texts: pa.Array) -> Iterator[slice]:
    """Slices of an array with about `_BATCH_BYTES` of text each, or one row."""
    ends = np.cumsum(np.asarray(pc.binary_length(texts)).astype(np.int64))
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BATCH_BYTES, side="right")))
        yield slice(start, stop)
        start = stop


def load_tokenizer(name_or_path: str | Path, *, revision: str | None = None) -> Tokenizer:
    """Read a `tokenizer.json`: of a path to one, a folder that holds one, or a repository of the Hub.

    The Hub's local cache is looked at first, so what is there needs no network. Raises `SourceError`.
    """
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        path = path / FILE
    elif not path.exists():
        path = _from_hub(_hub_name(name_or_path), FILE, revision)
    try:
        return Tokenizer.of_json(path.read_text(encoding="utf-8"), str(name_or_path))
    except FileNotFoundError as error:
        hint = f"save the tokenizer there as {FILE} (the form of the library tokenizers)"
        raise SourceError(Problem(f"holds no {FILE}", file=str(name_or_path), hint=hint)) from error
    except OSError as error:
        hint = "make it readable, or name another one"
        raise SourceError(Problem(f"cannot be read: {error.strerror}", file=str(path), hint=hint)) from error
    except UnicodeDecodeError as error:
        what = "is no tokenizer: it is not UTF-8 text"
        raise SourceError(Problem(what, file=str(name_or_path), hint=_FOLDER_HINT)) from error


def beside_tokenizer(name_or_path: str | Path, file: str, *, revision: str | None = None) -> Path | None:
    """Another file of a tokenizer: in its folder, beside its `tokenizer.json` or in its repository; None if none is.

    Raises `SourceError` where there is no such tokenizer.
    """
    path = Path(name_or_path).expanduser()
    if path.exists():
        found = (path if path.is_dir() else path.parent) / file
        return found if found.is_file() else None
    try:
        return _from_hub(_hub_name(name_or_path), file, revision)
    except NoSuchFile:
        return None


def _hub_name(name_or_path: str | Path) -> str:
    """What is no path may be a name of the Hub."""
    name = str(name_or_path)
    here = Path(name).parent != Path() and Path(name).parent.is_dir()
    if here or name.startswith((".", "/", "~")) or name.endswith(".json"):
        raise SourceError(Problem("is not there", file=name, hint=_FOLDER_HINT))
    return name


class NoSuchFile(SourceError):
    """A repository of the Hub does not hold a file."""


def _from_hub(name: str, file: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        try:
            return Path(hf_hub_download(name, file, revision=revision, local_files_only=True))
        except LocalEntryNotFoundError:
            return Path(hf_hub_download(name, file, revision=revision))
    except HFValidationError as error:
        raise _hub_problem(name, "is no file, no folder and no name of the Hub", _FOLDER_HINT) from error
    except LocalEntryNotFoundError as error:
        hint = "go online, or name a folder that holds it"
        raise _hub_problem(
            name, f"its {file} is not in the Hub's cache, and the Hub cannot be reached", hint
        ) from error
    except GatedRepoError as error:
        hint = "ask for access on its page, and log in with `hf auth login`"
        raise _hub_problem(name, "it is gated on the Hub", hint) from error
    except RepositoryNotFoundError as error:
        hint = "correct the name (a folder's begins with ./), or log in with `hf auth login`"
        raise _hub_problem(name, "no such folder, and the Hub shows no such repository", hint) from error
    except RevisionNotFoundError as error:
        hint = "name a branch, tag or commit of it"
        raise _hub_problem(name, f"the Hub has no revision '{revision}' of it", hint) from error
    except EntryNotFoundError as error:
        hint = "name a repository with a fast tokenizer, or save one as a folder"
        raise NoSuchFile(Problem(f"its repository holds no {file}", file=name, hint=hint)) from error
    except Exception as error:  # of whichever library carries the request
        raise _hub_problem(name, f"the Hub cannot be asked: {_short(error)}", "try again later") from error


def _hub_problem(name: str, what: str, hint: str) -> SourceError:
    return SourceError(Problem(what, file=name, hint=hint))


def _short(error: Exception) -> str:
    """The first line of an error, or its kind where it has none."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
