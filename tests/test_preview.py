"""What a preview shows, and what it never lets through.

The golden files are rewritten by `FLANMIX_WRITE_GOLDEN=1 pytest tests/test_preview.py`; look at them before you commit.
"""

import io
import os
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

import flanmix as fm
from flanmix.bound import BoundTask
from flanmix.errors import SourceError, TemplateError, UsageError
from flanmix.preview import Card, Preview, Turn, card, preview, terminal, visible
from flanmix.registry import Registry
from flanmix.render.tracing import Run
from flanmix.spec import Task, Template

GOLDEN = Path(__file__).parent / "golden"
ASK = Template("ask", input="Q: {{ q }}", target="{{ a }}", tags=["options"])
TELL = Template("tell", input="{{ a }}?", target="{{ q }}")


def _task(rows: Sequence[dict[str, Any]], *templates: Template, **more: Any) -> BoundTask:
    task = Task("toy/task", type="nli", source=list(rows), templates=list(templates), **more)
    return Registry().with_specs(task)["toy/task"]


def _card(row: dict[str, Any], text: str = "{{ q }}", target: str = "{{ a }}") -> Card:
    task = _task([{}], Template("ask", input=text, target=target))
    return card(task, task.templates[0], {"a": "yes"} | row, fm_row=7)


def _show(text: str) -> Preview:
    """A preview of a card whose input is `text`, from the field `q`."""
    return Preview((_card({"q": text}),))


def _numbers(shown: Preview) -> list[int]:
    return [card.fm_row for card in shown.cards]


