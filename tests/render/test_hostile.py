"""Hostile templates: refused or harmless, quickly and in little memory, in both dialects and on both engines alike."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flanmix.check import refuse_problems
from flanmix.errors import TemplateError
from flanmix.registry import load_registry
from flanmix.render import Engine, NotColumnar, RowError, render, render_text
from flanmix.render.environment import BadTemplate, compile_expression
from flanmix.render.limits import MAX_OUTPUT, MAX_STEPS
from flanmix.spec import Dialect, Template

ROWS = 12
DIALECTS: list[Dialect] = ["native", "promptsource"]


def table() -> pa.Table:
    """Rows with texts, numbers, lists, fields, a text of 20,000 letters, and data that looks like Jinja."""
    return pa.table(
        {
            "t": [f"row {n}" for n in range(ROWS)],
            "n": list(range(ROWS)),
            "f": [0.5] * ROWS,
            "l": [["x", f"y{n}"] for n in range(ROWS)],
            "d": [{"k": "v", "items": "i", "text": [str(n)]} for n in range(ROWS)],
            "long": ["a" * 20_000 + str(n) for n in range(ROWS)],
            "jinja": ["{{ 7 * 7 }}{% for %}{{ t.__class__ }}"] * ROWS,
        }
    )


def template(text: str, dialect: Dialect) -> Template:
    if dialect == "native":
        return Template("hostile", input=text, target="x")
    return Template("hostile", dialect="promptsource", jinja=text)


GREEDY = [
    "{{ range(10 ** 9) | list | length }}",
    "{% for i in range(10 ** 9) %}x{% endfor %}",
    "{{ range(n, 10 ** 9) | length }}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 10 ** 9 * t }}",
    "{{ [t] * 10 ** 9 }}",
    "{{ (n,) * 10 ** 9 }}",
    "{{ 2 ** 99999 }}",
    "{{ ((9 ** 999) ** 999) ** (n + 999) }}",
    "{{ 7 ** (7 ** (7 ** 7)) }}",
    "{% set a = 9 ** 999 %}{% set a = a * a %}{% set a = a * a %}{% set a = a * a %}{% set a = a * a %}"
    "{% set a = a * a %}{% set a = a * a %}{{ a * a * a * a }}",
    "{{ '%99999999d' | format(n) }}",
    "{{ '%*d' | format(99999999, n) }}",
    "{{ '%.99999999f' | format(f) }}",
    "{{ '%(a)99999999s' | format(a=t) }}",
    "{{ '{:99999999}'.format(n) }}",
    "{{ '{:{}}'.format(n, 99999999) }}",
    "{{ '{0:>{1}}'.format(t, 99999999) }}",
    "{{ t | center(999999999) }}",
    "{{ t.center(999999999) }}",
    "{{ t.ljust(999999999) }}",
    "{{ t.rjust(width=999999999) }}",
    "{{ t.zfill(999999999) }}",
    "{{ '\t'.expandtabs(999999999) }}",
    "{{ t | indent(999999999, true) }}",
    "{{ l | tojson(indent=999999999) }}",
    "{{ l | batch(999999999, 0) | list }}",
    "{{ l | slice(999999999) | list }}",
    "{{ f | round(999999999, 'ceil') }}",
    "{{ long | wordwrap(1, wrapstring='x' * 99999) }}",
    "{{ long | replace('a', 'b' * 99999) }}",
    "{{ long | replace('', 'b' * 99999) }}",
    "{{ long.replace('a', 'b' * 99999) }}",
    "{{ ('b' * 999999).join(range(99999) | map('string') | list) }}",
    "{{ range(99999) | join('b' * 999999) }}",
    "{{ t.translate({114: 'b' * 999999}) }}",
    "{{ n.to_bytes(999999999, 'big') }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}xxxxxxxx{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) if j > n %}{{ loop.index }}{% endfor %}{% endfor %}",
    "{% for a in long %}{% for b in long %}{% for c in long %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for i in range(2000) %}{{ long }}{% endfor %}",
    "{% for i in range(2000) %}{{ long | upper }}{% endfor %}",
    "{% for i in range(2000) %}{{ long ~ i }}{% endfor %}",
    "{% for i in range(99999) %}" + "w" * 20_000 + "{% endfor %}",
    "{% for i in range(99999) %}{{ 'w' * 999999 }}{% endfor %}",
    "{% for i in range(2000) %}{% set x = long + long %}{{ x }}{% endfor %}",
    "{% for i in range(2000) %}{% if i is odd %}{{ long }}{% else %}{{ t }}{% endif %}{% endfor %}",
    "{% for i in range(2000) %}{{ ['w' * 999999, long][i % 2] }}{% endfor %}",
    "{% set x %}{% for i in range(99999) %}{{ long }}{% endfor %}{% endset %}{{ x | length }}",
    "{% filter upper %}{% for i in range(99999) %}{{ long }}{% endfor %}{% endfilter %}",
    "{% set x = long %}" + "{% set x = x + x %}" * 30 + "{{ x }}",
    "{% set x = long %}" + "{% set x = x ~ x %}" * 30 + "{{ x }}",
    "{% set x = [n] %}" + "{% set x = x + x %}" * 40 + "{{ x | length }}",
    "{% set x = [n] %}" + "{% set x = [x, x, x, x, x, x, x, x] %}" * 12 + "{{ x }}",
    "{% set x = [n] %}" + "{% set x = [x, x, x, x, x, x, x, x] %}" * 12 + "{{ x | tojson }}",
    "{% set x = [n] %}{% for i in range(99) %}{% if x.extend(x) %}{% endif %}{% endfor %}",
    "{% set ns = namespace(x=t) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=9 + n) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for x in [[[[[1]]]]] * 9 recursive %}{{ loop([x] * 9) }}{% endfor %}",
    "{{ range(99999) | map('string') | map('center', 99999) | join }}",
    "{{ long | list | map('replace', 'a', 'b' * 99999) | join }}",
    "{{ long | urlize }}" + "{{ long | urlencode }}" * 300,
]
"""Templates that ask for more than they may have: the least of them for some hundred MB a row, or minutes."""

PRIVATE = [
    "{{ t.__class__ }}",
    "{{ t['__class__'] }}",
    "{{ t | attr('__class__') }}",
    "{{ t | attr('__cla' ~ 'ss__') }}",
    "{{ t[['__', 'class', '__'] | join] }}",
    "{{ ().__class__.__base__.__subclasses__() }}",
    "{{ [].__class__.__mro__[1] }}",
    "{{ dict.mro() }}",
    "{{ '{0.__class__}'.format(t) }}",
    "{{ '{0.__class__.__mro__}'.format(n) }}",
    "{{ '{a.__class__}'.format_map({'a': t}) }}",
    "{{ '{0[__class__]}'.format(t) }}",
    "{% set f = '{0.__class__.__base__}'.format %}{{ f(t) }}",
    "{{ ['{0.__class__}'] | map('attr', 'format') | first | string }}",
    "{{ l | map(attribute='__class__') | list }}",
    "{{ l | map('attr', '__class__') | list }}",
    "{{ l | groupby('__class__') | list }}",
    "{{ l | sum(attribute='__class__') }}",
    "{{ l | selectattr('__class__') | list }}",
    "{{ l | rejectattr('__class__.__name__', 'eq', 'str') | list }}",
    "{{ l | sort(attribute='__class__') }}",
    "{{ l | join(',', attribute='__class__') }}",
    "{{ l | unique(attribute='__class__') | list }}",
    "{{ l | max(attribute='__class__') }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner['__init__']['__globals__'] }}",
    "{{ lipsum.__globals__ }}",
    "{{ range.__globals__ }}",
    "{{ zip['__class__'] }}",
    "{{ t.upper.__self__ }}",
    "{{ (t | e).__html__.__func__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self['_TemplateReference__context'] }}",
    "{% for x in l %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in l %}{{ loop['__class__'] }}{% endfor %}",
    "{% for x in l %}{{ loop._iterable }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m['_func'].__globals__ }}",
    "{{ open('/etc/passwd') }}",
    "{{ __import__('os') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% extends t %}",
    "{% block b %}{% endblock %}",
]
"""Templates that reach for what is not in their row."""

HARMLESS = [
    ("{{ jinja }}{{ [jinja] | join }}", "{{ 7 * 7 }}{% for %}{{ t.__class__ }}" * 2),
    ("{{ jinja | e }}", "{{ 7 * 7 }}{% for %}{{ t.__class__ }}"),
    ("{{ '%s' | format(jinja) }}{{ '{}'.format(jinja) }}", "{{ 7 * 7 }}{% for %}{{ t.__class__ }}" * 2),
    ("{{ dict['__subclasses__']() }}", "{}"),  # a type with an argument, no attribute
    ("{{ '__class__' in t }}{{ '__class__' }}", "False__class__"),
    ("{{ {'__class__': 1}['__class__'] }}", "1"),
    ("{{ d['items'] }}{{ d.k }}", "iv"),
    ("{{ (t * 1000)[:3] }}", "row"),
    ("{% for i in range(99999) %}{% if i == n %}{{ i - n }}{% endif %}{% endfor %}", "0"),
    ("{% set x = [n] %}" + "{% set x = [x, x, x, x, x, x, x, x] %}" * 12 + "{{ x | length }}", "8"),
]
"""Templates that look hostile, and what they print of each row."""

SCRIPT = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
sys.path.insert(0, sys.argv[1])
from test_hostile import outcomes
for found in outcomes(json.load(sys.stdin), sys.argv[2]):
    print(json.dumps(found), flush=True)
"""


