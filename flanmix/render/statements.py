"""Jinja statements over columns: branches render the rows they hold for, loops all their rounds at once."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import nodes

from flanmix.order import Ints
from flanmix.render.expressions import Expression, compile_expression
from flanmix.render.frames import Frame
from flanmix.render.kernels import join_groups
from flanmix.render.printing import Texts, in_rows, join_made, print_value, scatter, text_value
from flanmix.render.promptsource_filters import RANDOM
from flanmix.render.values import (
    Coded,
    Column,
    Const,
    Mask,
    NotColumnar,
    Value,
    apply,
    column_of,
    is_list,
    is_text,
    merge,
    objects,
    refuse_large,
    take,
    used,
    whole,
)
from flanmix.render.viewing import Piece

Statement: TypeAlias = Callable[[Frame], list[Piece]]


def compile_body(body: Sequence[nodes.Node], loops: int = 0) -> Statement:
    """Statements one after the other, inside `loops` loops; raises `NotColumnar` with what needs rows."""
    statements = [_statement(node, loops) for node in body]

    def run(frame: Frame) -> list[Piece]:
        return [text for statement in statements for text in statement(frame)]

    return run


def _statement(node: nodes.Node, loops: int) -> Statement:
    match node:
        case nodes.Output():
            return _output(node, loops)
        case nodes.If():
            return _if(node, loops)
        case nodes.For():
            return _for(node, loops)
        case nodes.Assign() | nodes.AssignBlock():
            return _set(node, loops)
        case nodes.With():
            return _with(node, loops)
        case nodes.FilterBlock():
            return _filter_block(node, loops)
        case nodes.Scope():
            return compile_body(node.body, loops)
    raise NotColumnar(f"'{type(node).__name__.lower()}'", node.lineno)


def _output(node: nodes.Output, loops: int) -> Statement:
    pieces = [
        child.data if isinstance(child, nodes.TemplateData) else compile_expression(child, loops)
        for child in node.nodes
    ]

    def run(frame: Frame) -> list[Piece]:
        texts: list[Piece] = []
        for piece in pieces:
            texts += [piece] if isinstance(piece, str) else piece.print(frame)
        return texts

    return run


def _if(node: nodes.If, loops: int) -> Statement:
    branches = [(compile_expression(each.test, loops), compile_body(each.body, loops)) for each in (node, *node.elif_)]
    otherwise = compile_body(node.else_, loops)

    def run(frame: Frame) -> list[Piece]:
        parts: list[tuple[Ints, Texts, Frame]] = []
        left, places = frame, np.arange(frame.rows)

        def render(body: Statement, chosen: Ints) -> None:
            if len(chosen):
                inner = frame.at(chosen)
                parts.append((chosen, join_made(body(inner), inner.rows), inner))

        for test, body in branches:
            if not len(places):
                break
            where = test.truth(left)
            mask = np.full(len(places), where) if isinstance(where, bool) else where
            render(body, places[mask])
            places = places[~mask]
            left = frame.at(places)
        render(otherwise, places)
        _carry_back(frame, parts)
        return [scatter([(chosen, texts) for chosen, texts, _ in parts], frame.rows)] if parts else []

    return run


def _carry_back(frame: Frame, parts: Sequence[tuple[Ints, Texts, Frame]]) -> None:
    """What branches set, they set in the frame around them; elsewhere a name keeps what it stood for."""
    for name in dict.fromkeys(name for _, _, inner in parts for name in inner.names):
        frame.set(name, merge([(places, inner.of(name)) for places, _, inner in parts], frame.rows))


def _set(node: nodes.Assign | nodes.AssignBlock, loops: int) -> Statement:
    if isinstance(node.target, nodes.NSRef):
        raise NotColumnar("a namespace, which remembers", node.lineno)
    if isinstance(node, nodes.AssignBlock):
        if node.filter is not None:
            raise NotColumnar("'set' with a filter around a block", node.lineno)
        make = _text_of_block(compile_body(node.body, loops))
    else:
        make = compile_expression(node.node, loops).value

    def run(frame: Frame) -> list[Piece]:
        _bind(node.target, make(frame), frame)
        return []

    return run


def _text_of_block(body: Statement) -> Callable[[Frame], Value]:
    return lambda frame: text_value(join_made(body(_inside(frame)), frame.rows))


def _inside(frame: Frame) -> Frame:
    """The same rows, with names of their own."""
    return Frame(frame.table, frame)


def _bind(target: nodes.Node, value: Value, frame: Frame) -> None:
    """Let a name, or each of a tuple of names, stand for a value."""
    if isinstance(target, nodes.Name):
        frame.set(target.name, value)
        return
    if not isinstance(target, nodes.Tuple):
        raise NotColumnar(f"'{type(target).__name__.lower()}' on the left side", target.lineno)
    unpacked = apply(lambda tuples: [_unpacked(each, len(target.items)) for (each,) in tuples], [value])
    for number, name in enumerate(target.items):
        _bind(name, _each(unpacked, number), frame)


def _unpacked(value: Any, count: int) -> tuple[Any, ...]:
    found = tuple(value)
    if len(found) != count:
        raise ValueError(f"{len(found)} values for {count} names")
    return found


def _each(unpacked: Value, number: int) -> Value:
    if isinstance(unpacked, Const):
        return Const(unpacked.value[number])
    assert isinstance(unpacked, Coded)
    return Coded(unpacked.codes, [values[number] for values in unpacked.values])


def _with(node: nodes.With, loops: int) -> Statement:
    pairs = [(target, compile_expression(v, loops)) for target, v in zip(node.targets, node.values, strict=True)]
    body = compile_body(node.body, loops)

    def run(frame: Frame) -> list[Piece]:
        inner = _inside(frame)
        for target, expression in pairs:
            _bind(target, expression.value(frame), inner)
        return body(inner)

    return run


def _filter_block(node: nodes.FilterBlock, loops: int) -> Statement:
    body = compile_body(node.body, loops)
    innermost: nodes.Filter = node.filter
    while isinstance(innermost.node, nodes.Filter):
        innermost = innermost.node
    innermost.node = nodes.Name(_BLOCK, "load", lineno=node.lineno)
    filtered = compile_expression(node.filter, loops)

    def run(frame: Frame) -> list[Piece]:
        texts = join_made(body(_inside(frame)), frame.rows)
        inner = _inside(frame)
        inner.set(_BLOCK, text_value(texts))
        value = filtered.value(inner)
        _refuse_other_than_text(value)
        return [print_value(value, frame.dialect, frame.rows)]

    return run


def _refuse_other_than_text(value: Value) -> None:
    """Jinja joins what a block's filter gives without printing it, and so fails on all but text."""
    values = [value.value] if isinstance(value, Const) else used(value).values if isinstance(value, Coded) else []
    if not (is_text(value) or (values and all(isinstance(each, str) for each in values))):
        raise TypeError("the filter of a block gives something other than text")