class _Page(HTMLParser):
    """Reads a page: `elements` are (tag, attributes, text inside); checks that everything is closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, "an element is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(len(self.elements))
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self.elements[index][2].append(data)

    def texts(self, tag: str, kind: str | None = None) -> list[str]:
        """The texts of the elements of that tag, and of that class."""
        return ["".join(text) for name, attrs, text in self.elements if name == tag and _is(attrs, kind)]

    def pieces(self, pre: int) -> list[tuple[str, str]]:
        """Kind and text of each piece of the `pre`-th text on the page."""
        starts = [index for index, element in enumerate(self.elements) if element[0] == "pre"]
        found = []
        for tag, attrs, text in self.elements[starts[pre] + 1 :]:
            if tag != "span":
                break
            found.append(((attrs["class"] or "").split()[0].removeprefix("flanmix-"), "".join(text)))
        return found


def _is(attrs: dict[str, str | None], kind: str | None) -> bool:
    return kind is None or f"flanmix-{kind}" in (attrs.get("class") or "").split()


def _page(shown: Preview) -> _Page:
    return _Page(shown._repr_html_())


def _visible(text: str) -> str:
    """A text as its card shows it, with symbols, without the number and the note after it."""
    return "".join(piece for kind, piece in _page(_show(text)).pieces(0) if kind not in ("number", "note"))


def _back(pieces: list[tuple[str, str]]) -> str:
    """The text that is shown by these pieces."""
    symbols = {symbol: char for char, symbol in visible.SYMBOLS.items()}

    def char(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else symbols[match[0]]

    pattern = re.compile("⟨U\\+([0-9A-F]+)⟩|" + "|".join(map(re.escape, symbols)))
    shown = [(kind, text) for kind, text in pieces if kind not in ("number", "note")]
    return "".join(pattern.sub(char, text) if kind == "mark" else text for kind, text in shown)


def _terminal(shown: Preview, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor", _environ={})
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _without_style(output: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", output)


class TestWhichCards:
    rows = tuple({"q": f"q{number}", "a": f"a{number}"} for number in range(10))

    def test_one_for_each_row_and_template_by_rows_then_templates(self) -> None:
        shown = preview(_task(self.rows, ASK, TELL), rows=[4, 2])
        assert [(card.fm_row, card.template) for card in shown.cards] == [
            (4, "ask"),
            (4, "tell"),
            (2, "ask"),
            (2, "tell"),
        ]
        assert len(shown) == 4
        assert not shown.notes

    def test_a_card_says_all_there_is_to_say(self) -> None:
        (shown,) = preview(_task(self.rows, ASK), rows=[3]).cards
        assert (shown.task, shown.type, shown.template, shown.tags) == ("toy/task", "nli", "ask", ("options",))
        assert [turn.role for turn in shown.turns] == ["Input", "Target"]
        assert shown.turns[0].runs == (Run("Q: "), Run("q3", ("q",)))
        assert [turn.text for turn in shown.turns] == ["Q: q3", "a3"]

    @pytest.mark.parametrize(
        ("rows", "numbers"), [(1, [5]), (2, [2, 7]), (3, [1, 5, 8]), (10, list(range(10))), (99, list(range(10)))]
    )
    def test_rows_are_spread_over_the_usable_ones(self, rows: int, numbers: list[int]) -> None:
        assert _numbers(preview(_task(self.rows, ASK), rows=rows)) == numbers

    def test_rows_are_numbered_as_in_the_source_and_dropped_ones_are_told(self) -> None:
        task = _task(self.rows, ASK, fields={"q": "q", "a": "a"}, drop="{{ q in ['q0', 'q1'] }}")
        shown = preview(task, rows=2)
        assert _numbers(shown) == [4, 8]
        assert shown.notes == ("2 of 10 rows dropped: drop rule",)

    def test_a_row_is_asked_for_once(self) -> None:
        assert _numbers(preview(_task(self.rows, ASK), rows=[9, 9, 0])) == [9, 0]
        assert _numbers(preview(_task(self.rows, ASK), rows=range(2))) == [0, 1]

    def test_templates_are_shown_in_the_order_asked_for(self) -> None:
        shown = preview(_task(self.rows, ASK, TELL), rows=1, templates=["tell", "ask"])
        assert [card.template for card in shown.cards] == ["tell", "ask"]
        assert [card.template for card in preview(_task(self.rows, ASK, TELL), rows=1, templates="tell").cards] == [
            "tell"
        ]

    def test_only_templates_that_serve_a_row_are_shown_with_it(self) -> None:
        guarded = Template("late", input="{{ q }}", target="{{ a }}", when="{{ q == 'q9' }}")
        shown = preview(_task(self.rows, ASK, guarded), rows=[0, 9])
        assert [(card.fm_row, card.template) for card in shown.cards] == [(0, "ask"), (9, "ask"), (9, "late")]

    def test_a_template_without_a_card_says_where_it_could_be_seen(self) -> None:
        late = Template("late", input="{{ q }}", target="{{ a }}", when="{{ q == 'q9' }}")
        never = Template("never", input="{{ q }}", target="{{ a }}", when="{{ q == 'x' }}")
        shown = preview(_task(self.rows, ASK, late, never), rows=[0])
        assert shown.notes == (
            "No card for late: it serves none of these rows, but row 9 for one",
            "No card for never: it serves no usable row",
        )
        assert all(note in _page(shown).texts("p") for note in shown.notes)
        assert all(note in str(shown) for note in shown.notes)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"rows": 0}, "a preview of no rows shows nothing - ask for one or more"),
            ({"rows": -1}, "a preview of no rows shows nothing - ask for one or more"),
            ({"rows": []}, "a preview of no rows shows nothing - ask for one or more"),
            ({"rows": [3, 10]}, "toy/task has no usable row 10 - there are 10, from 0 to 9"),
            ({"rows": [-1]}, "toy/task has no usable row -1 - there are 10, from 0 to 9"),
            ({"templates": ["aks"]}, "toy/task has no template 'aks' - did you mean 'ask'?"),
            ({"templates": ["nothing/like/it"]}, "toy/task has no template 'nothing/like/it' - there are ask, tell"),
        ],
    )
    def test_what_is_not_there_is_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError) as refused:
            preview(_task(self.rows, ASK, TELL), **options)
        assert str(refused.value) == message

    def test_a_task_that_cannot_be_prepared_is_refused_with_its_own_error(self) -> None:
        with pytest.raises(TemplateError, match="unexpected"):
            preview(_task(self.rows, Template("bad", input="{{ q", target="x")))
        with pytest.raises(SourceError, match="no column 'w'"):
            preview(_task(self.rows, Template("bad", input="{{ w }}", target="x")))
        with pytest.raises(SourceError, match="test"):
            preview(_task(self.rows, ASK), split="test")


class TestWhatCannotBeUsed:
    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ("{{ n }}", "No text: the template prints a null here, so a build leaves this row out."),
            ("{{ ['a'][1] }}", "No text: the template looks outside a list here, so a build leaves this row out."),
            ("{{ e }}", "Empty: a build leaves this row out."),
            ("{{ e }} \n", "Blank: a build leaves this row out."),
        ],
    )
    def test_a_null_or_an_empty_text_is_noted(self, target: str, problem: str) -> None:
        shown = _card({"q": "x", "n": None, "e": ""}, target=target)
        assert shown.turns[0].problem is None
        assert shown.turns[1].problem == problem
        assert problem in _page(Preview((shown,))).texts("pre")[1]
        assert problem in str(Preview((shown,)))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{{ nowhere }}", "'nowhere' is undefined"),
            ("{{ q + 1 }}", "can only concatenate str"),
            ("{{ 'x' * 9999999 }}", "'*' would make more than 1,000,000 items"),
            ("{{ q", "unexpected end of template"),
        ],
    )
    def test_a_template_that_fails_says_so_on_its_card(self, text: str, words: str) -> None:
        shown = _card({"q": "x", "label": 2}, text=text)
        assert shown.turns[0].problem is not None
        assert shown.turns[0].problem.startswith(
            "The template fails on this row, where a build would stop. task toy/task"
        )
        assert "templates.add[0].input: " in shown.turns[0].problem
        assert words in shown.turns[0].problem
        assert shown.turns[1].text == "yes"
        assert words in "".join(_page(Preview((shown,))).texts("pre"))

    def test_one_failing_template_does_not_hide_the_others(self) -> None:
        bad = Template("bad", input="{{ ['a'][label] }}", target="x")
        shown = preview(_task([{"q": "q", "a": "a", "label": 1}], bad, ASK))
        assert [card.turns[0].problem is None for card in shown.cards] == [False, True]


class TestFields:
    def test_loop_variables_and_helpers_are_no_fields(self) -> None:
        shown = _card(
            {"q": ["x", "y"]}, text="{% for c in q %}{{ loop.index }}{{ c }}{% endfor %}{{ range(3) | list }}"
        )
        assert [(run.text, run.fields) for run in shown.turns[0].runs if run.fields] == [("x", ("q",)), ("y", ("q",))]

    def test_a_column_called_as_a_helper_is_a_field_only_where_it_is_read(self) -> None:
        row = {"q": ["x"], "loop": "o", "range": "g", "c": "other", "t": "other"}
        text = "{% for c in q %}{{ loop.index }}{{ c }}{% set t = c %}{{ t }}{% endfor %}"
        assert _card(row, text=text).turns[0].runs == (Run("1"), Run("x", ("q",)), Run("x", ("q",)))
        assert _card(row, text="{{ range }}{{ loop }}").turns[0].runs == (Run("g", ("range",)), Run("o", ("loop",)))

    def test_a_field_that_is_given_a_new_value_stays_that_field(self) -> None:
        shown = _card({"q": " x "}, text="{% set q = q | trim %}{{ q }}")
        assert shown.turns[0].runs == (Run("x", ("q",)),)

    def test_a_field_has_its_title_number_and_colour_wherever_it_stands(self) -> None:
        shown = preview(_task([{"q": "one", "a": "two"}, {"q": "three", "a": "four"}], ASK, TELL))
        assert shown.fields == ["q", "a"]
        page = _page(shown)
        seen: dict[str, set[str | None]] = {}
        for _, attrs, _ in page.elements:
            if _is(attrs, "value"):
                seen.setdefault(attrs["title"] or "", set()).add(attrs["class"])
        assert seen == {"field: q": {"flanmix-value flanmix-c0"}, "field: a": {"flanmix-value flanmix-c1"}}
        assert page.pieces(0) == [("text", "Q: "), ("value", "one"), ("number", "¹")]
        assert page.pieces(2) == [("value", "two"), ("number", "²"), ("text", "?")]

    def test_colours_in_a_terminal_are_those_of_the_legend(self) -> None:
        output = _terminal(preview(_task([{"q": "one", "a": "two"}], ASK, TELL)))
        red, green, blue = (int(terminal.COLOURS[1][at : at + 2], 16) for at in (1, 3, 5))
        assert f"\x1b[4;38;2;{red};{green};{blue}mtwo\x1b[0m" in output
        assert f"\x1b[4;38;2;{red};{green};{blue}ma\x1b[0m" in output

    def test_the_legend_names_every_field_and_every_symbol(self) -> None:
        shown = _show("two  spaces,\ta tab\r\n\u202e")
        legend = [" ".join(text.split()) for text in _page(shown).texts("p")[:2]]
        assert legend[0] == "Fields: q¹ a²"
        assert legend[1] == "Symbols: · space → tab ↵ carriage return ⟨U+202E⟩ right-to-left override"
        assert "Fields:  q¹  a²" in str(shown)

    def test_what_comes_from_two_fields_says_so(self) -> None:
        shown = Preview((_card({"q": ["x", "y"], "a": 1}, text="{{ q[a] }}", target="{{ a }}"),))
        page = _page(shown)
        assert page.pieces(0) == [("value", "y"), ("number", "¹⁺²")]
        assert [attrs["title"] for _, attrs, text in page.elements if text == ["y"]] == ["field: a and q"]

    def test_there_may_be_more_fields_than_colours(self) -> None:
        names = [f"f{number}" for number in range(12)]
        text = "".join(f"{{{{ {name} }}}}" for name in names)
        shown = Preview((_card(dict.fromkeys(names, "x"), text=text),))
        assert len({attrs["class"] for _, attrs, _ in _page(shown).elements if _is(attrs, "value")}) == 8
        assert _page(shown).pieces(0)[-1] == ("number", "¹²")
        assert "¹²" in _terminal(shown)


class TestWhitespace:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("one two\nthree\n\nfour", "one two\nthree\n\nfour"),
            ("a  b", "a··b"),
            ("end \nend \r\nend ", "end·\nend·↵\nend·"),
            (" start", "·start"),
            ("a\tb", "a→   b"),
            ("\n\na\n", "¶\n¶\na¶\n"),
            ("a\n\n\nb", "a¶\n¶\n¶\nb"),
            ("a\rb", "a↵b"),
            ("a\xa0b\u3000c", "a⍽b▭c"),
            ("a\u200bb\ufeffc\xadd", "a⟨U+200B⟩b⟨U+FEFF⟩c⟨U+00AD⟩d"),
            ("a\u2003b\u2028c\u2800d", "a⟨U+2003⟩b⟨U+2028⟩c⟨U+2800⟩d"),
            ("\x00\x07\x1b[31m\x7f\x85", "⟨U+0000⟩⟨U+0007⟩⟨U+001B⟩[31m⟨U+007F⟩⟨U+0085⟩"),
            ("\u202eabc\u2066\u200f", "⟨U+202E⟩abc⟨U+2066⟩⟨U+200F⟩"),
            ("\U000e0041", "⟨U+E0041⟩"),
            ("\ud800", "⟨U+D800⟩"),
            (" \n\t", "·¶\n→   "),
        ],
    )
    def test_what_costs_tokens_and_is_not_seen_is_made_visible(self, text: str, shown: str) -> None:
        assert _visible(text) == shown

    @pytest.mark.parametrize("text", ["می\u200cشود", "क्\u200dष", "👩\u200d👩\u200d👧", "❤\ufe0f", "日本語"])
    def test_what_scripts_and_emoji_need_stays_as_it_is(self, text: str) -> None:
        assert _visible(text) == text
        assert text in _without_style(_terminal(_show(text)))

    @pytest.mark.parametrize("text", ["a\u200db", "\u200cا", "ا\u200d\u200dا", "ا\u200d"])
    def test_a_joiner_with_nothing_to_join_is_shown(self, text: str) -> None:
        assert "⟨U+200" in _visible(text)

    def test_spaces_are_seen_together_wherever_they_come_from(self) -> None:
        page = _page(Preview((_card({"q": "end "}, text="{{ q }} and {{ q }}\n{{ q }}"),)))
        assert [shown for kind, shown in page.pieces(0) if kind == "mark"] == ["·", "·", "·", "·"]

    def test_symbols_are_marked_so_that_the_same_characters_in_the_data_are_told_apart(self) -> None:
        assert _page(_show("· ¶ →  x")).pieces(0)[:2] == [("value", "· ¶ →"), ("mark", "··")]
        assert "\x1b[7;38;2;40;119;204m··\x1b[0m" in _terminal(_show("a  b"))


class TestClipping:
    def test_a_long_value_keeps_its_ends_and_says_what_is_hidden(self) -> None:
        text = "".join(chr(0x4E00 + number) for number in range(10_000))
        shown = Preview((_card({"q": text}, text="Read {{ q }} then answer."),))
        head, tail = visible.HEAD, visible.TAIL
        assert _page(shown).pieces(0) == [
            ("text", "Read "),
            ("value", text[:head]),
            ("note", f" … {10_000 - head - tail:,} characters not shown … "),
            ("value", text[-tail:]),
            ("number", "¹"),
            ("text", " then answer."),
        ]
        assert shown.cards[0].turns[0].text == f"Read {text} then answer.", "the data is whole"
        assert "10,018 characters" in _page(shown).texts("figcaption")[0]
        assert "9,400 characters not shown" in str(shown)

    def test_a_text_of_ordinary_length_is_shown_whole(self) -> None:
        text = "x" * visible.MAX_RUN
        assert _visible(text) == text

    def test_a_text_of_very_many_values_is_cut(self) -> None:
        shown = Preview((_card({"q": list("ab" * 50_000)}, text="{% for c in q %}{{ c }}{% endfor %}"),))
        assert _page(shown).pieces(0)[-1] == ("note", f" … {100_000 - visible.MAX_TEXT - 1:,} characters not shown")
        assert len(shown._repr_html_()) < 1_200_000

    def test_whitespace_beside_a_cut_is_judged_by_what_is_hidden_too(self) -> None:
        text = "x" * (visible.HEAD - 1) + " y" + "z" * 1000
        assert not [shown for kind, shown in _page(_show(text)).pieces(0) if kind == "mark"]


NASTY = [
    "<script>alert(1)</script>",
    "</pre></style><!-- <img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp; &#27; \"quoted\" 'single'",
    "\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\ \x9b31m",
    "[bold]markup[/bold] [link=x]y[/link] :smile: [/]",
    "\u202egnol\u2066 \u200e\u061c",
    "{{ q }} {% raw %} ${x} %s {0}",
]


def _texts() -> st.SearchStrategy[str]:
    """Any text, and text with much of what is special to somebody."""
    bits = st.sampled_from([*NASTY, " ", "  ", "\n", "\t", "\r\n", "·", "¶", "⟨U+0041⟩", "<", "&", "\u200d", "é"])
    return st.text(max_size=60) | st.lists(bits | st.text(max_size=3), max_size=12).map("".join)


class TestNothingRaw:
    @given(text=_texts(), other=_texts())
    @example(text=" ".join(NASTY), other="\ud800")
    def test_the_page_gives_the_text_back_and_nothing_of_it_is_markup(self, text: str, other: str) -> None:
        shown = Preview((_card({"q": text, "a": other}, text="<i>{{ q }}&{{ a }}</i>\n{{ q }}", target="{{ a }}"),))
        html = shown._repr_html_()
        page = _Page(html)
        for turn, side in enumerate(shown.cards[0].turns):
            assert _back(page.pieces(turn)) == side.text
        assert shown.cards[0].turns[0].text == f"<i>{text}&{other}</i>\n{text}"
        for tag, attrs, _ in page.elements:
            assert tag in {"div", "style", "h3", "h4", "p", "article", "figure", "figcaption", "b", "pre", "span"}
            assert attrs.keys() <= {"class", "title", "dir"}
        assert html.count("<") == 2 * len(page.elements), "every '<' begins or ends an element of the page's own"
        assert all(char.isprintable() or char in "\n\u200c\u200d" for char in html)

    @given(text=_texts())
    @example(text=" ".join(NASTY))
    def test_a_terminal_gets_no_control_character_and_reads_no_markup(self, text: str) -> None:
        shown = _show(text)
        for output in (_without_style(_terminal(shown)), str(shown)):
            assert all(char.isprintable() or char in "\n\u200c\u200d" for char in output)

    @pytest.mark.parametrize("text", NASTY[4:])
    def test_rich_markup_and_template_syntax_in_data_are_words(self, text: str) -> None:
        shown = _without_style(_terminal(_show(text)))
        assert re.sub("⟨U\\+[0-9A-F]+⟩", "", text.encode("ascii", "ignore").decode()) in re.sub(
            "⟨U\\+[0-9A-F]+⟩", "", shown
        )

    def test_names_notes_and_errors_are_no_more_trusted_than_the_data(self) -> None:
        turns = (Turn("Input", (), "<u>\x1b]8;;x"), Turn("Target", (Run("x", ("<i>\u202e",)),)))
        shown = Preview((Card("<a>\x1b", "<s>", "<q>[bold]", ("<tt>\u202e",), 0, turns),), ("<em>\x1b",))
        html = shown._repr_html_()
        assert not re.search("<(a|s|q|tt|em|u|i)>|\x1b|\u202e", html)
        output = _without_style(_terminal(shown))
        assert "<q>[bold] · <a>⟨U+001B⟩ · <s> · row 0 · <tt>⟨U+202E⟩" in output
        assert all(char.isprintable() or char == "\n" for char in output)


class TestPage:
    @pytest.fixture
    def html(self) -> str:
        return preview(_task([{"q": "one", "a": "two"}], ASK, TELL))._repr_html_()

    def test_it_stands_alone(self, html: str) -> None:
        assert html.count("<style>") == 1
        assert not re.search(r"<script|<link|<img|@import|url\(|https?:|javascript:|\son\w+=", html)

    def test_its_styles_touch_nothing_else_in_a_notebook(self, html: str) -> None:
        (style,) = _Page(html).texts("style")
        for rule in filter(str.strip, re.sub(r"\{[^}]*\}", "\0", style).split("\0")):
            assert all(".flanmix" in selector for selector in re.sub(r":is\([^)]*\)", "", rule).split(",")), rule
        for _, attrs, _ in _Page(html).elements:
            assert all(name.startswith("flanmix") for name in (attrs.get("class") or "flanmix").split())

    def test_it_has_headings_and_labelled_texts(self, html: str) -> None:
        page = _Page(html)
        assert page.texts("h3") == ["Preview of toy/task"]
        assert page.texts("h4") == ["ask", "tell"]
        sizes = ["Input  6 characters", "Target  3 characters", "Input  4 characters", "Target  3 characters"]
        assert page.texts("figcaption") == sizes
        assert len(page.texts("article")) == 2

    def test_colour_is_not_the_only_cue(self, html: str) -> None:
        (style,) = _Page(html).texts("style")
        assert "text-decoration: underline" in style
        assert all(attrs.get("title") for _, attrs, _ in _Page(html).elements if _is(attrs, "value"))

    def test_notebooks_say_whether_it_is_light_or_dark(self, html: str) -> None:
        for sign in ("[data-jp-theme-light=false]", ".vscode-dark", "[theme=dark]", "[data-theme=dark]"):
            assert sign in html
        assert "color-scheme: light dark" in html

    def test_nothing_to_show_is_said(self) -> None:
        assert _page(Preview(())).texts("h3") == ["Preview of nothing"]
        assert len(Preview(())) == 0

    def test_every_text_has_enough_contrast(self, html: str) -> None:
        (style,) = _Page(html).texts("style")
        for theme in (0, 1):
            ink, soft, well = (_colour(style, f"--{name}:", theme) for name in ("ink", "soft", "well"))
            page = _colour(style, "background:", theme)
            mark = _colour(style, "mark { color: var(--ink); background:", theme)
            note = _colour(style, "note { color:", theme)
            pairs = [(ink, page), (ink, well), (ink, mark), (soft, page), (note, well), (note, page)]
            for number in range(8):
                hue = _colour(style, f"-c{number} {{ --hue:", theme)
                pairs += [(hue, _mixed(hue, well)), (hue, _mixed(hue, page))]
            for text, behind in pairs:
                assert _contrast(text, behind) >= 4.5, (theme, text, behind)

    def test_terminal_colours_have_enough_contrast_on_black_and_on_white(self) -> None:
        for colour in (*terminal.COLOURS, terminal.STYLES["note"].split()[1]):
            rgb = _rgb(colour)
            assert min(_contrast(rgb, (0, 0, 0)), _contrast(rgb, (255, 255, 255))) >= 4.5


_RGB = tuple[float, float, float]


def _rgb(text: str) -> _RGB:
    red, green, blue = (float(int(text[at : at + 2], 16)) for at in (1, 3, 5))
    return red, green, blue


def _colour(style: str, before: str, theme: int) -> _RGB:
    found = re.search(re.escape(before) + r"[^;}]*?light-dark\((#\w{6}), (#\w{6})\)", style)
    assert found, before
    return _rgb(found[theme + 1])


def _mixed(hue: _RGB, behind: _RGB) -> _RGB:
    red, green, blue = (0.1 * one + 0.9 * other for one, other in zip(hue, behind, strict=True))
    return red, green, blue


def _contrast(one: _RGB, other: _RGB) -> float:
    """The contrast of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(rgb: _RGB) -> float:
        linear = (c / 3294.6 if c <= 10.31475 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb)
        return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