def outcomes(texts: list[str], dialect: Any) -> Any:
    """What each engine makes of each template over all rows: the kind of its failure with what is told, or a text."""
    rows = table()
    engines: tuple[Engine, ...] = ("auto", "columns", "rows")
    for text in texts:
        found = {}
        for engine in engines:
            try:
                made = render(template(text, dialect), rows, engine=engine)
                found[engine] = ["made", str(made.column(0).to_pylist())[:2000]]
            except (BadTemplate, NotColumnar, RowError) as error:
                found[engine] = [
                    type(error).__name__,
                    getattr(error, "line", getattr(error, "index", None)),
                    str(error),
                ]
        yield found


def run(texts: list[str], dialect: Dialect) -> list[dict[str, Any]]:
    """The outcomes in a process of their own, with a limit of time and of memory."""
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), dialect]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, timeout=300)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(texts), f"{texts[len(found)]} ended the process: {done.stderr[-2000:]}"
    return found


# ---- refused, by every engine


def assert_refused(found: dict[str, Any], text: str) -> None:
    """Both engines refuse: the text with its line when it is compiled, or the row that asked for too much."""
    assert found["auto"] == found["rows"], text
    kind, where, what = found["rows"]
    assert (kind, found["columns"][0]) in {("BadTemplate", "BadTemplate"), ("RowError", "NotColumnar")}, (text, found)
    assert where == (1 if kind == "BadTemplate" else 0)
    assert what


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_asks_for_too_much_is_refused_by_every_engine(dialect: Dialect) -> None:
    for text, found in zip(GREEDY, run(GREEDY, dialect), strict=True):
        assert_refused(found, text)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_reaches_out_of_its_row_is_refused_by_every_engine(dialect: Dialect) -> None:
    for text, found in zip(PRIVATE, outcomes(PRIVATE, dialect), strict=True):
        assert_refused(found, text)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("text", "printed"), HARMLESS)
