"""The answers that a row offers, as its template would write each of them, and which is right."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.assembling import is_blank
from flanmix.bound import BoundTemplate
from flanmix.evalsets.choosing import ANSWER, CHOICES
from flanmix.render import names_read, promptsource, render, render_pair, render_text

TEXT = pa.large_string()
TEXTS = pa.list_(pa.field("element", TEXT))
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """Rows in one wording: `choices` are empty and `index` is -1 where the answer is free text. `lost` says by reason
    which rows offer choices among which there is no right answer.
    """

    inputs: pa.Array
    targets: pa.Array
    choices: pa.ListArray
    index: npt.NDArray[np.int32]
    lost: Mapping[str, Mask] = field(default_factory=dict)


def ranks(item: BoundTemplate, schema: pa.Schema) -> bool:
    """Whether a native template's target is one of the row's choices: it prints the answer and nothing that is known
    with it alone, and the input does not.

    >>> from flanmix.origin import Origin, Where
    >>> from flanmix.spec import Template
    >>> fields = pa.schema([("choices", pa.list_(pa.large_string())), ("answer", pa.large_string())])
    >>> ask = Template("ask", input="{{ question }}", target="It is {{ answer }}.")
    >>> ranks(BoundTemplate("ask", ask, Where(Origin("x"))), fields)
    True
    """
    template = item.template
    if template.dialect != "native" or item.style in ("inverted", "cot") or template.extract is not None:
        return False
    if not {CHOICES, ANSWER} <= set(schema.names):
        return False
    kinds = schema.field(CHOICES).type, schema.field(ANSWER).type
    if not (pa.types.is_list(kinds[0]) and kinds[0].value_type == TEXT and kinds[1] == TEXT):
        return False
    question, answer = template.pair
    read = names_read(template, answer)
    return ANSWER in read and read <= {ANSWER, CHOICES, "options"} and ANSWER not in names_read(template, question)


def ask(item: BoundTemplate, table: pa.Table, *, seed: int, task: str) -> Asked:
    """Render rows in one wording, with the choices that they offer; raises `RowError`."""
    template = item.template
    if template.dialect == "promptsource":
        made = render(template, table, seed=seed, task=task, name=item.id)
        parts, choices = (made.column(name).combine_chunks() for name in ("parts", "answer_choices"))
        inputs, targets = promptsource.pair(parts, len(table))
        return _in_dialect(inputs, targets, choices)
    inputs, targets = render_pair(template, table)
    if not ranks(item, table.schema):
        return Asked(inputs, targets, _none(len(table)), np.full(len(table), -1, np.int32))
    choices = _written(item, table)
    index = _place_of(targets, choices)
    return Asked(inputs, targets, choices, index, _lost(choices, index))


def _written(item: BoundTemplate, table: pa.Table) -> pa.ListArray:
    """Every choice of every row, as the template's target would write it."""
    lists = table.column(CHOICES).combine_chunks()
    flat, owners = lists.flatten(), pc.list_parent_indices(lists)
    key = item.template.pair[1]
    names = names_read(item.template, key) - {ANSWER}
    others = {name: table.column(name).take(owners) for name in names if name in table.column_names}
    return lists_of(_lengths(lists), render_text(item.template.texts[key], pa.table({**others, ANSWER: flat})))


def _in_dialect(inputs: pa.Array, targets: pa.Array, choices: pa.ListArray) -> Asked:
    """What the dialect says of choices; a row whose target is none of at least two is one of free text."""
    lists = lists_of(_lengths(choices), choices.flatten())
    index = _place_of(targets, lists)
    bad = np.logical_or.reduce([*_lost(lists, index).values()])
    index[bad] = -1
    return Asked(inputs, targets, _emptied(lists, bad), index)


def _place_of(targets: pa.Array, choices: pa.ListArray) -> npt.NDArray[np.int32]:
    """The first place of each row's target among its choices, -1 where it is none of them."""
    lengths = _lengths(choices)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    same = np.asarray(pc.equal(choices.flatten(), targets.take(pa.array(owners))).fill_null(False))
    found = np.full(len(lengths), -1, np.int32)
    hits = np.flatnonzero(same)[::-1]  # the first of a row is written last
    starts = np.cumsum(lengths) - lengths
    found[owners[hits]] = hits - starts[owners[hits]]
    return found


def _lost(choices: pa.ListArray, index: npt.NDArray[np.int32]) -> dict[str, Mask]:
    lengths = _lengths(choices)
    flat = choices.flatten()
    empty = np.asarray(pc.or_(flat.is_null(), is_blank(flat)))
    owners = np.repeat(np.arange(len(lengths)), lengths)
    return {
        "fewer than two choices": lengths < 2,
        "a choice is missing or blank": np.bincount(owners[empty], minlength=len(lengths)) > 0,
        "the answer is none of the choices": index < 0,
    }


def _lengths(lists: pa.ListArray) -> npt.NDArray[np.int64]:
    """How many each list holds; a null holds none."""
    return np.asarray(pc.list_value_length(lists).fill_null(0)).astype(np.int64)


def lists_of(lengths: npt.NDArray[np.int64], flat: pa.Array) -> pa.ListArray:
    """Lists of these lengths, one after the other.

    >>> lists_of(np.array([1, 0]), pa.array(["a"], pa.large_string())).to_pylist()
    [['a'], []]
    """
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, TEXTS)


def _none(rows: int) -> pa.ListArray:
    return lists_of(np.zeros(rows, np.int64), pa.array([], TEXT))


def _emptied(lists: pa.ListArray, which: Mask) -> pa.ListArray:
    """The same lists, some of them without what they hold."""
    lengths = _lengths(lists)
    kept = lists.flatten().filter(pa.array(np.repeat(~which, lengths)))
    return lists_of(np.where(which, 0, lengths), kept)
