"""`flanmix show`: one task, family or mixture, whole."""

from collections.abc import Mapping
from typing import Any

import click

from flanmix.bound import BoundTask
from flanmix.cli.options import complete_names, format_option, print_json, registry_option
from flanmix.errors import UsageError, did_you_mean
from flanmix.registry import load_registry
from flanmix.spec import Spec


@click.command("show")
@click.argument("name", shell_complete=complete_names)
@registry_option
@format_option
def command(name: str, folders: tuple[str, ...], form: str) -> None:
    """Show the task, family or mixture NAME, and every template that serves a task."""
    registry = load_registry(*folders)
    kinds: dict[str, Mapping[str, Any]] = {
        "task": registry.tasks,
        "family": registry.families,
        "mixture": registry.mixtures,
    }
    found = [(kind, values[name]) for kind, values in kinds.items() if name in values]
    if not found:
        hint = did_you_mean(name, [known for values in kinds.values() for known in values]) or "run 'flanmix ls'"
        raise UsageError(f"nothing is called '{name}'", hint=hint)
    records = []
    for kind, value in found:
        written = value.task if isinstance(value, BoundTask) else value
        record = {**_plain(written), "file": registry.place(kind, name)}
        if kind == "task":
            serving = registry.tasks[name].templates
            record["templates"] = [{**_plain(item.template), "name": item.id} for item in serving]
        records.append(record)
    if form == "json":
        print_json(records[0] if len(records) == 1 else records)
        return
    import yaml

    for record in records:
        click.echo(yaml.dump(record, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100), nl=False)


def _plain(spec: Spec) -> dict[str, Any]:
    plain: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, fallback=repr)
    return plain


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks, as people write templates."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper
