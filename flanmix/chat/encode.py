"""Rendered texts as tokens and labels: one encoding of each whole text, and labels from where its tokens start.

Labels stand beside their own tokens (`labels[t]` is `input_ids[t]` or -100); trainers shift them by one. See
`flanmix.chat.loss`.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.chat.byte_level import told_by_bytes
from flanmix.chat.cutting import Cut, Side, cut
from flanmix.chat.guard import check_end, encode_verbatim, starting_before, steering_tokens
from flanmix.chat.render import pair_template, render_chat, render_pairs
from flanmix.chat.rendered import Range, Rendered, Spans, pattern_of
from flanmix.chat.template import ChatTemplate
from flanmix.errors import UsageError
from flanmix.order import Ints
from flanmix.tokenizing import Tokenizer, text_batches

Policy = Literal["last", "assistant", "all", "chosen"]
"""What is trained: the last turn of the assistant, all of them, every token, or the turns of flagged messages."""
IGNORED = -100
LOST, SPECIAL = "end of turn lost", "special token in content"


@dataclass(frozen=True)
class EncodeCounts:
    """What became of the rows: `rows` = `written` + those `dropped`, by reason; the others count what is written.

    `straddling` are tokens that start before a trained turn and end in it, or start in it and end behind it: a token
    belongs to where it starts. `spelled` are places where content spells a special token, encoded as plain text.
    `cut_ends` are trained turns whose end was cut off. A loss token is one that trainers reach: not the first of a row.
    """

    rows: int
    written: int
    tokens: int
    loss_tokens: int
    straddling: int
    spelled: int
    cut_rows: int
    cut_tokens: int
    cut_ends: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Encoded:
    """`input_ids` (list<int32>), `attention_mask` (list<int8>), `labels` (list<int64>) of the rows that are written.

    `rows` are their numbers among the rows that were given, ascending, and `loss_tokens` how many of each row's tokens
    trainers reach; `lost` are the numbers of the others, by reason.
    """

    input_ids: pa.Array
    attention_mask: pa.Array
    labels: pa.Array
    rows: Ints
    loss_tokens: Ints
    lost: Mapping[str, Ints]
    counts: EncodeCounts


@dataclass(frozen=True)
class _Batch:
    """The rows of a batch, one after the other: `lengths` tokens each, of which `trained` marks some."""

    ids: npt.NDArray[np.int32]
    lengths: Ints
    trained: npt.NDArray[np.bool_]
    ends: Ints
    """Where, in the batch, tokens end a trained turn."""
    straddling: Ints
    bad: Mapping[int, str]


def encode(
    rendered: Rendered,
    tokenizer: Tokenizer,
    *,
    policy: Policy = "assistant",
    chosen: pa.Array | None = None,
    max_length: int | None = None,
    truncate: Side | None = None,
    split_end: bool = False,
) -> Encoded:
    """Tokens and labels of rendered texts; no token is added to what the text says.

    `chosen` (list<bool>, one flag for each message) goes with the policy `chosen`. Rows of more than `max_length`
    tokens lose those at the side `truncate`, or are dropped where it is None. A row without a loss token is dropped,
    and counted by its reason. `split_end` allows an end of turn that is several tokens.

    Raises `TemplateError` where the end of a turn is not one token, `UsageError` where `rendered` is not guarded
    against the tokenizer's special tokens (`encode_chat` and `encode_pairs` do so).
    """
    steering = steering_tokens(tokenizer, rendered.template)
    if not steering.keys() <= rendered.guarded:
        hint = "use encode_chat, or render with guarded=steering_tokens(tokenizer, template)"
        raise UsageError("the texts were rendered without regard to this tokenizer's special tokens", hint=hint)
    if not split_end:
        check_end(tokenizer, rendered.template)
    end = None if split_end or policy == "all" else tokenizer.library.token_to_id(rendered.template.end)
    work = _Work(rendered, tokenizer, steering, _chosen(rendered, policy, chosen), policy == "all", end)
    return _gathered(list(work.batches()), rendered, Cut(max_length, truncate))


def encode_chat(
    template: ChatTemplate, conversations: pa.Array | pa.ChunkedArray, tokenizer: Tokenizer, **options: Any
) -> Encoded:
    """Conversations as tokens and labels: `render_chat`, then `encode`, whose options it takes."""
    guarded = steering_tokens(tokenizer, template)
    return encode(render_chat(template, conversations, guarded=guarded), tokenizer, **options)


def encode_pairs(
    prompts: pa.Array, completions: pa.Array, tokenizer: Tokenizer, *, eos: str, bos: str = "", **options: Any
) -> Encoded:
    """Rows `bos + prompt + completion + eos` as tokens and labels: the loss is on `completion + eos`."""
    guarded = steering_tokens(tokenizer, pair_template(eos, bos))
    return encode(render_pairs(prompts, completions, eos=eos, bos=bos, guarded=guarded), tokenizer, **options)


def _chosen(rendered: Rendered, policy: Policy, chosen: pa.Array | None) -> npt.NDArray[np.bool_]:
    """Which of the spans are trained."""
    spans = rendered.spans
    if (policy == "chosen") != (chosen is not None):
        raise UsageError("the policy 'chosen' and the flags go together", hint="give both, or neither")
    wanted = np.ones(len(spans.turns), bool)
    if policy == "last":
        wanted[:] = False
        wanted[spans.offsets[1:][np.diff(spans.offsets) > 0] - 1] = True
    if chosen is not None:
        lengths = np.asarray(pc.fill_null(pc.list_value_length(chosen), 0)).astype(np.int64)
        flags = np.asarray(pc.fill_null(chosen.flatten(), False))
        rows = np.repeat(np.arange(len(rendered)), np.diff(spans.offsets))
        if len(lengths) != len(rendered) or (spans.turns >= lengths[rows]).any():
            raise UsageError("the flags are not one for each message", hint="give a list<bool> as long as its messages")
        starts = np.cumsum(lengths) - lengths
        at = starts[rows] + spans.turns
        wanted = flags[at].astype(bool)
        if int(flags.sum()) != int(wanted.sum()):
            raise UsageError("a flag is on a message that is not the assistant's", hint="flag what the assistant says")
    return wanted


@dataclass(frozen=True, eq=False)
class _Trained:
    """Trained spans: the row of each in its batch, its first token, the one behind its last, how many straddle."""

    NAMES: ClassVar = ("rows", "begins", "stops", "straddling")

    rows: Ints
    begins: Ints
    stops: Ints
    straddling: Ints


def _by_offsets(texts: list[str], rows: list[Any], lengths: Ints, owners: Ints, spans: Spans, mine: Ints) -> _Trained:
    """The tokens of spans, where the library says to which characters each token belongs."""
    befores = np.cumsum(lengths) - lengths
    begins, stops, straddling = (np.zeros(len(mine), np.int64) for _ in range(3))
    places = zip(owners.tolist(), spans.starts[mine].tolist(), spans.stops[mine].tolist(), strict=True)
    for at, (owner, start, stop) in enumerate(places):
        row, tokens, before = rows[owner], int(lengths[owner]), int(befores[owner])
        first = starting_before(row, start, tokens)
        last = tokens if stop == len(texts[owner]) else starting_before(row, stop, tokens, first)
        over = bool(first) and row.token_to_chars(first - 1)[1] > start
        straddling[at] = over + (last > first and row.token_to_chars(last - 1)[1] > stop)
        begins[at], stops[at] = before + first, before + last
    return _Trained(owners, begins, stops, straddling)


@dataclass(frozen=True, eq=False)
class _Work:
    rendered: Rendered
    tokenizer: Tokenizer
    steering: Mapping[str, int]
    wanted: npt.NDArray[np.bool_]
    everything: bool
    end: int | None

    def batches(self) -> Iterator[_Batch]:
        """The rows in order; while one batch is looked at, the library encodes the next."""
        slices = list(text_batches(self.rendered.texts))
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._encode, part) for part in slices[:1]]
            for number, part in enumerate(slices):
                texts, rows = waiting.pop().result()
                waiting += [pool.submit(self._encode, after) for after in slices[number + 1 : number + 2]]
                yield self._batch(part, texts, rows)

    def _encode(self, part: slice) -> tuple[list[str], list[Any]]:
        texts = self.rendered.texts[part].to_pylist()
        return texts, self.tokenizer.library.encode_batch(texts, add_special_tokens=False)

    def _batch(self, part: slice, texts: list[str], rows: list[Any]) -> _Batch:
        every_place = self.rendered.verbatim.items()
        verbatim = {row: places for row, places in every_place if part.start <= row < part.stop}
        for number, places in verbatim.items():
            at = number - part.start
            rows[at] = encode_verbatim(self.tokenizer, texts[at], places, dict(self.steering))
        every = [row.ids for row in rows]
        lengths = np.fromiter(map(len, every), np.int64, len(every))
        ids = np.fromiter(chain.from_iterable(every), np.int32, int(lengths.sum()))
        bad = self._smuggled(part, ids, lengths, verbatim)
        pieced = np.isin(np.arange(part.start, part.stop), list(verbatim))
        found = self._trained(part, texts, rows, ids, lengths, pieced)
        if self.end is not None:
            lost = (found.stops == found.begins) | (ids[found.stops - 1] != self.end)
            bad = dict.fromkeys(np.unique(found.rows[lost]).tolist(), LOST) | bad
        straddling = np.bincount(found.rows, found.straddling, minlength=len(rows)).astype(np.int64)
        begun, ended = (np.bincount(places, minlength=len(ids) + 1) for places in (found.begins, found.stops))
        trained = np.ones(len(ids), bool) if self.everything else np.cumsum((begun - ended)[:-1]) > 0
        return _Batch(ids, lengths, trained, found.stops - 1, straddling, bad)

    def _trained(
        self,
        part: slice,
        texts: list[str],
        rows: list[Any],
        ids: npt.NDArray[np.int32],
        lengths: Ints,
        pieced: npt.NDArray[np.bool_],
    ) -> "_Trained":
        """Where the trained tokens of a batch begin and end, span by span; `pieced` rows were encoded in pieces."""
        spans = self.rendered.spans
        first, last = spans.offsets[[part.start, part.stop]].tolist()
        mine = np.arange(first, last)[self.wanted[first:last]] if not self.everything else np.zeros(0, np.int64)
        owners = np.searchsorted(spans.offsets, mine, side="right") - 1 - part.start
        known = told_by_bytes(self.tokenizer, self.rendered.texts[part], ids, lengths)
        easy = (known.whole & ~pieced)[owners]
        by_bytes = mine[easy]
        begins, stops, over = known.between(owners[easy], spans.byte_starts[by_bytes], spans.byte_stops[by_bytes])
        found = [_Trained(owners[easy], begins, stops, over)]
        if not easy.all():
            found.append(_by_offsets(texts, rows, lengths, owners[~easy], spans, mine[~easy]))
        return _Trained(*(np.concatenate([getattr(one, name) for one in found]) for name in _Trained.NAMES))

    def _smuggled(
        self, part: slice, ids: npt.NDArray[np.int32], lengths: Ints, verbatim: Mapping[int, Sequence[Range]]
    ) -> dict[int, str]:
        """Rows with more steering tokens than their templates write: a normaliser made one out of other characters."""
        if not self.steering:
            return {}
        table = np.zeros(max(int(ids.max(initial=0)), *self.steering.values()) + 1, np.int32)
        table[list(self.steering.values())] = 1
        totals = np.concatenate([[0], np.cumsum(table[ids], dtype=np.int32)])
        ends = np.cumsum(lengths)
        found = totals[ends] - totals[ends - lengths]
        pattern = pattern_of(frozenset(self.steering))
        spelled = np.asarray(pc.count_substring_regex(self.rendered.texts[part], pattern)).astype(np.int64)
        for number, places in verbatim.items():
            spelled[number - part.start] -= len(places)
        return dict.fromkeys(np.flatnonzero(found != spelled).tolist(), SPECIAL)


def _gathered(batches: list[_Batch], rendered: Rendered, cutting: Cut) -> Encoded:
    lengths = np.concatenate([np.zeros(0, np.int64), *(batch.lengths for batch in batches)])
    ids = np.concatenate([np.zeros(0, np.int32), *(batch.ids for batch in batches)])
    trained = np.concatenate([np.zeros(0, bool), *(batch.trained for batch in batches)])
    straddling = np.concatenate([np.zeros(0, np.int64), *(batch.straddling for batch in batches)])
    sizes = np.array([0, *(len(batch.ids) for batch in batches)]).cumsum()
    ends = np.concatenate([np.zeros(0, np.int64), *(b.ends + at for b, at in zip(batches, sizes, strict=False))])
    rows_before = np.array([0, *(len(batch.lengths) for batch in batches)]).cumsum()
    bad = {at + int(first): why for b, first in zip(batches, rows_before, strict=False) for at, why in b.bad.items()}
    done = cut(lengths, trained, ends, bad, cutting)
    kept, trained = (ids, trained) if done.tokens.all() else (ids[done.tokens], trained[done.tokens])
    offsets = pa.array(np.concatenate([[0], np.cumsum(done.lengths)]).astype(np.int32))
    columns = (kept, np.ones(len(kept), np.int8), np.where(trained, kept.astype(np.int64), IGNORED))
    input_ids, mask, labels = (pa.ListArray.from_arrays(offsets, pa.array(values)) for values in columns)
    written = set(done.rows.tolist())
    counts = EncodeCounts(
        rows=len(rendered),
        written=len(done.rows),
        tokens=len(kept),
        loss_tokens=int(done.loss_tokens.sum()),
        straddling=int(straddling[done.rows].sum()),
        spelled=sum(len(places) for row, places in rendered.verbatim.items() if row in written),
        cut_rows=done.cut_rows,
        cut_tokens=done.cut_tokens,
        cut_ends=done.cut_ends,
        dropped={why: len(rows) for why, rows in done.lost.items()},
    )
    return Encoded(input_ids, mask, labels, done.rows, done.loss_tokens, done.lost, counts)
