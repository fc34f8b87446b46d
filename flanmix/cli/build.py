"""`flanmix build`: a mixture into a folder."""

from typing import Any

import click

from flanmix.cli.options import budget_options, find_mixture, mixture_argument, print_table, registry_option, say


@click.command("build")
@mixture_argument
@click.option("-o", "--out", required=True, metavar="DIR", help="The folder to write: new, empty, or of this build.")
@click.option("--num-proc", type=click.IntRange(1), default=1, show_default=True, help="Processes; the bytes are the same.")
@click.option("--layout", help="The columns of the rows: prompt_completion or messages.")
@click.option("--max-shard-size", default="500MB", show_default=True, metavar="SIZE", help="About the size of a file.")
@click.option("--shard-rows", type=click.IntRange(1), help="Planned rows in a file, in place of a size.")
@click.option("--arrow", "format", flag_value="arrow", default="parquet", help="Write Arrow IPC files, not Parquet.")
@click.option("--no-metadata", is_flag=True, help="Leave out the fm_ columns.")
@click.option("--replace", is_flag=True, help="Remove another build from the folder first.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, no summary.")
@budget_options
@registry_option
def command(mixture: str, out: str, quiet: bool, dry_run: bool, folders: tuple[str, ...], **options: Any) -> None:
    """Build a mixture into DIR, as shards that datasets.load_dataset(DIR) reads.

    After a kill or a full disk, the same command goes on from the finished shards.
    """
    found, registry = find_mixture(mixture, folders)
    from flanmix.api import Plan, with_choices
    from flanmix.planner import plan_mixture

    choices = {name: options.pop(name) for name in ("rows", "epochs", "seed", "split")}
    plan = Plan(plan_mixture(with_choices(found, **choices), registry))
    if dry_run:
        print_table(plan.table())
        return
    metadata = not options.pop("no_metadata")
    built = plan.build(out, metadata=metadata, quiet=quiet, **options)
    if not quiet:
        manifest = built.manifest
        dropped = sum(sum(task["dropped"].values()) for task in manifest["tasks"])
        shards = len(manifest["shards"])
        say(f"{manifest['rows']:,} rows in {shards} shards, {dropped:,} dropped; load with datasets.load_dataset('{out}')")