class TestFaces:
    def test_text_has_no_colour_whatever_the_environment_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "20")
        assert "\x1b" not in str(_show("one"))
        assert max(map(len, str(_show("one")).splitlines())) == terminal.WIDTH
        assert repr(_show("one")) == str(_show("one"))

    def test_a_narrow_terminal_gets_narrow_cards(self) -> None:
        lines = _without_style(_terminal(_show("word " * 50), width=40)).splitlines()
        assert max(map(len, lines)) <= 40

    def test_a_card_of_a_built_row_can_be_shown_alone(self) -> None:
        assert "toy/task · nli · row 7" in str(_show("one"))

    def test_a_preview_is_a_value(self) -> None:
        assert _show("one") == _show("one")
        assert hash(_show("one")) == hash(_show("one"))


def _golden() -> Iterator[tuple[str, str]]:
    rows = [
        {"text": "A <b>soccer</b> game with several males playing.", "claim": "Some men play  a sport. ", "label": 0},
        {
            "text": "مرحبا\u202e\x1b[31m [bold]日本語\u3000x[/bold]\r\n",
            "claim": "\n\n" + "long text, " * 200,
            "label": 2,
        },
        {"text": "A\tB", "claim": " ", "label": 1},
    ]
    templates = [
        Template(
            "does-it-follow",
            input="{{ text }}\n\nDoes it follow that “{{ claim }}”?\n{{ options }}",
            target="{{ choices[label] }}",
            tags=["options"],
        ),
        Template("write-a-claim", input="{{ text | upper }}", target="{{ claim }}", tags=["inverted"]),
        Template("only-yes", input="{{ text }}", target="{{ choices[label] }}", when="{{ label == 3 }}"),
    ]
    fields = {"text": "text", "claim": "claim", "choices": ("yes", "no"), "label": "label"}
    shown = preview(_task(rows, *templates, fields=fields))
    yield "preview.html", f'<!doctype html>\n<html lang="en"><meta charset="utf-8">\n{shown._repr_html_()}\n</html>\n'
    yield "preview.txt", f"{shown}\n"


