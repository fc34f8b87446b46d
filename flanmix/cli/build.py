"""`flanmix build`: a mixture into a folder."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import click

from flanmix.cli.options import (
    CHOICES,
    budget_options,
    chosen_plan,
    find_mixture,
    mixture_argument,
    print_table,
    registry_option,
    say,
)
from flanmix.errors import UsageError
from flanmix.registry import Registry
from flanmix.spec import Mixture
from flanmix.words import count_of

LAYOUTS, LOSSES, PACKINGS = (get_args(Mixture.model_fields[name].annotation) for name in ("layout", "loss", "packing"))
ENCODING = ("chat_template", "loss", "max_length", "truncate", "packing", "eos", "bos")


@click.command("build")
@mixture_argument
@click.option("-o", "--out", required=True, metavar="DIR", help="The folder to write: new, empty, or of this build.")
@click.option("--num-proc", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--layout", type=click.Choice(LAYOUTS), help="The columns of the rows.")
@click.option(
    "--chat-template",
    metavar="NAME",
    help="For tokens, or texts without turns: a chat template, or 'tokenizer' for its own.",
)
@click.option("--loss", type=click.Choice(LOSSES), help="For tokens: what is trained.")
@click.option("--max-length", type=click.IntRange(2), help="For tokens: the most of a row, or those of a pack.")
@click.option("--truncate", type=click.Choice(["left", "right"]), help="For tokens: cut longer rows at this side.")
@click.option("--packing", type=click.Choice(PACKINGS), help="For packs: how rows find theirs.")
@click.option("--eos", metavar="TOKEN", help="For tokens: the token that ends an answer.")
@click.option("--bos", metavar="TOKEN", help="For tokens: the token at the start of a row.")
@click.option("--max-shard-size", default="500MB", show_default=True, metavar="SIZE", help="About the size of a file.")
@click.option("--shard-rows", type=click.IntRange(1), help="Planned rows in a file, in place of a size.")
@click.option("--arrow", "format", flag_value="arrow", default="parquet", help="Write Arrow IPC files, not Parquet.")
@click.option("--no-metadata", "--strict", is_flag=True, help="Leave out the fm_ columns.")
@click.option("--replace", is_flag=True, help="Remove another build from the folder first.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--show", type=click.IntRange(0), default=0, metavar="N", help="Print the first N rows when done.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, no summary.")
@budget_options
@registry_option
def command(
    mixture: str, out: str, quiet: bool, dry_run: bool, show: int, folders: tuple[str, ...], **options: Any
) -> None:
    """Build a mixture into DIR, as shards that datasets.load_dataset(DIR) reads.

    After a kill or a full disk, the same command goes on from the finished shards.
    """
    if not out.strip():
        raise UsageError("-o names no folder", hint="write it like -o out")
    found, registry = find_mixture(mixture, folders)
    from flanmix.build import parse_size
    from flanmix.undo import takes_back

    parse_size(options["max_shard_size"])
    with takes_back():
        _build(found, registry, out, quiet, dry_run, show, options)


def _build(
    found: Mixture, registry: Registry, out: str, quiet: bool, dry_run: bool, show: int, options: dict[str, Any]
) -> None:
    encoding = {name: value for name in ENCODING if (value := options.pop(name)) is not None}
    plan = chosen_plan(found, registry, {name: options.pop(name) for name in CHOICES})
    if dry_run:
        print_table(plan.table())
        return
    metadata = not options.pop("no_metadata")
    built = plan.build(out, metadata=metadata, quiet=quiet, **options, **encoding)
    for line in () if quiet else _summary(built.manifest):
        say(line)
    if not quiet:
        say(f"load them with datasets.load_dataset('{out}')")
    for position in range(min(show, plan.rows)):
        click.echo(f"\n{_shown(plan[position])}")


def _summary(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What was built, in a few lines."""
    parts = ("shards", "shard") if "shards" in manifest else ("stages", "stage")
    places = count_of(len(manifest[parts[0]]), parts[1])
    yield f"{count_of(manifest['rows'], 'row')} in {places}, {manifest['planned'] - manifest['rows']:,} dropped"
    if left_out := _left_out(manifest):
        yield f"left out of the sources before: {left_out}"
    if "encoding" in manifest:
        encoding = manifest["encoding"]
        yield f"{encoding['tokens']:,} tokens, {encoding['loss_tokens']:,} of them trained"
    if "packing" in manifest:
        packs, packing = count_of(manifest["packing"]["packs"], "pack"), manifest["packing"]
        yield f"{packs} of {packing['capacity']:,} tokens, {packing['fill_rate']:.2%} full"
    if "tokens" in manifest:
        tokens = manifest["tokens"]
        yield f"{tokens['built']:,} tokens, {tokens['off_by']:+.2%} off {tokens['budget']:,}"


def _left_out(manifest: Mapping[str, Any]) -> str:
    """How many rows the sources have that could not be drawn, by reason."""
    reasons = sum((Counter(task["source"]["dropped"]) for task in manifest.get("tasks", ())), Counter[str]())
    return ", ".join(f"{count:,} ({reason})" for reason, count in reasons.most_common())


def _shown(example: Any) -> str:
    """An example as text: where it comes from, and what is said, the input and the target last."""
    head = f"row {example.position}: {example.task}, template {example.template}, source row {example.row}"
    if example.dropped:
        return f"row {example.position}: {example.task}, dropped: {example.dropped}"
    before = [("system", example.system)] if example.system else []
    before += [turn for pair in example.history for turn in zip(("user", "assistant"), pair, strict=True)]
    texts = [*before, ("input", example.input), ("target", example.target)]
    return "\n".join([f"--- {head}", *(f"[{role}]\n{text}" for role, text in texts)])
