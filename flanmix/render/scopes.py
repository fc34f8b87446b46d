"""Where Jinja's scopes differ from a look into one frame after the other: templates that rely on it go by rows."""

from collections.abc import Iterator

from jinja2 import nodes
from jinja2.idtracking import VAR_LOAD_UNDEFINED, Symbols

from flanmix.render.values import NotColumnar

_SCOPES = (nodes.AssignBlock, nodes.FilterBlock, nodes.For, nodes.Scope, nodes.With)


def refuse_early_use(tree: nodes.Template) -> None:
    """Raise `NotColumnar` where an inner scope reads a name before an outer one sets it.

    To Jinja it is undefined there: `{% for x in l %}{{ t }}{% endfor %}{% set t = 1 %}` prints no `t`, not even of a
    column of that name.
    """
    symbols = Symbols()
    symbols.analyze_node(tree)
    _check(tree, symbols)


def _check(scope: nodes.Node, symbols: Symbols) -> None:
    ids = {found for found, (kind, _) in symbols.loads.items() if kind == VAR_LOAD_UNDEFINED}
    unset = {name for name, found in symbols.refs.items() if found in ids}
    for name in scope.find_all(nodes.Name) if unset else ():
        if name.name in unset and name.ctx == "load":
            raise NotColumnar(f"'{name.name}' is used before it is set", name.lineno)
        unset.discard(name.name)
    for inner in _inner_scopes(scope):
        for branch in ("body", "else", "test") if isinstance(inner, nodes.For) else ("",):
            own = Symbols(parent=symbols)
            own.analyze_node(inner, **({"for_branch": branch} if branch else {}))
            _check(inner, own)


def _inner_scopes(scope: nodes.Node) -> Iterator[nodes.Node]:
    for child in scope.iter_child_nodes():
        if isinstance(child, _SCOPES):
            yield child
        else:
            yield from _inner_scopes(child)