def test_golden_files() -> None:
    for name, text in _golden():
        file = GOLDEN / name
        if os.environ.get("FLANMIX_WRITE_GOLDEN"):
            file.write_text(text, encoding="utf-8", newline="\n")
        assert file.read_bytes().decode() == text, f"{name} looks otherwise than it did"


class TestTheDialectPromptsource:
    SPLIT = Template(
        "split",
        dialect="promptsource",
        jinja="Q: {{ q }} ||| {{ answer_choices[a] }}!",
        answer_choices="no ||| {{ q }}",
    )

    def _card(self, row: dict[str, Any], **changes: Any) -> Card:
        task = _task([{}], self.SPLIT.model_copy(update=changes))
        return card(task, task.templates[0], row, fm_row=0)

    def test_its_parts_are_input_and_target_with_the_fields_they_came_from(self) -> None:
        first, second = self._card({"q": " |||x", "a": 0}).turns
        assert (first.role, first.runs) == ("Input", (Run("Q: "), Run(" |||x", ("q",))))
        assert (second.role, second.runs) == ("Target", (Run("no", ("a", "answer_choices")), Run("!")))
        assert first.problem is second.problem is None

    def test_other_numbers_of_parts_are_noted_on_each(self) -> None:
        turns = self._card({"q": "x", "a": 0}, jinja="{{ q }} ||| b ||| c").turns
        assert [(turn.role, turn.text) for turn in turns] == [("Part 1", "x"), ("Part 2", "b"), ("Part 3", "c")]
        assert {turn.problem for turn in turns} == {"3 parts where a build needs two: it leaves this row out."}

    def test_nested_data_may_part_a_text(self) -> None:
        turns = self._card({"q": ["x|||y"], "a": 0}, jinja="{{ q[0] }}").turns
        assert [turn.runs for turn in turns] == [(Run("x", ("q",)),), (Run("y", ("q",)),)]

    def test_a_failure_is_said_once(self) -> None:
        (turn,) = self._card({"q": 1, "a": 0}, jinja="{{ nope.x }} ||| y").turns
        assert turn.problem is not None
        assert "'nope' is undefined" in turn.problem

    def test_a_random_choice_is_that_of_a_build_with_seed_0(self) -> None:
        dice = Template("dice", dialect="promptsource", jinja="{{ q }} ||| {{ range(10**5) | choice }}")
        task = _task([{"q": f"q{number}"} for number in range(5)], dice)
        shown = [each.turns[1].text for each in preview(task, rows=5).cards]
        plan = fm.Mixture("m", parts=[fm.Part("toy/task")]).plan(Registry().with_specs(task.task), rows=5, seed=0)
        assert sorted(shown) == sorted(plan[position].target for position in range(5))


