"""Jinja expressions over columns: kernels where there are some, Jinja's own code once per distinct value elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Any, cast

import numpy as np
import pyarrow as pa
from jinja2 import nodes

from flanmix.render import kernels
from flanmix.render.environment import NO_ELSE, compile_function
from flanmix.render.frames import Frame
from flanmix.render.kernels import Kernel
from flanmix.render.limits import SMALL_METHODS
from flanmix.render.printing import join_made, print_value, scatter, text_value
from flanmix.render.promptsource_filters import RANDOM
from flanmix.render.values import Column, Const, Mask, NotColumnar, Value, apply, merge, take, truth
from flanmix.render.viewing import Piece

_PURE_METHODS = SMALL_METHODS | {
    *("center", "format", "get", "isascii", "isidentifier", "isoformat", "isprintable", "items", "is_integer", "join"),
    *("keys", "ljust", "replace", "rjust", "strftime", "values", "zfill"),
}
_PURE_FUNCTIONS = frozenset({"dict", "range", "zip"})
_LOOP_NAMES = frozenset({"first", "index", "index0", "last", "length", "revindex", "revindex0"})
_PLAIN = (
    nodes.Add,
    nodes.Compare,
    nodes.Const,
    nodes.Dict,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Keyword,
    nodes.List,
    nodes.Mod,
    nodes.Mul,
    nodes.Neg,
    nodes.Operand,
    nodes.Pair,
    nodes.Pos,
    nodes.Pow,
    nodes.Slice,
    nodes.Sub,
    nodes.TemplateData,
    nodes.Test,
    nodes.Tuple,
)
"""Nodes whose value is a pure function of the values of their children."""


class Expression(ABC):
    """A compiled expression. `by_kernel` says that its value is likely to be made by kernels alone."""

    by_kernel = True

    def __init__(self, node: nodes.Node) -> None:
        self.node: nodes.Node = node

    @abstractmethod
    def value(self, frame: Frame) -> Value:
        """The value in every row of a frame; raises `NotColumnar`, and whatever the expression raises in some row."""

    def truth(self, frame: Frame) -> bool | Mask:
        """In which rows the value is true."""
        return truth(self.value(frame))

    def print(self, frame: Frame) -> list[Piece]:
        """What the value prints, in pieces to be joined."""
        return [print_value(self.value(frame), frame.dialect, frame.rows)]


class _Name(Expression):
    def __init__(self, node: nodes.Node, name: str) -> None:
        super().__init__(node)
        self.name = name

    def value(self, frame: Frame) -> Value:
        return frame.of(self.name)

    def print(self, frame: Frame) -> list[Piece]:
        picked = frame.picked(self.name)
        return super().print(frame) if picked is None else [picked]


class _Computed(Expression):
    """Made of other values: by a kernel where it applies, by Jinja's own code elsewhere."""

    def __init__(self, node: nodes.Node, leaves: Sequence[Expression], kernel: Kernel | None) -> None:
        super().__init__(node)
        self.leaves, self.kernel, self.by_kernel = leaves, kernel, kernel is not None
        self._compiled: Callable[[Any], list[Any]] | None = None

    def value(self, frame: Frame) -> Value:
        values = [leaf.value(frame) for leaf in self.leaves]
        if self.kernel is not None and not all(isinstance(value, Const) for value in values):
            made = self.kernel(values, frame.dialect)
            if made is not None:
                return made
        own = list(dict(zip(self._keys, values, strict=True)).values())
        return apply(self._function(frame), own) if own else Const(self._function(frame)([()])[0])

    @cached_property
    def _keys(self) -> list[str | int]:
        """What tells leaves apart: a name that is read several times is one."""
        return [leaf.name if isinstance(leaf, _Name) else number for number, leaf in enumerate(self.leaves)]

    def _function(self, frame: Frame) -> Callable[[Any], list[Any]]:
        if self._compiled is None:
            names = {key: f"fm_{number}" for number, key in enumerate(dict.fromkeys(self._keys))}
            named = {id(leaf.node): names[key] for leaf, key in zip(self.leaves, self._keys, strict=True)}
            self._compiled = compile_function(_with_names(self.node, named), list(names.values()), frame.dialect)
        return self._compiled