_BLOCK = "filter block"  # no column that a template reads is called so


# ---- loops


def _for(node: nodes.For, loops: int) -> Statement:
    if node.recursive:
        raise NotColumnar("a recursive loop", node.lineno)
    items = compile_expression(node.iter, loops)
    test = compile_expression(node.test, loops) if node.test else None
    for random in filter(_is_random, () if node.test is None else (node.test, *node.test.find_all(nodes.Filter))):
        raise NotColumnar("a random choice in a loop", random.lineno)
    body, otherwise = compile_body(node.body, loops + 1), compile_body(node.else_, loops)
    shows_loop = any(name.name == "loop" for child in node.body for name in child.find_all(nodes.Name))

    def run(frame: Frame) -> list[Piece]:
        lengths, values = _flatten(items.value(frame), frame.rows)
        frame.count_steps(lengths)
        if test is not None:
            lengths, values = _kept(node, test, frame, lengths, values)
        texts: Texts = ""
        if len(lengths) and lengths.any():
            inner = frame.at(np.repeat(np.arange(frame.rows), lengths))
            _bind(node.target, values, inner)
            if shows_loop:
                _set_loop(inner, lengths)
            rounds = join_made(body(inner), inner.rows)
            texts = "" if rounds == "" else join_groups(in_rows(rounds, inner.rows), lengths)
        if not node.else_:
            return [texts]
        return [_with_else(frame, texts, otherwise, lengths)]

    return run


def _is_random(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name in RANDOM


def _with_else(frame: Frame, texts: Texts, otherwise: Statement, lengths: Ints) -> Texts:
    """The texts of a loop, and those of its `else` where it had no rounds."""
    empty, others = np.flatnonzero(lengths == 0), np.flatnonzero(lengths)
    if not len(empty):
        return texts
    inner = frame.at(empty)
    parts = [(empty, join_made(otherwise(inner), inner.rows))]
    if len(others):
        parts.append((others, texts if isinstance(texts, str) else texts.take(pa.array(others))))
    return scatter(parts, frame.rows)


def _flatten(value: Value, rows: int) -> tuple[Ints, Value]:
    """How many items each row has, and all items of all rows one after the other."""
    if is_list(value) and whole(value) and isinstance(value, Column):
        lengths = np.asarray(pc.list_value_length(value.array)).astype(np.int64)
        _refuse_rounds(lengths.sum())
        return lengths, column_of(value.array.flatten())
    if isinstance(value, Const):
        items = list(value.value)
        _refuse_rounds(len(items) * rows)
        return np.full(rows, len(items)), Coded(np.tile(np.arange(len(items)), rows), items)
    found = used(objects(value))
    lists: list[list[Any]] = []
    items = []
    for each in found.values:
        lists.append(list(each))
        items += lists[-1]
        _refuse_rounds(len(items))
    sizes = np.array([len(each) for each in lists], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    if found.codes is not None:
        sizes, starts = sizes[found.codes], starts[found.codes]
        _refuse_rounds(sizes.sum())
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return sizes, Coded(np.repeat(starts, sizes) + within, items)


def _refuse_rounds(rounds: int) -> None:
    refuse_large(rounds * 64)  # some numbers are kept for each


def _kept(node: nodes.For, test: Expression, frame: Frame, lengths: Ints, values: Value) -> tuple[Ints, Value]:
    """The items for which the loop's own `if` holds."""
    parents = np.repeat(np.arange(frame.rows), lengths)
    if not len(parents):
        return lengths, values
    inner = frame.at(parents)
    _bind(node.target, values, inner)
    where = test.truth(inner)
    mask: Mask = np.full(len(parents), where) if isinstance(where, bool) else where
    return np.bincount(parents[mask], minlength=frame.rows), take(values, np.flatnonzero(mask))


def _set_loop(frame: Frame, lengths: Ints) -> None:
    """What `loop` offers in each round."""
    length = np.repeat(lengths, lengths)
    index = np.arange(len(length)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    offered = {
        "first": index == 0,
        "index": index + 1,
        "index0": index,
        "last": index == length - 1,
        "length": length,
        "revindex": length - index,
        "revindex0": length - index - 1,
    }
    for name, array in offered.items():
        frame.set(f"loop.{name}", Column(pa.array(array)))
