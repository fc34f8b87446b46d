"""Cases in fresh processes: what each takes, the memory of its whole process tree, and what else the machine did."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mixture import Work

_SAMPLE_SECONDS, _TICK = 0.05, os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Case:
    """A contestant under given conditions; `run` is a module of `cases` and a function in it.

    `codec` is what its Parquet must be compressed with.
    """

    label: str
    run: str
    rows: int
    cores: int = 0
    num_proc: int = 1
    sources: str = "sources"
    source_rows: int = 0
    codec: str = "ZSTD"


@dataclass(frozen=True)
class Result:
    """What one run of a case took. `others` is how many cores the rest of the machine kept busy meanwhile."""

    case: Case
    plan: float
    build: float
    cpu: float
    peak: int
    others: float
    written: int = field(default=0)

    @property
    def seconds(self) -> float:
        return self.plan + self.build

    @property
    def per_row(self) -> float:
        return self.seconds / self.case.rows

    @property
    def cpu_per_row(self) -> float:
        return self.cpu / self.case.rows


def run_case(case: Case, folder: Path, out: Path, patience: float) -> Result:
    """Run a case with warm files, empty caches and, if it comes within `patience` seconds, a machine at rest."""
    shutil.rmtree(out, ignore_errors=True)
    work = Work(
        sources=folder / case.sources,
        source_rows=case.source_rows,
        out=out,
        rows=case.rows,
        cores=case.cores,
        num_proc=case.num_proc,
        prepared=folder / "prepared",
    )
    warm(work.sources, work.prepared if work.prepared.exists() else None)
    os.sync()  # what earlier cases wrote is not written back on this one's time
    wait_for_rest(patience)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        environment = {**os.environ, "FLANMIX_CACHE": f"{scratch}/cache", "HF_HOME": f"{scratch}/hf"}
        asked = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(work).items()}
        command = [sys.executable, str(Path(__file__).with_name("run_case.py")), case.run, json.dumps(asked)]
        busy, ours, started = busy_seconds(), _children_seconds(), time.perf_counter()
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            peak = 0
            while process.poll() is None:
                peak = max(peak, sum(map(_resident, _tree(process.pid))))
                time.sleep(_SAMPLE_SECONDS)
            said = process.stdout.read() if process.stdout else ""
        lasted = time.perf_counter() - started
        others = (busy_seconds() - busy - (_children_seconds() - ours)) / lasted
    if process.returncode:
        raise SystemExit(f"{case.label}: the case failed with exit status {process.returncode}, see above")
    told = json.loads(said.splitlines()[-1])
    found = Result(case, **{**told, "peak": max(peak, told["peak"])}, others=max(0.0, others))
    return replace(found, written=sum(file.stat().st_size for file in out.rglob("*.parquet")))


def warm(*folders: Path | None) -> None:
    """Read the files of folders into the page cache."""
    for folder in filter(None, folders):
        for file in folder.iterdir():
            with file.open("rb", buffering=0) as stream:
                while stream.read(1 << 22):
                    pass


def wait_for_rest(patience: float) -> None:
    """Wait until the machine does next to nothing else, for at most `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        before, started = busy_seconds(), time.monotonic()
        time.sleep(0.3)
        if (busy_seconds() - before) / (time.monotonic() - started) < 0.15 or time.monotonic() > until:
            return


def busy_seconds() -> float:
    """Seconds that all cores together have been busy since the machine started."""
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / _TICK


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(file).split():
            yield from _tree(int(child))


def _resident(pid: int) -> int:
    lines = [line for line in _read(Path(f"/proc/{pid}/status")).splitlines() if line.startswith("VmRSS")]
    return sum(int(line.split()[1]) * 1024 for line in lines)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return ""