class _Choice(Expression):
    """`a if b else c`."""

    def __init__(self, node: nodes.CondExpr, test: Expression, yes: Expression, no: Expression | None) -> None:
        super().__init__(node)
        self.test, self.yes, self.no = test, yes, no

    def value(self, frame: Frame) -> Value:
        where = self.test.truth(frame)
        if isinstance(where, bool):
            return self._branch(frame, where)
        groups = [(np.flatnonzero(where == side), side) for side in (True, False)]
        parts = [(places, self._branch(frame.at(places), side)) for places, side in groups if len(places)]
        return merge(parts, frame.rows)

    def _branch(self, frame: Frame, side: bool) -> Value:
        chosen = self.yes if side else self.no
        return chosen.value(frame) if chosen else Const(NO_ELSE)

    def print(self, frame: Frame) -> list[Piece]:
        where = self.test.truth(frame)
        if isinstance(where, bool):
            return self._printed(frame, where)
        groups = [(np.flatnonzero(where == side), side) for side in (True, False)]
        parts = [(p, join_made(self._printed(frame.at(p), side), len(p))) for p, side in groups if len(p)]
        return [scatter(parts, frame.rows)]

    def _printed(self, frame: Frame, side: bool) -> list[Piece]:
        chosen = self.yes if side else self.no
        return chosen.print(frame) if chosen else []


class _Logic(Expression):
    """`a and b`, `a or b`: the right side is evaluated where the left does not decide."""

    def __init__(self, node: nodes.Expr, left: Expression, right: Expression, *, goes_on: bool) -> None:
        super().__init__(node)
        self.left, self.right, self.goes_on = left, right, goes_on

    def value(self, frame: Frame) -> Value:
        left = self.left.value(frame)
        where = truth(left)
        if isinstance(where, bool):
            return self.right.value(frame) if where is self.goes_on else left
        further, decided = np.flatnonzero(where == self.goes_on), np.flatnonzero(where != self.goes_on)
        parts = [(decided, take(left, decided))] if len(decided) else []
        if len(further):
            parts.append((further, self.right.value(frame.at(further))))
        return merge(parts, frame.rows)

    def truth(self, frame: Frame) -> bool | Mask:
        where = self.left.truth(frame)
        if isinstance(where, bool):
            return self.right.truth(frame) if where is self.goes_on else where
        further = np.flatnonzero(where == self.goes_on)
        where = where.copy()
        if len(further):
            where[further] = self.right.truth(frame.at(further))
        return where


class _Not(Expression):
    def __init__(self, node: nodes.Not, inner: Expression) -> None:
        super().__init__(node)
        self.inner = inner

    def value(self, frame: Frame) -> Value:
        where = self.truth(frame)
        return Const(where) if isinstance(where, bool) else Column(pa.array(where))

    def truth(self, frame: Frame) -> bool | Mask:
        where = self.inner.truth(frame)
        return not where if isinstance(where, bool) else ~where


class _Concat(Expression):
    """`a ~ b`."""

    def __init__(self, node: nodes.Concat, pieces: Sequence[Expression]) -> None:
        super().__init__(node)
        self.pieces = pieces

    def value(self, frame: Frame) -> Value:
        return text_value(join_made(self.print(frame), frame.rows))

    def print(self, frame: Frame) -> list[Piece]:
        return [text for piece in self.pieces for text in piece.print(frame)]


class _Random(Expression):
    """`a | choice`."""

    def __init__(self, node: nodes.Filter, items: Expression, place: int) -> None:
        super().__init__(node)
        self.items, self.place = items, place

    def value(self, frame: Frame) -> Value:
        return kernels.chosen(self.items.value(frame), frame.draw(self.place))


def compile_expression(node: nodes.Node, loops: int = 0) -> Expression:
    """An expression inside `loops` loops; raises `NotColumnar` with the construct that needs rows."""

    def inner(child: nodes.Node) -> Expression:
        return compile_expression(child, loops)

    match node:
        case nodes.Name():
            if node.name == "loop" and loops:
                raise _needs_rows(node, "the 'loop' object as a value")
            return _Name(node, node.name)
        case nodes.CondExpr():
            return _Choice(node, inner(node.test), inner(node.expr1), inner(node.expr2) if node.expr2 else None)
        case nodes.And() | nodes.Or():
            return _Logic(node, inner(node.left), inner(node.right), goes_on=isinstance(node, nodes.And))
        case nodes.Compare(ops=[first, second, *others]):  # as Python: further sides only where it comes to them
            rest = nodes.Compare(first.expr, [second, *others], lineno=node.lineno)
            left = nodes.Compare(node.expr, [first], lineno=node.lineno)
            return _Logic(node, inner(left), inner(rest), goes_on=True)
        case nodes.Not():
            return _Not(node, inner(node.node))
        case nodes.Concat():
            return _Concat(node, [inner(child) for child in node.nodes])
        case nodes.Getattr(node=nodes.Name(name="loop")) if loops:
            if node.attr not in _LOOP_NAMES:
                raise _needs_rows(node, f"'loop.{node.attr}'")
            return _Name(node, f"loop.{node.attr}")
        case nodes.Filter(name=name) if name in RANDOM:
            if loops:
                raise _needs_rows(node, "a random choice in a loop")
            if len(node.args) != 1 or node.kwargs or node.node is None:
                raise _needs_rows(node, f"the arguments of '{name}'")
            return _Random(node, inner(node.node), cast(nodes.Const, node.args[0]).value)
    _refuse_impure(node)
    parts = [inner(child) for child in _children(node)]
    kernel, constant = _kernel(node), isinstance(node, nodes.Const | nodes.TemplateData)
    if kernel is None or not all(part.by_kernel or _is_constant(part) for part in parts):
        parts = [leaf for part in parts for leaf in _leaves(part)]
        kernel = None
    made = _Computed(node, parts, kernel)
    made.by_kernel = made.by_kernel or constant
    return made


