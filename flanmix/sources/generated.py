"""Rows from a seeded generator, made block by block."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanmix import generators
from flanmix.canonical import canonical_json
from flanmix.errors import SourceError, did_you_mean
from flanmix.generators import GENERATORS, generate
from flanmix.sources.memory import table_of_rows
from flanmix.sources.rows import Rows, bounded, digest_of_files, fit, merge_schemas, normal_schema
from flanmix.spec import GeneratorSource

_BLOCK = 8192


def open_generator(source: GeneratorSource, split: str) -> Rows:
    """Open a generator; raises `SourceError`. Of a user's function, only all rows tell the identity."""
    if split != "train":
        raise SourceError(f"a generator has no split '{split}'", hint="it is 'train'")
    name, function = _function(source.generator)

    def block(start: int) -> pa.Table:
        rows = range(start, min(start + _BLOCK, source.rows))
        try:
            return table_of_rows(list(generate(function, name, source.seed, rows, source.args)))
        except (TypeError, ValueError) as error:
            raise SourceError(f"generator '{name}': {error}", hint="look at its 'args'") from error

    schema = normal_schema(block(0).schema)

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, source.rows, _BLOCK):
            table = block(start)
            merge_schemas(schema, normal_schema(table.schema), f"generator '{name}'")
            yield from (fit(batch, schema) for batch in table.to_batches())

    identity = None if callable(source.generator) else _identity(source)
    return Rows(f"generator '{name}'", identity, schema, lambda: bounded(batches()))


def _identity(source: GeneratorSource) -> str:
    """A bundled generator's rows are a function of its options and of the code of the package."""
    options = canonical_json([source.generator, source.rows, source.seed, source.args])
    return digest_of_files(sorted(Path(generators.__path__[0]).glob("*.py")), options)


def _function(generator: Any) -> tuple[str, Callable[..., Any]]:
    if callable(generator):
        return getattr(generator, "__qualname__", type(generator).__name__), generator
    if generator not in GENERATORS:
        hint = did_you_mean(str(generator), GENERATORS) or f"there are {', '.join(sorted(GENERATORS))}"
        raise SourceError(f"no generator is called '{generator}'", hint=hint)
    return generator, GENERATORS[generator]
