"""One case, in the process that ../build.py started for it: pin, run, say what it took. Not for use by hand."""

import json
import os
import resource
import sys
from importlib import import_module
from pathlib import Path

from mixture import Work


def cpu_seconds() -> float:
    """What this process and the children it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_bytes() -> int:
    """The most memory that this process held. Unlike `ru_maxrss`, nothing of the process that started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main() -> None:
    name, asked = sys.argv[1], json.loads(sys.argv[2])
    work = Work(**{**asked, **{key: Path(asked[key]) for key in ("sources", "out", "prepared")}})
    if work.cores:  # before any library counts the cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-work.cores :])
    module, function = name.split(":")
    run = getattr(import_module(f"cases.{module}"), function)
    before = cpu_seconds()
    took = run(work)
    print(json.dumps({**took, "cpu": cpu_seconds() - before, "peak": peak_bytes()}))


if __name__ == "__main__":
    main()
