"""From a source's columns to a task's canonical fields: field maps, drop rules, guards."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.bound import BoundTask
from flanmix.chat.conversations import HISTORY
from flanmix.chat.detecting import resolved
from flanmix.chat.normalising import normalise
from flanmix.chat.turns import Turns
from flanmix.check import OPTIONS, variables_of, variables_of_template
from flanmix.computed import NO_VALUE, Computed, Fail, compute, holds, reasons
from flanmix.errors import Problem, SourceError, did_you_mean
from flanmix.mapped import ANSWER
from flanmix.mapped import GUARD as GUARD
from flanmix.mapped import ROW as ROW
from flanmix.options.listing import answer_places
from flanmix.origin import Where
from flanmix.render.environment import (
    BUILT_IN,
    Expression,
    Program,
    compile_expression,
    compile_template,
    is_expression,
)
from flanmix.render.values import Const, Mask, Value, value_of
from flanmix.sources.rows import normal_type
from flanmix.spec import ConversationColumns, Dialect
from flanmix.words import TRAINED, TURN_FIELDS


class FieldMaker:
    """Makes fields out of batches of a source's rows.

    `dropped` counts the rows left out so far by reason; `guards` are the sets of templates (indices into the task's)
    that serve some row, numbered in the order in which they were met, and `guard_rows` how many rows each has. Of
    conversations, `carried` are the fields that every row has, whatever the templates use, and `repaired` counts those
    that were brought into order.
    """

    def __init__(self, bound: BoundTask, schema: pa.Schema, shown: str) -> None:
        self.bound, self.shown = bound, shown
        self.schema = pa.schema([column for column in schema if column.name not in (ROW, GUARD)])
        self.columns = self.schema.names
        self.dropped: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.guards: dict[tuple[int, ...], int] = {}
        self.guard_rows: Counter[int] = Counter()
        self.wanted = variables_of(bound)
        if bound.task.fields is None:
            built_in = (BUILT_IN[item.template.dialect] for item in bound.templates)
            self.wanted -= frozenset().union(*built_in) - set(schema.names)
        self.turns = columns_of_turns(bound, self.schema, shown)
        self.carried: tuple[str, ...] = ()
        if self.turns:
            self.carried = (*TURN_FIELDS, *([TRAINED] if getattr(self.turns, "train", None) else []))
            self.schema = _with_turns(self.schema, self.carried)
            self.wanted |= set(self.carried)
        if OPTIONS in self.wanted and OPTIONS not in schema.names:  # a mixture may list them in another way
            self.wanted |= {"choices", "answer"} & frozenset(bound.task.fields or schema.names)
        self.nullable = nullable_of(bound)
        self.paths: dict[str, list[str]] = {}
        self.constants: dict[str, list[str]] = {}
        self.computed: dict[str, Expression | Program] = {}
        self.drop = compile_expression(bound.task.drop) if bound.task.drop else None
        mapping = bound.task.fields
        if mapping is None:
            made = OPTIONS in self.wanted and OPTIONS not in schema.names
            mapping = {name: name for name in sorted(self.wanted - {OPTIONS} | {"choices"} if made else self.wanted)}
        for name, value in {**dict(zip(self.carried, self.carried, strict=True)), **mapping}.items():
            if isinstance(value, tuple):
                self.constants[name] = list(value)
            elif "{" in value:
                self.computed[name] = compile_expression(value) if is_expression(value) else compile_template(value)
            else:
                self.paths[name] = [value] if value in schema.names else value.split(".")
        problems = [*self._unknown_columns(), *self._unknown_names()]
        if problems:
            raise SourceError(problems)

    @property
    def plain(self) -> Mapping[str, str] | None:
        """The column of each wanted field, where fields are columns, no more, and every template serves every row."""
        ways = [steps[0] for steps in self.paths.values() if len(steps) == 1]
        made = self.constants or self.computed or self.drop or not self.wanted <= set(self.paths)
        made = made or self.turns is not None
        if made or len(ways) < len(self.paths) or any(item.template.when for item in self.bound.templates):
            return None
        return {name: steps[0] for name, steps in sorted(self.paths.items())}

    def _where(self, field: str) -> Where:
        return self.bound.where.at("source") if self.bound.task.fields is None else self.bound.where.at("fields", field)

    def _unknown_columns(self) -> Iterator[Problem]:
        for field, steps in self.paths.items():
            children = {child.name: child.type for child in self.schema}
            for index, step in enumerate(steps):
                if step not in children:
                    inside = f"'{'.'.join(steps[:index])}'" if index else self.shown
                    hint = did_you_mean(step, children) or f"there are {', '.join(children) or 'none'}"
                    yield self._where(field).problem(f"no column '{step}' in {inside}", hint)
                    break
                kind = children[step]
                children = {child.name: child.type for child in kind} if pa.types.is_struct(kind) else {}

    def _unknown_names(self) -> Iterator[Problem]:
        known = {*self.schema.names, *self.paths, *self.constants}
        programs = [("fields", name, program) for name, program in self.computed.items()]
        for key, name, program in [*programs, *([("drop", None, self.drop)] if self.drop else [])]:
            where = self.bound.where.at(key, name) if name else self.bound.where.at(key)
            visible = known if name is None else {*known, *list(self.computed)[: list(self.computed).index(name)]}
            for unknown in sorted(program.variables - visible - BUILT_IN["native"]):
                hint = did_you_mean(unknown, visible) or f"there are {', '.join(sorted(visible))}"
                what = f"'{unknown}' is neither a column nor a field above this one"
                yield where.problem(what, hint)

    def usable(self, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """The fields of the usable rows of a batch whose first row is row `first` of the source."""
        numbers = pa.array(np.arange(first, first + len(batch)))
        table = pa.table(batch).select(self.columns).append_column(ROW, numbers)
        table = self._in_turns(table)
        table = self._without_dropped(table)
        table = self._without_nulls(table)
        fields = self._with_computed(table)
        return self._with_guards(fields)

    def _in_turns(self, table: pa.Table) -> pa.Table:
        """The rows whose conversations can be brought into normal form, with columns of their turns."""
        if self.turns is None:
            return table
        found = normalise(Turns.of(table, self.turns))
        self.dropped.update(found.dropped)
        self.repaired.update(found.repaired)
        made = dict(zip(TURN_FIELDS, found.conversations.examples().columns, strict=True))
        if found.trained is not None:
            made[TRAINED] = found.trained
        read = {steps[0] for steps in self.paths.values()}
        read = read.union(*(program.variables for program in [*self.computed.values(), self.drop] if program))
        rest = table.select([name for name in table.column_names if name == ROW or name in read - set(made)])
        if len(found.rows) < table.num_rows:
            rest = rest.take(pa.array(found.rows))
        return pa.table({**dict(zip(rest.column_names, rest.columns, strict=True)), **made})

    def _without_dropped(self, table: pa.Table) -> pa.Table:
        if self.drop is None:
            return table
        names = self._values(table, self.drop.variables, {})
        lost, missing = holds(self.drop, names, table.num_rows, self._fail(self.bound.where.at("drop"), table))
        said = reasons(self.drop, names, np.flatnonzero(lost), self._fail(self.bound.where.at("drop"), table))
        self._count(Counter(f"drop rule: {reason}" if reason else "drop rule" for reason in said))
        self._count(Counter(f"drop rule: {reason}" for reason in missing.values()))
        lost[list(missing)] = True
        return table.filter(pa.array(~lost))

    def _without_nulls(self, table: pa.Table) -> pa.Table:
        for name, steps in self.paths.items():
            if name not in self.nullable:
                table = self._where_valid(table, _nested(table, steps), name)
        return table

    def _where_valid(self, table: pa.Table, column: Any, name: str) -> pa.Table:
        if column.null_count:
            self.dropped[f"no value for '{name}'"] += column.null_count
            table = table.filter(pc.is_valid(column))
        return table

    def _with_computed(self, table: pa.Table) -> pa.Table:
        made: dict[str, Any] = {}
        for name, program in self.computed.items():
            names = self._values(table, program.variables, made)
            fail = self._fail(self.bound.where.at("fields", name), table)
            found = compute(program, names, table.num_rows, fail)
            made[name] = self._array(name, found)
            if found.missing:
                for reason in found.missing.values():
                    self.dropped[f"no value for '{name}'" if reason == NO_VALUE else f"'{name}' {reason}"] += 1
                kept = np.ones(table.num_rows, bool)
                kept[list(found.missing)] = False
                table = table.filter(pa.array(kept))
                made = {known: array.filter(pa.array(kept)) for known, array in made.items()}
        columns: dict[str, Any] = {name: _nested(table, steps) for name, steps in self.paths.items()}
        for name, constant in self.constants.items():
            kind = pa.list_(pa.large_string())
            count = table.num_rows
            columns[name] = pa.repeat(pa.scalar(constant, kind), count) if count else pa.array([], kind)
        fields = pa.table({**columns, **made, ROW: table.column(ROW)})
        if OPTIONS in self.wanted and OPTIONS not in columns:
            options = self._options(fields.column("choices"))
            fields = self._where_valid(fields.append_column(OPTIONS, options), options, OPTIONS)
            if "answer" in self.wanted:
                places = answer_places(fields.column("choices"), fields.column("answer"))
                fields = fields.append_column(ANSWER, pa.array(places.astype(np.int32)))
                return fields.select([*sorted(self.wanted), ANSWER, ROW])
        return fields.select([*sorted(self.wanted), ROW])

    def _array(self, name: str, found: Computed) -> pa.Array:
        try:
            array = found.array()
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            raise SourceError(self.bound.where.at("fields", name).problem(str(error), "give it one type")) from error
        return array.cast(normal_type(array.type))

    def _options(self, choices: Any) -> Any:
        """The choices as lines; null where a choice is null or there is none."""
        texts = pa.list_(pa.large_string())
        if choices.type in (pa.null(), pa.list_(pa.null())):
            choices = choices.cast(texts)
        kind = choices.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not (is_list and pa.types.is_large_string(kind.value_type)):
            found = "text" if pa.types.is_large_string(kind) else kind
            what = f"'choices' is {found}, where '{OPTIONS}' needs a list of texts"
            raise SourceError(self._where("choices").problem(what, "make it a list of texts"))
        choices = pc.if_else(pc.greater(pc.list_value_length(choices), 0), choices, pa.scalar(None, kind))
        joined = pc.binary_join(choices, pa.scalar("\n- ", pa.large_string()))
        return pc.binary_join_element_wise(pa.scalar("- ", pa.large_string()), joined, pa.scalar("", pa.large_string()))

    def _with_guards(self, fields: pa.Table) -> pa.RecordBatch:
        """Say of each row which templates serve it, and leave out those that none serves."""
        whens = [item.template.when for item in self.bound.templates]
        serves = np.ones((fields.num_rows, len(whens)), bool)
        for when in dict.fromkeys(filter(None, whens)):
            where = next(item.where for item in self.bound.templates if item.template.when == when).at("when")
            program = compile_expression(when)
            names = self._values(fields, program.variables, {})
            true, _ = holds(program, names, fields.num_rows, self._fail(where, fields))
            serves[:, [index for index, each in enumerate(whens) if each == when]] = true[:, None]
        numbers = self._guard_numbers(serves)
        self._count(Counter({"no template applies": int((numbers < 0).sum())}))
        self.guard_rows.update(dict(enumerate(np.bincount(numbers[numbers >= 0]).tolist())))
        table = fields.append_column(GUARD, pa.array(numbers)).filter(pa.array(numbers >= 0)).combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)

    def _guard_numbers(self, serves: Mask) -> npt.NDArray[np.int32]:
        """The number of the set of templates that serves each row, in the order in which they are met; -1 for none."""
        if serves.all():
            number = self.guards.setdefault(tuple(range(serves.shape[1])), len(self.guards)) if len(serves) else 0
            return np.full(len(serves), number, np.int32)
        sets, first, codes = np.unique(serves, axis=0, return_index=True, return_inverse=True)
        numbers = np.empty(len(sets), np.int32)
        for index in np.argsort(first).tolist():
            serving = tuple(np.flatnonzero(sets[index]).tolist())
            numbers[index] = self.guards.setdefault(serving, len(self.guards)) if serving else -1
        return numbers[codes.reshape(-1)]

    def _values(self, table: pa.Table, names: Collection[str], made: Mapping[str, Any]) -> dict[str, Value]:
        """What these names stand for in a table: its columns first, then mapped, constant and computed fields."""
        values: dict[str, Value] = {}
        for name in names:
            if name in table.column_names and name != ROW:
                values[name] = value_of(table.column(name))
            elif name in self.paths:
                values[name] = value_of(_nested(table, self.paths[name]))
            elif name in self.constants:
                values[name] = Const(self.constants[name])
            elif name in made:
                values[name] = value_of(made[name])
        return values

    def _fail(self, where: Where, table: pa.Table) -> Fail:
        def fail(place: int, error: Exception) -> NoReturn:
            number = table.column(ROW)[place].as_py()
            what = f"row {number} of {self.shown}: {type(error).__name__}: {error}"
            raise SourceError(where.problem(what, "guard the expression, or drop such rows")) from error

        return fail

    def _count(self, reasons: Counter[str]) -> None:
        self.dropped += reasons


def columns_of_turns(bound: BoundTask, schema: pa.Schema, shown: str) -> ConversationColumns | None:
    """Where the turns of a task's conversations stand in a source; None for plain rows. Raises `SourceError`."""
    if bound.conversation is None:
        return None
    where = bound.where.at("source" if bound.task.conversation is None else "conversation")
    return resolved(bound.conversation, schema, where, shown)


def _with_turns(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """What fields and rules see of the source of conversations: its columns, and in place of some those of turns."""
    kinds = {**dict.fromkeys(names, pa.large_string()), "history": HISTORY, TRAINED: pa.list_(pa.bool_())}
    others = [column for column in schema if column.name not in names]
    return pa.schema([*others, *(pa.field(name, kinds[name]) for name in names)])


def nullable_of(bound: BoundTask) -> frozenset[str]:
    """Columns in which a null is a value: those that only templates of a dialect read which prints it."""
    if bound.task.fields is not None:
        return frozenset()
    by_dialect: dict[Dialect, frozenset[str]] = {"native": frozenset({"choices"}), "promptsource": frozenset()}
    for item in bound.templates:
        by_dialect[item.template.dialect] |= variables_of_template(item.template)
    return by_dialect["promptsource"] - by_dialect["native"]


def _nested(table: pa.Table, steps: list[str]) -> Any:
    """The column at a path, null where anything on the way is."""
    column = table.column(steps[0])
    return pc.struct_field(column, steps[1:]) if len(steps) > 1 else column