# ---- turns and system prompts

TALK = Template(
    "talk",
    system=["", {"text": "You are {{ a }}.", "weight": 3}],
    turns=[{"user": "{{ q }}", "assistant": "{{ a }}"}, {"user": "Why?", "assistant": "{{ why }}"}],
)


def test_a_card_shows_all_that_is_said_in_its_order_with_its_fields() -> None:
    (made,) = preview(_task([{"q": "Sky?", "a": "blue", "why": "air"}], TALK)).cards
    assert [(turn.role, turn.text, turn.problem) for turn in made.turns] == [
        ("System, in 25% of rows", "", None),
        ("System, in 75% of rows", "You are blue.", None),
        ("User", "Sky?", None),
        ("Assistant", "blue", None),
        ("Input", "Why?", None),
        ("Target", "air", None),
    ]
    assert made.turns[1].runs == (Run("You are "), Run("blue", ("a",)), Run("."))
    shown = Preview((made,))
    for text in ("System, in 75% of rows", "User", "Assistant", "Sky?"):
        assert text in str(shown)
        assert text in shown._repr_html_()


def test_a_single_system_prompt_is_in_all_rows() -> None:
    (made,) = preview(_task([{"q": "x", "a": "y"}], Template("t", input="{{ q }}", target="{{ a }}", system="S"))).cards
    assert [turn.role for turn in made.turns] == ["System", "Input", "Target"]


