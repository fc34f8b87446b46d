"""From a source's columns to a task's canonical fields: field maps, drop rules, guards."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanmix.bound import BoundTask
from flanmix.check import OPTIONS, variables_of
from flanmix.errors import Problem, SourceError, did_you_mean
from flanmix.origin import Where
from flanmix.render.environment import (
    BUILT_IN,
    Expression,
    NullPrinted,
    OutsideList,
    Program,
    compile_expression,
    compile_template,
    is_expression,
)
from flanmix.sources.rows import normal_type

ROW, GUARD = "fm_row", "fm_guard"


class FieldMaker:
    """Makes fields out of batches of a source's rows.

    `dropped` counts the rows left out so far by reason; `guards` are the sets of templates (indices into the task's)
    that serve some row, numbered in the order in which they were met.
    """

    def __init__(self, bound: BoundTask, schema: pa.Schema, shown: str) -> None:
        self.bound, self.shown = bound, shown
        self.schema = pa.schema([column for column in schema if column.name not in (ROW, GUARD)])
        self.dropped: Counter[str] = Counter()
        self.guards: dict[tuple[int, ...], int] = {}
        self.wanted = variables_of(bound)
        if bound.task.fields is None:
            self.wanted -= BUILT_IN - set(schema.names)
        self.paths: dict[str, list[str]] = {}
        self.constants: dict[str, list[str]] = {}
        self.computed: dict[str, Expression | Program] = {}
        self.drop = compile_expression(bound.task.drop) if bound.task.drop else None
        mapping = bound.task.fields
        if mapping is None:
            made = OPTIONS in self.wanted and OPTIONS not in schema.names
            mapping = {name: name for name in sorted(self.wanted - {OPTIONS} | {"choices"} if made else self.wanted)}
        for name, value in mapping.items():
            if isinstance(value, tuple):
                self.constants[name] = list(value)
            elif "{" in value:
                self.computed[name] = compile_expression(value) if is_expression(value) else compile_template(value)
            else:
                self.paths[name] = [value] if value in schema.names else value.split(".")
        problems = [*self._unknown_columns(), *self._unknown_names()]
        if problems:
            raise SourceError(problems)

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
            for unknown in sorted(program.variables - visible - BUILT_IN):
                hint = did_you_mean(unknown, visible) or f"there are {', '.join(sorted(visible))}"
                what = f"'{unknown}' is neither a column nor a field above this one"
                yield where.problem(what, hint)

    def usable(self, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """The fields of the usable rows of a batch whose first row is row `first` of the source."""
        numbers = pa.array(np.arange(first, first + len(batch)))
        table = pa.table(batch).select(self.schema.names).append_column(ROW, numbers)
        table = self._without_dropped(table)
        table = self._without_nulls(table)
        fields = self._with_computed(table)
        return self._with_guards(fields)

    def _without_dropped(self, table: pa.Table) -> pa.Table:
        if self.drop is None:
            return table
        kept = []
        for index, row in enumerate(self._rows(table, self.drop.variables)):
            value, reason = self._value(self.drop, row, self.bound.where.at("drop"), table, index)
            reason = reason and f"drop rule: {reason}"
            self._count(reason or ("drop rule" if value else None))
            kept.append(not (reason or value))
        return table.filter(pa.array(kept, pa.bool_()))

    def _without_nulls(self, table: pa.Table) -> pa.Table:
        for name, steps in self.paths.items():
            table = self._where_valid(table, _nested(table, steps), name)
        return table

    def _where_valid(self, table: pa.Table, column: Any, name: str) -> pa.Table:
        if column.null_count:
            self.dropped[f"no value for '{name}'"] += column.null_count
            table = table.filter(pc.is_valid(column))
        return table

    def _with_computed(self, table: pa.Table) -> pa.Table:
        values: dict[str, list[Any]] = {name: [] for name in self.computed}
        kept = np.ones(table.num_rows, bool)
        if self.computed:
            used = frozenset().union(*(program.variables for program in self.computed.values()))
            for index, row in enumerate(self._rows(table, used)):
                made, reason = self._compute(row, table, index)
                self._count(reason)
                kept[index] = reason is None
                if reason is None:
                    for name, value in made.items():
                        values[name].append(value)
        table = table if kept.all() else table.filter(pa.array(kept))
        columns: dict[str, Any] = {name: _nested(table, steps) for name, steps in self.paths.items()}
        for name, constant in self.constants.items():
            kind = pa.list_(pa.large_string())
            count = table.num_rows
            columns[name] = pa.repeat(pa.scalar(constant, kind), count) if count else pa.array([], kind)
        columns |= {name: self._array(name, made) for name, made in values.items()}
        fields = pa.table({**columns, ROW: table.column(ROW)})
        if OPTIONS in self.wanted and OPTIONS not in columns:
            options = self._options(fields.column("choices"))
            fields = self._where_valid(fields.append_column(OPTIONS, options), options, OPTIONS)
        return fields.select([*sorted(self.wanted), ROW])

    def _compute(self, row: dict[str, Any], table: pa.Table, index: int) -> tuple[dict[str, Any], str | None]:
        """The computed fields of one row, or why there are none."""
        made: dict[str, Any] = {}
        for name, program in self.computed.items():
            value, reason = self._value(program, {**made, **row}, self.bound.where.at("fields", name), table, index)
            if reason is not None or value is None:
                return {}, f"'{name}' {reason}" if reason else f"no value for '{name}'"
            made[name] = value
        return made, None

    def _array(self, name: str, values: list[Any]) -> pa.Array:
        try:
            array = pa.array(values)
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
        whens = {index: item.template.when for index, item in enumerate(self.bound.templates)}
        programs = {when: compile_expression(when) for when in whens.values() if when}
        numbers = np.zeros(fields.num_rows, np.int32)
        if not programs:
            numbers[:] = self.guards.setdefault(tuple(whens), len(self.guards))
        used = frozenset().union(*(program.variables for program in programs.values()))
        for index, row in enumerate(self._rows(fields, used) if programs else ()):
            holds = {}
            for when, program in programs.items():
                where = next(t.where for t in self.bound.templates if t.template.when == when).at("when")
                value, reason = self._value(program, row, where, fields, index)
                holds[when] = bool(value) and reason is None
            serving = tuple(template for template, when in whens.items() if not when or holds[when])
            self._count(None if serving else "no template applies")
            numbers[index] = self.guards.setdefault(serving, len(self.guards)) if serving else -1
        table = fields.append_column(GUARD, pa.array(numbers)).filter(pa.array(numbers >= 0)).combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)

    def _rows(self, table: pa.Table, names: Collection[str]) -> Iterator[dict[str, Any]]:
        """The rows of a table as dicts of these names: its columns first, then mapped and constant fields."""
        columns = {name: table.column(name).to_pylist() for name in table.column_names if name in names and name != ROW}
        for name, steps in self.paths.items():
            if name in names and name not in columns:
                columns[name] = _nested(table, steps).to_pylist()
        fixed = {name: value for name, value in self.constants.items() if name in names and name not in columns}
        for index in range(table.num_rows):
            yield {**fixed, **{name: column[index] for name, column in columns.items()}}

    def _value(
        self, program: Expression | Program, row: Mapping[str, Any], where: Where, table: pa.Table, index: int
    ) -> tuple[Any, str | None]:
        """A program's value for one row, or the reason why that row has none; raises `SourceError`."""
        try:
            return (program.evaluate(row) if isinstance(program, Expression) else program.render(row)), None
        except NullPrinted:
            return None, "holds a null"
        except OutsideList:
            return None, "looks outside its list"
        except Exception as error:
            number = table.column(ROW)[index].as_py()
            what = f"row {number} of {self.shown}: {type(error).__name__}: {error}"
            raise SourceError(where.problem(what, "guard the expression, or drop such rows")) from error

    def _count(self, reason: str | None) -> None:
        if reason:
            self.dropped[reason] += 1


def _nested(table: pa.Table, steps: list[str]) -> Any:
    """The column at a path, null where anything on the way is."""
    column = table.column(steps[0])
    return pc.struct_field(column, steps[1:]) if len(steps) > 1 else column
