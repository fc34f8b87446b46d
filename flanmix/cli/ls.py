"""`flanmix ls`: what there is."""

from typing import Any

import click

from flanmix.cli.options import format_option, print_json, print_table, registry_option
from flanmix.registry import Registry, load_registry


@click.command("ls")
@click.argument("selector", nargs=-1)
@click.option("--families", "kind", flag_value="families", help="List families in place of tasks.")
@click.option("--mixtures", "kind", flag_value="mixtures", help="List mixtures in place of tasks.")
@registry_option
@format_option
def command(selector: tuple[str, ...], kind: str | None, folders: tuple[str, ...], form: str) -> None:
    """List the tasks that SELECTOR takes, or all of them.

    A selector holds name patterns, type:, tag: and language: terms; put -- before one that starts with a minus:
    flanmix ls -- type:nli -tag:synthetic
    """
    registry = load_registry(*folders)
    if selector:
        registry = registry.select(" ".join(selector))
    records = _RECORDS[kind or "tasks"](registry)
    if form == "json":
        print_json(records)
        return
    from rich.table import Table

    table = Table(*(records[0] if records else ["none"]))
    for record in records:
        table.add_row(*(_shown(value) for value in record.values()))
    print_table(table)


def _shown(value: Any) -> str:
    """A value of a record, without what would move a terminal's cursor or change its colours."""
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return "".join(char if char.isprintable() else " " for char in text)


def _tasks(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "task": name,
            "type": bound.task.type,
            "templates": len(bound.templates),
            "tags": list(bound.task.tags),
            "description": bound.task.description,
        }
        for name, bound in registry.tasks.items()
    ]


def _families(registry: Registry) -> list[dict[str, Any]]:
    return [
        {"family": name, "templates": len(f.templates), "fields": list(f.fields), "description": f.description}
        for name, f in sorted(registry.families.items())
    ]


def _mixtures(registry: Registry) -> list[dict[str, Any]]:
    return [
        {"mixture": name, "parts": len(m.parts), "description": m.description}
        for name, m in sorted(registry.mixtures.items())
    ]


_RECORDS = {"tasks": _tasks, "families": _families, "mixtures": _mixtures}
