"""Templates by a grammar and tables for them, made by whatever picks one of several things: Hypothesis or `random`."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from flanmix.spec import Template

# ---- tables

Pick: TypeAlias = Callable[[Sequence[Any]], Any]
Maker: TypeAlias = Callable[[Pick], Any]
WORDS = [
    "",
    "a",
    "B c",
    " x\t",
    "|",
    "||",
    "|||",
    "a|||b",
    "é",
    "ß",
    "İi",
    "ǆ",
    "e\u0301",
    "\u0301",
    "\u2028q\x85",
    "ΣΑΣ",
]
WORDS += [
    "\x1f \u00a0z\u3000",
    "1",
    "-2",
    "1.5",
    "1e3",
    "nan",
    "٣",
    "²",
    "line\nline",
    "cr\r\nlf\r",
    "yes, no",
    "\0",
    "ŉ",
]
WORDS += [
    "<b>&'\"",
    "{{ t }}",
    "{% x %}",
    "%s",
    "{0}",
    "None",
    "a b c d e f g",
    "AbC",
    "3ed2dface",
    "x" * 30,
    "😀 k",
    "ﬁ\u200b",
]
INTEGERS = [0, 1, -1, 2, 10, 2**40, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, 0.5, -2.5, 1e-7, 1e20, float("nan"), float("inf"), 1 / 3]
TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.dictionary(pa.int8(), pa.int32())]


def one_of(*items: Any) -> Maker:
    return lambda pick: pick(items)


def several(maker: Maker, most: int = 3) -> Maker:
    return lambda pick: [maker(pick) for _ in range(pick(range(most + 1)))]


def fields(**makers: Maker) -> Maker:
    return lambda pick: {name: maker(pick) for name, maker in makers.items()}


WORD, SMALL, SIGNED = one_of(*WORDS), one_of(0, 1, 2, 3, 0, 1, 5, 127), one_of(0, 1, 2, -1, -2, 3, -3, 100)
FLOAT, TRUTH, WORD_OR_NULL = one_of(*FLOATS), one_of(False, True), one_of(*WORDS, None, None, None)
OTHERS: list[tuple[pa.DataType, Maker]] = [
    (pa.string(), WORD),
    (pa.int64(), one_of(*INTEGERS)),
    (pa.uint64(), one_of(0, 1, 2**64 - 1)),
    (pa.float64(), FLOAT),
    (pa.bool_(), TRUTH),
    (pa.null(), one_of(None)),
    (pa.date32(), one_of(date(1970, 1, 2), date(2024, 2, 29))),
    (pa.timestamp("us"), one_of(datetime(2020, 1, 1), datetime(1999, 12, 31, 23, 59, 59, 7))),
    (pa.timestamp("ms", "UTC"), one_of(datetime(2020, 1, 1, 5, tzinfo=UTC))),
    (pa.decimal128(9, 2), one_of(Decimal("1.50"), Decimal("-0.01"), Decimal("0.00"))),
    (pa.decimal32(5, 1), one_of(Decimal("1.5"))),
    (pa.duration("s"), one_of(timedelta(hours=3))),
    (pa.time64("us"), one_of(time(3, 4, 5))),
    (pa.month_day_nano_interval(), one_of((1, 2, 3))),
    (pa.binary(), one_of(b"", b"x\xff")),
    (pa.float16(), one_of(np.float16(0.5), np.float16(-0.0))),
    (pa.float32(), FLOAT),
    (pa.uuid(), one_of(b"0123456789abcdef")),
    (pa.json_(), one_of("{}", '["|||"]')),
    (pa.map_(pa.string(), pa.int8()), one_of([("k", 1), ("l", None)], [])),
    (pa.list_(pa.int8(), 2), one_of([1, 2], [0, 0])),
    (pa.list_(pa.null()), one_of([], [None])),
    (pa.list_(pa.list_(pa.string())), several(several(WORD_OR_NULL, 2), 2)),
    (pa.list_(pa.dictionary(pa.int8(), pa.string())), several(WORD)),
    (pa.list_(pa.bool_()), several(TRUTH)),
    (pa.list_(pa.float64()), several(FLOAT)),
]
ANSWER = {
    "text": pa.list_(pa.string()),
    "answer_start": pa.list_(pa.int32()),
    "items": pa.string(),
    "score": pa.float64(),
}
PAIR = pa.struct({"k": pa.string(), "n": pa.int16(), "keys": pa.bool_()})
PAIRED = fields(k=WORD, n=one_of(0, 1, None, 2), keys=TRUTH)
COLUMNS: dict[str, list[tuple[pa.DataType, Maker]]] = {
    "t": [(kind, WORD) for kind in TEXTS],
    "u": [(kind, WORD) for kind in TEXTS],
    "n": [(kind, SMALL) for kind in WHOLE],
    "m": [(kind, SIGNED) for kind in WHOLE[:4]],
    "f": [(pa.float64(), FLOAT)],
    "b": [(pa.bool_(), TRUTH)],
    "l": [(pa.list_(pa.string()), several(WORD)), (pa.large_list(pa.large_string()), several(WORD_OR_NULL))],
    "k": [(pa.list_(kind), several(SIGNED)) for kind in (pa.int8(), pa.int64(), pa.float32())],
    "d": [
        (pa.struct(ANSWER), fields(text=several(WORD), answer_start=several(SMALL), items=WORD, score=FLOAT)),
        (
            pa.struct(ANSWER),
            fields(text=one_of(None, [None, "x"]), answer_start=several(SMALL), items=WORD, score=FLOAT),
        ),
    ],
    "p": [(pa.list_(PAIR), several(PAIRED))],
    "q": [(PAIR, PAIRED)],
    "o": OTHERS,
    "range": [(pa.int8(), SMALL)],
    "loop": [(PAIR, PAIRED)],
    "fm_block": [(pa.string(), WORD)],
    "fm_0": [(pa.string(), WORD)],
}
RARE = ("range", "loop", "fm_block", "fm_0")
"""Columns with names that Jinja or flanmix use: not in all tables, as they hide what Jinja gives."""


def table_for(pick: Pick, template: Template) -> pa.Table:
    """A table of the columns that a template names, in chunks, with nulls or without, a slice of a longer one."""
    rows, nulls, rare = pick(range(7)), pick((0, 0, 0, 1, 3)), pick((False, False, True))
    used = set(re.findall(r"\w+", f"{template.jinja} {template.input} {template.answer_choices} t"))
    columns = {}
    for name in sorted(COLUMNS.keys() & used):
        if name in RARE and not rare:
            continue
        kind, maker = pick(COLUMNS[name])
        few = [None if pick(range(10)) < nulls else maker(pick) for _ in range(min(rows, 3))]
        columns[name] = array_of([pick(few) for _ in range(rows)], kind)
    table, cut = pa.table(columns), pick(range(rows + 1))
    chunks = pa.concat_tables([table.slice(0, cut), table.slice(cut)]) if pick((False, True)) else table
    return chunks.slice(pick((0, 0, 1)))


def array_of(items: list[Any], kind: pa.DataType) -> pa.Array:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(items, kind.storage_type))
    return pa.array(items, kind)


# ---- templates: a grammar whose first alternatives are the simplest

GRAMMAR: dict[str, list[str]] = {
    "body": [
        "<piece>", "<piece><body>", "<piece><body>",
    ],
    "piece": [
        "word ", "{{ <text> }}", "|||", " || ", "|", "\n", "{{ <any> }}", "{{ <any> }}", "{{ <bool> }}",
        "{{ <number> }}", "{{- <any> }} ", " {{ <any> -}}\n x", "{# note #}", "{{ <list> }}", "{{ <gen> | list }}",
        "{% if <any> %}<body>{% endif %}", "{% if <bool> -%} <body> {%- else %}<body>{% endif %}",
        "{% if <bool> %}<body>{% elif <any> %}<body>{% else %}<body>{% endif %}",
        "{% for x in <items> %}<body>{{ x }}{% endfor %}",
        "{% for x in <items> %}<body>,{% else %}<body>{% endfor %}",
        "{% for x in <items> if <bool> %}{{ loop.index }}{{ x }}<body>{% endfor %}",
        "{% for x in <items> if x %}{{ x }}{{ ', ' if not loop.last }}{% endfor %}",
        "{% for x, y in <pairs> %}{{ x }}{{ y }}<body>{% endfor %}", "{% for t in l %}{{ t }}{% endfor %}{{ t }}",
        "{% for x in <items> %}{% for y in <items> %}{{ x }}{{ loop.<loop> }}{% endfor %}{{ loop.<loop> }}{% endfor %}",
        "{% for x in l %}{% for y in k if loop.first %}{{ y }}{% else %}{{ loop.<loop> }}{% endfor %}{% endfor %}",
        "{% for x in <items> %}{% set y = x %}<body>{{ y }}{% endfor %}{{ y }}", "{% set <name> = <any> %}",
        "{% set <name> = <any> %}{{ <name> }}", "{% set x, y = <text>, <any> %}{{ y }}",
        "{% set <name> %}<body>{% endset %}", "{% set x %}<body>{% endset %}{{ x | trim }}",
        "{% with x = <any>, y = x %}<body>{% endwith %}", "{% filter <textual> %}<body>{% endfilter %}",
        "{% if <bool> %}{% set x = <any> %}{% endif %}{{ x }}", "{% raw %}{{ t }}{% endraw %}",
        "{% if <bool> %}{% set y = <text> %}{% else %}{% set x = <text> %}{% endif %}<body>",
        "{% set x, y = <items> %}{{ x }}",
    ],
    "name": [
        "x", "y", "t", "n", "b", "l",
    ],
    "loop": [
        "index", "index0", "first", "last", "length", "revindex", "revindex0",
    ],
    "any": [
        "<text>", "<number>", "<bool>", "<list>", "<leaf>", "<leaf>", "<any> if <bool> else <any>", "<any> if <bool>",
        "<any> or <any>", "<any> and <any>", "(<any>)", "[<any>, <any>][<number>]", "<any> | default(<any>)",
        "{'a': <any>, 'b': 2}[<text>]", "{1: 'i', true: 'b', 'k': <any>}[<any>]", "<list> | <picked>",
        "<any> | default(<any>, true)", "{'a': <any>}", "(<any>, <any>)[1]", "<list>[<number>]",
    ],
    "leaf": [
        "t", "n", "f", "b", "l", "k", "d", "q", "p", "o", "x", "y", "zz", "none", "d.text", "d.items", "d['items']",
        "d.score", "d.answer_start[0]", "d.text[0]", "q.k", "q.n", "q['keys']", "q.keys", "q.zz", "p[0]", "p[0].k",
        "p.0.n", "q[t]", "l.0", "l[-1]", "k[n]", "l[m]", "d['text'][n]", "range", "fm_0", "fm_block", "loop", "zz.zz",
        "t.zz", "o.zz", "o[0]", "q.items()",
    ],
    "text": [
        "t", "u", "'x'", "'<word>'", "<text> | <textual>", "<text> | <textual>", "<text>.<method>", "<any> ~ <any>",
        "<text> + <text>", "<text>[<slice>]", "<text>[<number>]", "<text> if <bool> else <text>", "q.k", "d['items']",
        "<text>.split(<sep>)[<number>]", "<any> | string", "<list> | join(<sep>)", "<list> | join",
        "<gen> | join(', ')", "['a', 'b', t][<number>]", "['no', 'yes'][<number>]", "['no', 'yes'][b]", "<any> | e",
        "(<text> | e) + <text>", "'%s-%s' | format(<any>, <any>)", "'{}{:>4}'.format(<any>, <text>)",
        "<any> | tojson", "<sep>.join(<list>)", "<text> or <text>", "<text> * 2", "(<any> | tojson) ~ <text>",
        "<list> | map('string') | join('|||')",
    ],
    "textual": [
        "upper", "lower", "trim", "capitalize", "title", "length | string", "replace('a', 'b')", "replace('|', 'I')",
        "replace(<sep>, u)", "replace('l', '\\\\1')", "truncate(5)", "truncate(3, true, '')", "wordwrap(3)",
        "center(9)", "indent(2)", "indent(1, true)", "e", "striptags", "urlencode", "default('?')", "d('?', true)",
        "reverse", "string", "wordcount | string", "escape", "forceescape", "safe", "trim('ab')", "first", "last",
        "replace('a', 'bb', 1)", "upper | lower", "replace('', '-')", "filesizeformat",
    ],
    "method": [
        "upper()", "lower()", "strip()", "strip('a ')", "title()", "capitalize()", "replace('a', 'b')",
        "replace(<sep>, t)", "swapcase()", "rstrip()", "lstrip('|')", "zfill(4)", "center(6, '*')", "casefold()",
        "ljust(4)", "removeprefix('a')", "partition(' ')[0]", "split()[0]", "split(' ')[0]", "splitlines()[0]",
        "rsplit('|', 1)[-1]", "replace('a', 'b', 1)", "format(t)",
    ],
    "slice": [
        ":2", "1:", "::-1", "<number>:", ":<number>", "-2:", "::2",
    ],
    "sep": [
        "' '", "','", "'|'", "'a'", "'|||'", "'\\n'", "'b c'", "'aa'", "'.'",
    ],
    "word": [
        "a", "1", "|", "|||", "é", " ", "yes", "", "B c", "aXa", "k", "text",
    ],
    "number": [
        "n", "0", "1", "m", "-1", "<number> + <number>", "<number> * <number>", "<number> - 1", "<text> | length",
        "<list> | length", "<number> // <number>", "<number> / <number>", "<number> % <number>", "-<number>",
        "<text> | int", "<any> | int(7)", "<any> | float", "<number> | round(1)", "<number> | abs", "k | sum",
        "2 ** <number>", "q.n", "<text>.find('a')", "<text>.count('a')", "k[0]", "d.answer_start | first",
        "d.text | count", "f", "9223372036854775807 + n", "range(n) | length", "<text>.index('a')", "<any> | int",
    ],
    "bool": [
        "b", "<text> == <text>", "<number> > <number>", "not <any>", "<any> == <any>", "<text> in <text>",
        "<text> == '<word>'", "<number> == 1", "<number> < 2 < <number>", "<any> is none", "<any> is defined",
        "<any> is not none", "<any> is string", "<any> is number", "<number> is odd", "<any> is iterable",
        "<any> in <list>", "<text> not in ['a', '1', 'B c']", "<any> != <any>", "<bool> and <bool>",
        "<bool> or <bool>", "<text>.startswith('<word>')", "<text>.endswith('|')", "<text> != 'a'",
        "<any> is sameas <any>", "x is defined", "<any> is sameas none", "<any> is mapping", "'<word>' in t",
        "<number> >= 2", "<number> is divisibleby 2", "<any> is undefined", "1 in <list>", "<any> is true",
        "<text> <= <text>", "<text>.isdigit()", "<bool> == true", "<text> is lower", "none == <any>", "zz is defined",
        "<any> is eq <any>", "<any> is in <list>", "m != n", "t == u", "t < u < 'x'", "n is none",
        "zz is defined and zz == 1",
    ],
    "list": [
        "l", "k", "[<any>, <any>]", "d.text", "<text>.split(<sep>)", "<list> + <list>", "<list>[<slice>]",
        "<gen> | list", "<list> | sort", "<list> | sort(reverse=true)", "<list> | unique | list",
        "<list> | reverse | list", "(<any>, <any>)", "[]", "<text> | list", "range(<number>) | list",
        "p | map(attribute='k') | list", "answer_choices", "l | batch(2) | list", "l | batch(2, 'x') | list",
        "k | slice(2) | list", "q | dictsort", "<text>.split()", "zip(l, k) | list", "<list> * 2", "<list> or <list>",
        "p | selectattr('keys') | list", "q.items() | list", "p | groupby('n') | list", "<text>.splitlines()",
        "d.text if d.text else l", "q.values() | list",
    ],
    "gen": [
        "l | map('upper')", "<list> | select", "<list> | reject('none')", "<list> | map('string')",
        "<list> | select('string')", "l | reject('equalto', t)", "p | map(attribute='n')", "l | unique",
        "p | rejectattr('n', 'none') | map(attribute='k')", "zip(l, k)", "<list> | reverse", "k | select('gt', n)",
        "l | map('replace', 'a', u)", "p | selectattr('n', 'eq', 1) | map(attribute='k', default='z')",
        "<list> | map('length')", "l | map('default', t)",
    ],
    "items": [
        "l", "k", "<list>", "<gen>", "p", "range(<number>)", "<text>", "q", "<any>", "[<any>]", "['a', 'b']",
    ],
    "pairs": [
        "zip(l, k)", "q.items()", "[(<any>, <any>)]", "d.items()", "l | batch(2)", "['ab', 'cd']", "<list>",
        "q | dictsort", "p | groupby('k')", "zip(<list>, <items>)",
    ],
    "picked": [
        "first", "last", "length", "sort | first", "max", "min", "sum", "list", "join('-')", "tojson",
    ],
}  # fmt: skip
CHOICES = [
    "no ||| yes",
    "{{ l | join('|||') }}",
    "a|||{{ t }}|||{{ n }}",
    "{{ t }}",
    "A ||| |||",
    "{{ k | join(' ||| ') }}",
]
DIALECT = {
    "text": [
        "answer_choices[n]",
        "answer_choices[m]",
        "answer_choices | join(', ')",
        "(<list> | choice)",
        "[t, u] | choice",
    ],
    "any": ["<list> | most_frequent", "answer_choices[b]", "[1, 'b'] | choice", "<list> | random"],
}
HOLE = re.compile(r"<(\w+)>")


def expanded(pick: Pick, symbol: str, depth: int, extra: Mapping[str, list[str]]) -> str:
    """A text of the grammar: deep down, of an alternative without further symbols where there is one."""
    alternatives = GRAMMAR[symbol] + extra.get(symbol, [])
    if depth <= 0:
        alternatives = [each for each in alternatives if not HOLE.search(each)] or alternatives[:1]
    return HOLE.sub(lambda hole: grouped(hole[1], expanded(pick, hole[1], depth - 1, extra)), pick(alternatives))


def grouped(symbol: str, text: str) -> str:
    compound = symbol in ("any", "text", "number", "bool", "list", "gen") and not re.fullmatch(r"[\w.]+|'[^']*'", text)
    return f"({text})" if compound else text


def native(pick: Pick) -> Template:
    return Template("t", input=expanded(pick, "body", pick((2, 3, 4)), {}), target="{{ t }}")


def dialect(pick: Pick) -> Template:
    jinja, choices = expanded(pick, "body", pick((2, 3, 4)), DIALECT), pick((None, *CHOICES))
    return Template("t", dialect="promptsource", jinja=jinja, answer_choices=choices, truncate=pick(range(10)) == 9)