def test_an_earlier_turn_that_a_build_cannot_use_says_so() -> None:
    (made,) = preview(_task([{"q": " ", "a": [], "why": "w"}], Template(
        "talk", turns=[{"user": "{{ q }}", "assistant": "{{ a[0] }}"}, {"user": "b", "assistant": "c"}]
    ))).cards  # fmt: skip
    problems = [str(turn.problem) for turn in made.turns]
    assert problems[0].startswith("Blank: a build leaves this row out")
    assert "outside a list" in problems[1]
    assert problems[2:] == ["None", "None"]


def test_a_row_of_a_conversation_is_shown_with_what_it_brings_along() -> None:
    task = _task([{}], Template("talk", input="{{ input }}", target="{{ target }}"))
    row = {"input": "i", "target": "t", "system": "s", "history": [{"user": "u", "assistant": "v"}]}
    made = card(task, task.templates[0], row, 3, conversation=True)
    assert [(turn.role, turn.text) for turn in made.turns] == [
        ("System", "s"), ("User", "u"), ("Assistant", "v"), ("Input", "i"), ("Target", "t"),
    ]  # fmt: skip
    alone = card(task, task.templates[0], {**row, "system": "", "history": []}, 3, conversation=True)
    assert [turn.role for turn in alone.turns] == ["Input", "Target"]