def _is_constant(part: Expression) -> bool:
    return isinstance(part, _Computed) and not part.leaves


def _leaves(part: Expression) -> Iterator[Expression]:
    """What an expression is made of, where it has no kernel of its own: its parts are computed in one go."""
    if isinstance(part, _Computed) and part.kernel is None:
        yield from part.leaves
    else:
        yield part


def _needs_rows(node: nodes.Node, construct: str) -> NotColumnar:
    return NotColumnar(construct, node.lineno)


def _refuse_impure(node: nodes.Node) -> None:
    """Raise `NotColumnar` where a node's value is no pure function of its children's."""
    if isinstance(node, nodes.Call):
        called = node.node
        if isinstance(called, nodes.Getattr) and called.attr in _PURE_METHODS:
            return
        if isinstance(called, nodes.Name) and called.name in _PURE_FUNCTIONS:
            return
        name = called.attr if isinstance(called, nodes.Getattr) else getattr(called, "name", "an expression")
        raise _needs_rows(node, f"a call of '{name}', which may change what it is given or remember")
    if isinstance(node, nodes.Test) and node.name == "sameas" and not _is_singleton(*node.args):
        raise _needs_rows(node, "'sameas', which asks whether two values are one object")
    if not isinstance(node, (*_PLAIN, nodes.Filter)):
        raise _needs_rows(node, f"'{type(node).__name__.lower()}'")


def _is_singleton(*asked_for: nodes.Expr) -> bool:
    return all(isinstance(node, nodes.Const) and isinstance(node.value, bool | None) for node in asked_for)


def _children(node: nodes.Node) -> Iterator[nodes.Expr]:
    """The expressions that a node's value is made of; of a method call its object, not the method."""
    for child in node.iter_child_nodes():
        if isinstance(node, nodes.Call) and child is node.node:
            yield child.node if isinstance(child, nodes.Getattr) else child
        elif isinstance(child, nodes.Helper):
            yield from _children(child)
        elif isinstance(child, nodes.Expr):
            yield child


def _kernel(node: nodes.Node) -> Kernel | None:
    """The kernel for a node, whose operands are its children in order."""
    match node:
        case nodes.Getattr():
            return kernels.field_of(node.attr, attribute=True)
        case nodes.Getitem() if not isinstance(node.arg, nodes.Slice):
            return kernels.item
        case nodes.Filter(kwargs=[], dyn_args=None, dyn_kwargs=None) if node.node is not None:
            return kernels.FILTERS.get(node.name)
        case nodes.Test(args=[], kwargs=[], dyn_args=None, dyn_kwargs=None):
            return kernels.TESTS.get(node.name)
        case nodes.Call(node=nodes.Getattr(attr=name), kwargs=[], dyn_args=None, dyn_kwargs=None):
            return kernels.METHODS.get(name)
        case nodes.Compare(ops=[operand]):
            return kernels.COMPARISONS.get(operand.op)
        case nodes.Add():
            return kernels.add
    return None


def _with_names(node: Any, names: dict[int, str]) -> Any:
    """A copy of a tree in which some nodes (by identity) became names."""
    if id(node) in names:
        return nodes.Name(names[id(node)], "load", lineno=node.lineno)
    made = copy(node)
    for field in node.fields:
        value = getattr(node, field)
        if isinstance(value, list):
            value = [_with_names(each, names) if isinstance(each, nodes.Node) else each for each in value]
        elif isinstance(value, nodes.Node):
            value = _with_names(value, names)
        setattr(made, field, value)
    return made
