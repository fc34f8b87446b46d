"""The dialect of templates: what they may do, what they print, and all that a hostile one may not."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanmix.render import environment, tracing
from flanmix.render.environment import (
    BadTemplate,
    NullPrinted,
    OutsideList,
    compile_expression,
    compile_template,
    is_expression,
    line_of_name,
)
from flanmix.render.limits import MAX_OUTPUT
from flanmix.render.tracing import Run, trace

ROW: dict[str, Any] = {
    "s": "abc",
    "n": 3,
    "f": 0.5,
    "b": True,
    "l": ["x", "y"],
    "d": {"k": "v", "items": "I", "deep": [{"q": 1}]},
    "none": None,
    "empty": "",
}


def render(text: str, **row: Any) -> str:
    return compile_template(text).render(row or ROW)


# ---- printing


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", ""),
        ("no names", "no names"),
        ("{{ s }} {{ n }} {{ f }} {{ b }}", "abc 3 0.5 True"),
        ("{{ l }} {{ d.deep }}", "['x', 'y'] [{'q': 1}]"),
        ("{{ empty }}|", "|"),
        ("  {{ s }}\n\n", "  abc\n\n"),
        ("{{ s | upper }}{{ s.title() }}{{ s[0] }}{{ s[-1] }}", "ABCAbcac"),
        ("{{ l[1] }}{{ l.0 }}{{ l | join(', ') }}{{ l[1:] }}", "yxx, y['y']"),
        ("{{ d.k }}{{ d['items'] }}{{ d.deep[0].q }}", "vI1"),
        ("{% for x in l %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "1x,2y"),
        ("{% for x in l %}{{ loop.length }}{{ loop.revindex }}{% else %}-{% endfor %}", "2221"),
        ("{% for x in [] %}{{ x }}{% else %}nothing{% endfor %}", "nothing"),
        ("{% for k, v in d.deep[0].items() %}{{ k }}={{ v }}{% endfor %}", "q=1"),
        ("{% if n > 2 %}many{% else %}few{% endif %}", "many"),
        ("{% set t = s ~ n %}{{ t }}", "abc3"),
        ("{% set ns = namespace(c=0) %}{% for x in l %}{% set ns.c = ns.c + 1 %}{% endfor %}{{ ns.c }}", "2"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(s) }}", "<abc>"),
        ("{{ s ~ n ~ f ~ b ~ l }}", "abc30.5True['x', 'y']"),
        ("{{ 'yes' if b }}{{ 'no' if not b }}", "yes"),
        ("{{ [s, 'z'] | sort(reverse=true) | join }}", "zabc"),
        ("{{ '%s of %s' | format(n, s) }} {{ '{:>5}'.format(s) }}", "3 of abc   abc"),
        ("{{ 7 // 2 }} {{ 7 % 2 }} {{ 2 ** 10 }} {{ 'ab' * 2 }} {{ [1] + [2] }}", "3 1 1024 abab [1, 2]"),
        ("{# nothing #}{{ '{{ raw }}' }}{% raw %}{{ s }}{% endraw %}", "{{ raw }}{{ s }}"),
        ("{{ '<b>' }}{{ '<b>' | e }}", "<b>&lt;b&gt;"),
    ],
)
def test_what_a_template_prints(text: str, printed: str) -> None:
    assert render(text) == printed


def test_nothing_in_the_data_is_ever_run() -> None:
    assert render("{{ a }}{{ [a] | join }}", a="{{ 7 * 7 }}{% for %}{#") == "{{ 7 * 7 }}{% for %}{#" * 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_printed_as_it_is(text: str) -> None:
    assert render("{{ a }}", a=text) == text
    assert render("<{{ a ~ '' }}>{% for x in [a] %}{{ x }}{% endfor %}", a=text) == f"<{text}>{text}"


@pytest.mark.parametrize("name", ["range", "dict", "namespace", "loop", "context", "environment", "result", "counted"])
def test_a_column_may_be_called_as_something_that_jinja_knows(name: str) -> None:
    assert render(f"{{{{ {name} }}}}", **{name: "x"}) == "x"
    assert compile_expression(f"{{{{ {name} }}}}").evaluate({name: "x"}) == "x"


# ---- nulls

PRINTS_NULL = [
    "{{ none }}",
    "{{ a }}",
    "before {{ a }} after",
    "{{ 'x' ~ a }}",
    "{{ [s, a] | join(' ') }}",
    "{{ [{'k': a}] | join(' ', attribute='k') }}",
    "{{ a | upper }}",
    "{{ a | string }}",
    "{{ a | trim }}",
    "{{ a | e }}",
    "{{ a | replace('N', 'n') }}",
    "{{ l.append('z') }}",
    "{% for x in [a] %}{{ x }}{% endfor %}",
    "{% set x = a %}{{ x }}",
    "{{ a | default('d') }}",
]
PRINTS_NONE = [
    ("{{ a or 'd' }}", "d"),
    ("{{ a | default('d', true) }}", "d"),
    ("{{ 'd' if a is none else a }}", "d"),
    ("{% if a %}{{ a }}{% else %}d{% endif %}", "d"),
    ("{{ a == 'x' }}", "False"),
    ("{{ 'None' }}", "None"),
    ("{{ [a, 'd'] | select | join }}", "d"),
]


@pytest.mark.parametrize("text", PRINTS_NULL)
def test_a_null_is_never_printed_as_a_word(text: str) -> None:
    with pytest.raises(NullPrinted):
        render(text, a=None, s="x", l=[])


@pytest.mark.parametrize(("text", "printed"), PRINTS_NONE)
def test_a_template_may_say_what_stands_for_a_null(text: str, printed: str) -> None:
    assert render(text, a=None) == printed


# ---- what is not there


@pytest.mark.parametrize(
    "text", ["{{ l[2] }}", "{{ l[-1] }}", "{{ l[n] }}", "{{ l.5 }}", "{{ l[none] }}", "{{ (1,)[1] }}"]
)
def test_a_number_outside_a_list_is_not_another_of_its_items(text: str) -> None:
    with pytest.raises(OutsideList):
        render(text)


@pytest.mark.parametrize(
    "text",
    ["{{ zz }}", "{{ d.zz }}", "{{ d['zz'] }}", "{{ s[9] }}", "{{ [] | first }}", "{{ [d.zz] }}", "{{ zz + 1 }}",
     "{% for x in zz %}{% endfor %}", "{% if zz %}{% endif %}", "{{ d.deep | map(attribute='zz') | list }}"],
)  # fmt: skip
def test_what_is_not_defined_is_an_error_and_not_nothing(text: str) -> None:
    with pytest.raises(Exception, match=r"undefined|no attribute|no element|No first item"):
        render(text)


@pytest.mark.parametrize(
    "text",
    ["{{ s.upper }}", "{{ d.items }}", "{{ l | map('upper') }}", "{{ l | unique }}", "{{ range }}",
     "{% macro m() %}{% endmacro %}{{ m }}", "{{ s ~ s.upper }}"],
)  # fmt: skip
def test_what_prints_otherwise_on_every_run_is_refused(text: str) -> None:
    with pytest.raises(TypeError, match="would be printed"):
        render(text)


# ---- text that is no template


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("{{ a", 1, "unexpected end of template", None),
        ("x\n{% if a %}\ny", 2, "Unexpected end of template", None),
        ("x\n\n{{ a | uper }}", 3, "No filter named 'uper'", "did you mean 'upper'?"),
        ("{{ a is nome }}", 1, "No test named 'nome'", "did you mean 'none'?"),
        ("x\n{% include 'y' %}", 2, "'include' is not allowed", None),
        ("{% import 'y' as z %}", 1, "'import' is not allowed", None),
        ("{% from 'y' import z %}", 1, "'fromimport' is not allowed", None),
        ("{% extends 'y' %}", 1, "'extends' is not allowed", None),
        ("{% block b %}{% endblock %}", 1, "'block' is not allowed", None),
        ("x\n{{ a.__class__ }}", 2, "the attribute '__class__' is private", None),
        ("{{ self }}", 1, "'self' is a name of Jinja's own", "map the column to another name"),
        ("{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}", 1, "is nested too deeply", None),
        ("{{ " + "a+" * 5000 + "a }}", 1, "is nested too deeply", None),
        ("{{ a | random }}", 1, "No filter named 'random'", None),
    ],
)
def test_bad_text_is_told_with_its_line(text: str, line: int, what: str, hint: str | None) -> None:
    with pytest.raises(BadTemplate) as caught:
        compile_template(text)
    assert caught.value.line == line
    assert caught.value.what.startswith(what)
    assert hint is None or caught.value.hint == hint


def test_the_names_that_a_text_reads_are_known_before_it_runs() -> None:
    text = "{{ a }}{% for x in b %}{{ x }}{{ loop.index }}{% endfor %}{% set y = c %}{{ y }}{{ d.e | f if g is h }}"
    assert compile_template(text.replace("| f ", "| e ").replace("is h", "is none")).variables == set("abcdg")
    assert compile_template("{{ range(n) | list }}").variables == {"range", "n"}


def test_the_line_where_a_name_is_first_used_is_known() -> None:
    assert line_of_name("a word\n{# a #}\n{{ b }}\n{{ b or a }}\n{{ a }}", "a") == 4


# ---- expressions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ n + 1 }}", 4),
        ("{{ [s, n] }}", ["abc", 3]),
        ("{{ n > 2 }}", True),
        ("{{ none }}", None),
        ("{{ d }}", ROW["d"]),
        ("{{ {'a': n}['a'] }}", 3),
        ("{{- s -}}", "abc"),
        ("{{ 'text' }}", "text"),
    ],
)
def test_an_expression_keeps_the_type_of_its_value(text: str, value: object) -> None:
    found = compile_expression(text).evaluate(ROW)
    assert found == value
    assert type(found) is type(value)
    assert is_expression(text)


@pytest.mark.parametrize("text", ["", "x", "{{ a }} ", "{{ a }}{{ b }}", "{% if a %}{% endif %}", "x == 1", "{# a #}"])
def test_what_is_not_one_expression_is_refused(text: str) -> None:
    assert not is_expression(text)
    with pytest.raises(BadTemplate, match=r"is not one '\{\{ expression \}\}'"):
        compile_expression(text)


def test_an_expression_over_what_is_not_there_is_an_error() -> None:
    with pytest.raises(Exception, match="'dict object' has no attribute 'zz'"):
        compile_expression("{{ d.zz }}").evaluate(ROW)


# ---- purity


def test_a_template_cannot_change_its_row() -> None:
    row = {"l": ["x"], "d": {"k": ["y"]}}
    text = "{% if l.append('z') or d.k.append('z') or d.update({'new': 1}) %}{% endif %}{{ l }}{{ d }}"
    first = compile_template(text).render(row)
    assert first == "['x', 'z']{'k': ['y', 'z'], 'new': 1}"
    assert compile_template(text).render(row) == first
    assert "".join(run.text for run in trace(text, row)) == first
    compile_expression("{{ l.pop() }}").evaluate(row)
    assert row == {"l": ["x"], "d": {"k": ["y"]}}


DIGEST = """
from flanmix.render.environment import compile_template
text = "{{ [s, 'b', 'a'] | unique | sort | join }}  {{ {'z': 1, 'a': 2} | dictsort }} {{ l | groupby('k') | list }}"
print(compile_template(text).render({"s": "z", "d": {"k": 1}, "l": [{"k": 2}, {"k": 1}]}))
"""


def test_the_text_is_the_same_in_every_process() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", DIGEST], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != b""


# ---- hostile templates

REACHING_OUT = [
    "{{ s.__class__ }}",
    "{{ s['__class__'] }}",
    "{{ s | attr('__class__') }}",
    "{{ s | attr('__cla' ~ 'ss__') }}",
    "{{ ().__class__.__base__.__subclasses__() }}",
    "{{ [].__class__.__mro__[1] }}",
    "{{ dict.mro() }}",
    "{{ dict['__subclasses__']()[0] }}",
    "{{ '{0.__class__}'.format(s) }}",
    "{{ '{a.__class__}'.format_map({'a': s}) }}",
    "{% set f = '{0.__class__.__base__}'.format %}{{ f(s) }}",
    "{{ ['{0.__class__}'] | map('attr', 'format') | first | string }}",
    "{{ l | map(attribute='__class__') | list }}",
    "{{ l | map('attr', '__class__') | list }}",
    "{{ l | groupby('__class__') | list }}",
    "{{ l | sum(attribute='__class__') }}",
    "{{ l | selectattr('__class__') | list }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__globals__ }}",
    "{{ s.upper.__self__ }}",
    "{{ (s | string).__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self['_TemplateReference__context'] }}",
    "{% for x in l %}{{ loop._iterable }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ __import__('os') }}",
    "{{ open('/etc/passwd') }}",
    "{{ eval('1') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends s %}",
    "{{ _self }}",
    "{{ s.encode().decode.__self__ }}",
    "{{ (n).from_bytes }}",
    "{{ ''.maketrans('a', 'b') }}",
]


@pytest.mark.parametrize("text", REACHING_OUT)
def test_a_template_reaches_nothing_but_its_row(text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, nothing is rendered
        render(text)


GREEDY = [
    "{{ range(10 ** 9) | list | length }}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 10 ** 9 * 'a' }}",
    "{{ [0] * 10 ** 9 }}",
    "{{ (0,) * 10 ** 9 }}",
    "{{ 2 ** 99999 }}",
    "{{ ((9 ** 999) ** 999) ** 999 }}",
    "{% set ns = namespace(x=9) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set x = [1] %}{% for i in range(99) %}{% if x.extend(x) %}{% endif %}{% endfor %}",
    "{{ '%999999999d' % n }}",
    "{{ '%999999999d' | format(n) }}",
    "{{ '%*d' | format(999999999, n) }}",
    "{{ '%.999999999f' | format(f) }}",
    "{{ '{:999999999}'.format(n) }}",
    "{{ '{:{}}'.format(n, 999999999) }}",
    "{{ '{x:999999999}'.format_map({'x': n}) }}",
    "{{ s | center(999999999) | length }}",
    "{{ s.center(999999999) | length }}",
    "{{ s.ljust(999999999) | length }}",
    "{{ s.rjust(999999999) | length }}",
    "{{ s.zfill(999999999) | length }}",
    "{{ '\t'.expandtabs(999999999) | length }}",
    "{{ n.to_bytes(999999999, 'big') | length }}",
    "{{ s | indent(999999999, true) | length }}",
    "{{ [1] | tojson(indent=999999999) | length }}",
    "{{ [1] | batch(999999999, 0) | list | length }}",
    "{{ [1] | slice(999999999) | list | length }}",
    "{{ 1.5 | round(999999999, 'ceil') }}",
    "{{ s | wordwrap(1, wrapstring='x' * 999999) | length }}",
    "{{ ('a' * 999999) | replace('a', 'b' * 999999) | length }}",
    "{{ ('a' * 999999).replace('a', 'b' * 999999) | length }}",
    "{{ ('b' * 999999).join(['a'] * 999999) | length }}",
    "{{ (['a'] * 999999) | join('b' * 999999) | length }}",
    "{{ 'a'.translate({97: 'b' * 999999}) | length }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}xxxxxxxx{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% set x %}{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}{% endset %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
]


@pytest.mark.parametrize("text", GREEDY)
def test_a_template_gets_no_more_than_a_little_memory_and_time(text: str) -> None:
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, nothing is rendered
        render(text)
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB; the least of these asks for GiB


def test_a_text_may_be_long_but_not_endless() -> None:
    assert len(render("{{ a }}", a="x" * MAX_OUTPUT)) == MAX_OUTPUT
    with pytest.raises(Exception, match="more than 4,000,000 characters"):
        render("{{ a }}", a="x" * (MAX_OUTPUT + 1))


def test_only_one_module_makes_sandboxes() -> None:
    package = Path(environment.__file__).parents[1]
    made = [file.name for file in package.rglob("*.py") if "SandboxedEnvironment" in file.read_text(encoding="utf-8")]
    assert made == ["environment.py"]


# ---- tracing

TRACED = [
    ("Q: {{ q }}", [("Q: ", ()), ("Why?", ("q",))]),
    ("{{ q }}{{ a }}", [("Why?", ("q",)), ("Because.", ("a",))]),
    ("{{ q ~ a }}", [("Why?Because.", ("a", "q"))]),
    ("{{ q | upper }}!", [("WHY?", ("q",)), ("!", ())]),
    ("{% if a %}yes {{ q }}{% endif %}", [("yes ", ()), ("Why?", ("q",))]),
    ("{% for x in l %}{{ loop.index }}{{ x }}{% endfor %}", [("1", ()), ("u", ("l",)), ("2", ()), ("v", ("l",))]),
    ("{% set t = q %}{{ t }}", [("Why?", ("q",))]),
    ("{% set ns = namespace(t='') %}{% set ns.t = q %}{{ ns.t }}", [("Why?", ("q",))]),
    ("{% for x in l %}{% set y = x %}{{ y }}{% endfor %}", [("u", ("l",)), ("v", ("l",))]),
    ("{{ range(2) | join }}", [("01", ())]),
    ("{{ empty }}x", [("x", ())]),
    ("{{ q | length }}", [("4", ("q",))]),
]
TRACE_ROW = {"q": "Why?", "a": "Because.", "l": ["u", "v"], "empty": ""}


@pytest.mark.parametrize(("text", "runs"), TRACED)
def test_a_trace_says_which_fields_each_stretch_came_from(text: str, runs: list[tuple[str, tuple[str, ...]]]) -> None:
    assert trace(text, TRACE_ROW) == tuple(Run(*run) for run in runs)


MARK = st.sampled_from([tracing._MARK, "\x1a", "+q", "-", "x", "\n"])


@given(st.lists(st.sampled_from([text for text, _ in TRACED])), st.lists(MARK).map("".join), st.text())
def test_the_stretches_are_always_the_whole_text(texts: list[str], q: str, a: str) -> None:
    row = {**TRACE_ROW, "q": q, "a": a}
    text = "".join(texts)
    assert "".join(run.text for run in trace(text, row)) == compile_template(text).render(row)


def test_what_cannot_be_marked_is_one_stretch_of_the_right_text() -> None:
    text = "{% set t %}{{ q }}{% endset %}{{ t | length }}"
    assert trace(text, TRACE_ROW) == (Run("4"),)


@pytest.mark.parametrize("text", ["{{ none }}", "{{ 'x' ~ none }}"])
def test_a_trace_refuses_what_rendering_refuses(text: str) -> None:
    with pytest.raises(NullPrinted):
        trace(text, TRACE_ROW)