def test_what_only_looks_hostile_prints_what_it_says(text: str, printed: str, dialect: Dialect) -> None:
    (found,) = outcomes([text], dialect)
    assert (
        found["auto"] == found["rows"] == ["made", str([printed if dialect == "native" else [printed]] * ROWS)[:2000]]
    )
    assert found["columns"] == found["rows"] or found["columns"][0] == "NotColumnar"


@pytest.mark.parametrize(
    "text", [text for text in GREEDY[:36] + PRIVATE if text.startswith("{{") and "self" not in text]
)
def test_expressions_are_refused_as_texts_are(text: str) -> None:
    row = table().slice(0, 1).to_pylist()[0]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each raises its own
        str(compile_expression(text).evaluate(row)).encode().index(b"<")
    assert not isinstance(caught.value, MemoryError)


# ---- limits of one row

ENGINES: list[Engine] = ["auto", "columns", "rows"]


@pytest.mark.parametrize("engine", ["auto", "rows"])
@pytest.mark.parametrize(
    "text", ["{{ a }}{{ a }}{{ b }}", "{% for i in [1, 2] %}{{ a }}{% endfor %}{{ b }}", "{{ a ~ a ~ b }}"]
)
def test_one_text_too_long_is_told_with_its_row(text: str, engine: Engine) -> None:
    half = "\u00e9" * (MAX_OUTPUT // 2)
    rows = pa.table({"a": ["", half, half], "b": ["b", "", "b"]})
    assert len(render_text(text, rows.slice(0, 2), engine=engine)[1].as_py()) == MAX_OUTPUT
    with pytest.raises(RowError, match="4,000,000") as caught:
        render_text(text, rows, engine=engine)
    assert caught.value.index == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_rounds_of_loops_are_counted_over_a_whole_text(engine: Engine) -> None:
    once = "{% for i in range(n) %}{% for j in range(1000) %}{% endfor %}{% endfor %}"
    text = once + "{% for i in range(n) %}{% endfor %}"
    rows = pa.table({"n": [1, MAX_STEPS // 1002, MAX_STEPS // 1002 + 1]})
    assert render_text(text, rows.slice(0, 2), engine=engine).to_pylist() == ["", ""]
    with pytest.raises((RowError, NotColumnar), match="1,000,000 rounds") as caught:
        render_text(text, rows, engine=engine)
    assert engine == "columns" or (isinstance(caught.value, RowError) and caught.value.index == 2)


MEMORY = """
import resource, sys
import pyarrow as pa
from flanmix.render import render_text
rows = pa.table({"a": ["x" * 1_000_000 + str(n) for n in range(10)], "n": list(range(10))})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for text in sys.argv[1:]:
    assert render_text(text, rows)[9].as_py() in ("1000010", "x" * 999)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
MULTIPLYING = [
    "{% for i in range(999) %}{{ a[i] }}{% endfor %}",
    "{% for i in range(999) %}{{ (a | upper)[i] | lower }}{% endfor %}",
    "{% for i in range(999) %}{% if a[i] == 'x' %}{{ a[:1] }}{% endif %}{% endfor %}",
    "{% set x %}{{ a }}{{ a[:9] }}{% endset %}{{ x | length }}",
]


def test_a_loop_over_many_megabytes_takes_little_memory() -> None:
    command = [sys.executable, "-c", MEMORY, *MULTIPLYING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert int(done.stdout) < 2_000  # of the 10,000 MB that each would take flattened as it stands


@pytest.mark.parametrize("engine", ["auto", "rows"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_half_a_character_is_told_with_its_row(dialect: Dialect, engine: Engine) -> None:
    with pytest.raises(RowError, match="surrogates not allowed") as caught:
        render(template("{{ '%c' | format(n) }}", dialect), pa.table({"n": [33, 0xD800]}), engine=engine)
    assert caught.value.index == 1


# ---- what users are told


@pytest.mark.parametrize("key", ["input", "jinja"])
def test_a_hostile_template_is_told_with_its_file_and_line(tmp_path: Path, key: str) -> None:
    rest = {"input": "      target: x\n", "jinja": "      dialect: promptsource\n"}[key]
    text = f"task: toy\ntype: nli\nsource: {{files: x.csv}}\ntemplates:\n  add:\n    - name: bad\n      {key}: |-\n"
    (tmp_path / "toy.yaml").write_text(
        f"{text}        fine ||| x\n        {{{{ t.__class__ }}}}\n{rest}", encoding="utf-8"
    )
    with pytest.raises(TemplateError) as caught:
        refuse_problems(load_registry(tmp_path, bundled=False, plugins=False).tasks.values())
    (problem,) = caught.value.problems
    assert (
        str(problem)
        .replace(f"{tmp_path}/", "")
        .startswith(f"toy.yaml:9: templates.add[0].{key}: the attribute '__class__' is private")
    )
