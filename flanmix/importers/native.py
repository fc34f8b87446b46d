"""Templates of the dialect `promptsource` as native ones, where the two do the same."""

from collections.abc import Iterator

from jinja2 import nodes

from flanmix.importers.edges import trimmed
from flanmix.importers.pieces import NotNative, pieces_of, split, tree_of, with_choices, with_plain_newlines
from flanmix.render import names_read
from flanmix.render.environment import BUILT_IN, BadTemplate, compile_template, variables_of
from flanmix.render.limits import UNSAFE_METHODS
from flanmix.render.promptsource import CHOICES, PROTECTED, SEPARATOR, compile_dialect
from flanmix.spec import Template

__all__ = ["NotNative", "to_native"]

_RANDOM = {"choice", "random"}
_FOREIGN_FILTERS = _RANDOM | {"most_frequent", "highlight", "pprint", "xmlattr", "urlize"}
_FOREIGN_NAMES = {"zip", "cycler", "joiner", "lipsum"}
_MAKE_ITERATORS = {"map", "select", "reject", "selectattr", "rejectattr", "batch", "slice", "unique"}
_CHANGING = {"append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "setdefault"}
_RARE = (nodes.Macro, nodes.CallBlock, nodes.EvalContextModifier, nodes.ScopedEvalContextModifier)
_BY_NAME = {"map", "select", "reject", "selectattr", "rejectattr"}
"""Filters that take the name of another filter or test."""


def to_native(template: Template) -> Template:
    """The native template that gives, for every row, the two texts that this one gives; raises `NotNative`.

    Rows for which the dialect prints `None` for a null, or takes the last choice for the label -1, have no text in
    the native template; a name that a row does not have is an error there. Rows whose data holds `|||` below the top
    may part elsewhere in the dialect.

    >>> jinja = "{{ q }} ||| {{ answer_choices[l] }}"
    >>> made = to_native(Template("ask", dialect="promptsource", jinja=jinja, answer_choices="no ||| yes"))
    >>> made.input, made.target
    ('{{ q | trim }}', '{{ ["no", "yes"][l] }}')
    """
    if template.dialect == "native":
        return template
    try:
        first, second = _parts(template)
        for text in (first, second):
            compile_template(text)
    except BadTemplate as error:
        raise NotNative(f"it cannot be compiled: {error.what}") from error
    return Template(
        template.name,
        input=first,
        target=second,
        when=template.when,
        tags=template.tags,
        metadata=template.metadata,
    )


def _parts(template: Template) -> tuple[str, str]:
    if template.truncate:
        raise NotNative("it cuts what it prints ('truncate')")
    text = with_plain_newlines(template.jinja or "")
    if PROTECTED in text or PROTECTED in (template.answer_choices or ""):
        raise NotNative("it holds what stands for '|||'")
    _refuse(compile_dialect(template).jinja.tree)
    if template.answer_choices is not None:
        choices = _constant_choices(template.answer_choices)
        text = text if choices is None else with_choices(text, choices)
    tree = tree_of(text)
    if any(node.name == CHOICES for node in tree.find_all(nodes.Name)):
        constant = template.answer_choices is None
        raise NotNative("it has no answer_choices to read" if constant else "its answer_choices are made from the row")
    _refuse_items(tree)
    left, right = split(text)
    for part in (left, right):
        _refuse_branch_names(part)
    later = _stored(tree_of(right)).keys() & variables_of(left)
    if later:  # inside a block, Jinja takes such a name for the one that is not set yet
        raise NotNative(f"'{min(later)}' is read before it is set")
    sets = _carried(left, right)
    first, second = trimmed(left), trimmed(sets + right.strip())
    for part, what in ((first, "input"), (second, "target")):
        if not tree_of(part).body:
            raise NotNative(f"its {what} is empty")
    return first, second


def _constant_choices(text: str) -> tuple[str, ...] | None:
    """The choices that are the same for every row, or None."""
    text = with_plain_newlines(text)
    if any(piece.kind != "data" for piece in pieces_of(text)):
        return None
    choices = tuple(choice.strip() for choice in text.split(SEPARATOR))
    if any(choice.startswith("|") or choice.endswith("|") for choice in choices):
        raise NotNative("its answer_choices hold '|', which might make a separator")
    return choices


def _refuse(tree: nodes.Template) -> None:
    """Raise `NotNative` at a construct that the two dialects take differently."""
    for node in tree.find_all(nodes.Node):
        reason = _reason(node)
        if reason is not None:
            raise NotNative(reason)


def _reason(node: nodes.Node) -> str | None:
    """Why one node cannot stand in a native template."""
    if isinstance(node, _RARE):
        return f"it holds '{type(node).__name__.lower()}'"
    if any(_is_item(child) for child in _asked(node)):
        return "it asks whether a list has an item"
    if isinstance(node, nodes.Filter):
        return _reason_of_filter(node)
    if isinstance(node, nodes.Name) and node.name in _FOREIGN_NAMES and node.ctx == "load":
        return f"it uses '{node.name}'"
    if isinstance(node, nodes.Mod) and _is_text(node.left):
        return "it formats text with '%'"
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in UNSAFE_METHODS:
        return f"it calls '{node.node.attr}'"
    if isinstance(node, nodes.Output):
        return next((reason for child in node.nodes if (reason := _reason_of_printed(child))), None)
    if isinstance(node, nodes.Getitem) and _negative(node.arg):
        return "it counts items from the end of a list"
    return None


def _reason_of_filter(node: nodes.Filter) -> str | None:
    if node.name in _RANDOM:
        return "it chooses at random"
    if node.name in _FOREIGN_FILTERS:
        return f"it uses the filter '{node.name}'"
    if node.name in _BY_NAME:
        names = [arg.value if isinstance(arg, nodes.Const) else None for arg in node.args]
        if any(name is None or name in _FOREIGN_FILTERS for name in names[:2]):
            return f"it uses the filter '{node.name}' with another filter"
    return None


def _reason_of_printed(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Const) and node.value is None:
        return "it prints None"
    if isinstance(node, nodes.Filter) and node.name in _MAKE_ITERATORS:
        return f"it prints what '{node.name}' gives, which is no text"
    if _changes(node):
        return "it prints what changing a list gives"
    return None


def _is_text(node: nodes.Node) -> bool:
    text = isinstance(node, nodes.Const) and isinstance(node.value, str)
    return text or isinstance(node, nodes.Concat | nodes.Filter)


def _negative(node: nodes.Node) -> bool:
    try:
        value = node.as_const() if isinstance(node, nodes.Expr) else None
    except nodes.Impossible:
        return False
    return type(value) is int and value < 0


def _asked(node: nodes.Node) -> list[nodes.Node]:
    """What a node takes for true or false, present or not: there an item that is missing is no mistake."""
    if isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.node is not None:
        return [node.node]
    if isinstance(node, nodes.Test) and node.name in ("defined", "undefined", "none"):
        return [node.node]
    if isinstance(node, nodes.If | nodes.CondExpr):
        return [node.test]
    if isinstance(node, nodes.And | nodes.Or):
        return [node.left, node.right]
    return [node.node] if isinstance(node, nodes.Not) else []


def _is_item(node: nodes.Node) -> bool:
    """Whether it is, or looks into, an item by number: with a key it has a name, which is there or not."""
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Call | nodes.Filter):
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Slice):
            named = isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)
            if not named and not isinstance(node.node, nodes.Dict):
                return True
        if node.node is None:
            return False
        node = node.node
    return False


