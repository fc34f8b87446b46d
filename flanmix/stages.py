"""The folder of a mixture with stages: a build for each, and above them a card that makes each a config."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flanmix import publish
from flanmix._version import __version__
from flanmix.durable import name_to_be, write_text
from flanmix.errors import BuildError, Problem
from flanmix.folder import CARD, clear
from flanmix.manifest import FILE, SCHEMA_VERSION, read


def claim_stages(out: Path, stages: Collection[str], plan: str, *, replace: bool = False) -> None:
    """Raise `BuildError` where the folder holds anything but the builds of these stages, finished or not.

    With `replace`, a build of other stages, or of none, is removed.
    """
    if not out.is_dir():
        return  # new, or a file, which the first stage's build refuses
    facts = read(out) if (out / FILE).is_file() else {}
    if replace and facts:
        _remove(out, tuple(facts.get("stages", ())))
    elif facts and facts.get("plan") != plan:
        what = f"holds another plan ({str(facts.get('plan', 'unknown'))[:12]})"
        raise BuildError(Problem(what, file=str(out), hint="add --replace to build there anew, or name another folder"))
    ours = {*stages, CARD, FILE}
    foreign = sorted(file.name for file in out.iterdir() if name_to_be(file.name) not in ours)
    if foreign:
        hint = "name a folder that is new or empty"
        raise BuildError(Problem(f"holds other files ({foreign[0]})", file=str(out), hint=hint))


def _remove(out: Path, stages: Sequence[str]) -> None:
    """Remove the build of a folder: the one in it, or those of its stages; what says whose they are goes last."""
    if not stages:
        clear(out)
        return
    for stage in stages:
        clear(out / stage)
        with suppress(FileNotFoundError):
            (out / stage).rmdir()
    (out / CARD).unlink(missing_ok=True)
    (out / FILE).unlink()


def write_stages(out: Path, name: str, plan: str, stages: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the card and the manifest above the builds of stages, whose manifests are given in their order."""
    facts = {
        "schema_version": SCHEMA_VERSION,
        "flanmix": __version__,
        "mixture": name,
        "plan": plan,
        "rows": sum(manifest["rows"] for manifest in stages.values()),
        "planned": sum(manifest["planned"] for manifest in stages.values()),
        "held_out": next((manifest.get("held_out", []) for manifest in stages.values()), []),
        "stages": {
            stage: {key: manifest[key] for key in ("build", "plan", "split", "rows", "planned")}
            for stage, manifest in stages.items()
        },
    }
    write_text(out / CARD, publish.card_of_stages(facts, stages))
    write_text(out / FILE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