def _refuse_items(tree: nodes.Template) -> None:
    """Raise `NotNative` where an item is asked of a written list that never has it."""
    for node in tree.find_all(nodes.Getitem):
        number = node.arg.value if isinstance(node.arg, nodes.Const) else None
        if isinstance(node.node, nodes.List) and type(number) is int and number >= len(node.node.items):
            raise NotNative("it asks for a choice that there is not")


def _changes(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in _CHANGING


def _stored(tree: nodes.Node) -> dict[str, int]:
    """The names that a text gives values to, and how often."""
    names: dict[str, int] = {}
    found = [node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"]
    for name in [*found, *(node.name for node in tree.find_all(nodes.NSRef))]:
        names[name] = names.get(name, 0) + 1
    return names


def _refuse_branch_names(part: str) -> None:
    """A name that is set here and read from the row there may be neither."""
    both = _stored(tree_of(part)).keys() & variables_of(part)
    if both:
        raise NotNative(f"'{min(both)}' is a variable and a column at once")


def _carried(left: str, right: str) -> str:
    """The `set` tags of the first part that the second one needs too; raises `NotNative` where they cannot be moved."""
    tree = tree_of(left)
    stored = _stored(tree)
    changed = _changed_names(tree)
    plain = {
        node.target.name: node.node
        for node in tree.body
        if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name)
    }
    needed: set[str] = set()
    wanted = set(variables_of(right) & stored.keys())
    while wanted:
        name = wanted.pop()
        if name not in plain or stored[name] > 1 or name in changed:
            raise NotNative(f"its target needs '{name}', which its input works out")
        needed.add(name)
        wanted |= (_names(plain[name]) & stored.keys()) - needed
    return "".join(f"{tag}\n" for name, tag in _set_tags(left) if name in needed)


def _names(node: nodes.Node) -> set[str]:
    own = {node.name} if isinstance(node, nodes.Name) else set()
    return own | {name.name for name in node.find_all(nodes.Name)}


def _changed_names(tree: nodes.Template) -> set[str]:
    """The names whose lists the first part changes; raises `NotNative` where these are not its own."""
    own = {
        node.target.name
        for node in tree.find_all(nodes.Assign)
        if isinstance(node.target, nodes.Name) and isinstance(node.node, nodes.List | nodes.Dict)
    }
    changed: set[str] = set()
    for call in tree.find_all(nodes.Call):
        if _changes(call):
            assert isinstance(call.node, nodes.Getattr)
            receiver = call.node.node
            if not isinstance(receiver, nodes.Name) or receiver.name not in own:
                raise NotNative("its input changes a list of the row")
            changed.add(receiver.name)
    return changed


def _set_tags(text: str) -> Iterator[tuple[str, str]]:
    """The `set` tags of a text by the name that they set."""
    pieces = [piece for piece in pieces_of(text) if piece.kind != "whitespace"]
    for index, piece in enumerate(pieces[:-2]):
        if piece.kind == "block_begin" and pieces[index + 1].text == "set":
            end = next(after for after in pieces[index:] if after.kind == "block_end")
            yield pieces[index + 2].text, f"{{% {text[piece.end : end.start].strip()} -%}}"


def fields_of(template: Template) -> frozenset[str]:
    """The names that a template reads from a row; raises `BadTemplate`."""
    names = (names_read(template, key) for key in template.texts)
    return frozenset().union(*names) - BUILT_IN[template.dialect]
