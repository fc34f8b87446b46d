"""Builds that are killed: the whole of it, or one worker; nothing stays alive, nothing is lost, nothing is wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flanmix as fm
from flanmix.executors.local import _Todo
from tests.toy import Seen, hashes, seen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc"),
]

SHARDS, SHARD_ROWS = 30, 1500
TASK = """
task: toy/many
type: arithmetic
source: {files: many.tsv}
templates:
  - {name: asked, input: "{% if question %}{{ question }}{% endif %}", target: "{% if answer %}{{ answer }}{% endif %}"}
  - {name: bare, input: "{% for word in question.split() %}{{ word }} {% endfor %}", target: "{{ answer }}"}
  - {name: never, when: "{{ answer == 'never' }}", input: "{{ question }} LONG", target: "{{ answer }}"}
""".replace("LONG", "x" * 200_000)  # a plan that no pipe holds at once
MIXTURE = f"""
mixture: many
rows: {SHARDS * SHARD_ROWS}
parts: [{{select: toy/many}}]
"""
PATIENCE = 60.0
"""Seconds after which a wait has failed."""


@given(shards=st.sets(st.integers(0, 60)).map(sorted), num_proc=st.integers(1, 5))
def test_shards_are_handed_out_once_and_in_runs_of_neighbours(shards: list[int], num_proc: int) -> None:
    todo = _Todo(shards, num_proc, lambda rows: None)
    runs = list(iter(todo.take, range(0)))
    assert [shard for run in runs for shard in run] == shards
    if num_proc > 1 and len(shards) > num_proc:
        assert len(runs) > num_proc  # nobody waits long at the end


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task and a mixture that takes a few seconds to build."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "many.yaml").write_text(TASK)
    rows = "".join(f"What is {n} times {n + 1} ?\t{n * (n + 1)}\n" for n in range(20_000))
    (folder / "many.tsv").write_text(f"question\tanswer\n{rows}")
    (folder / "mix.yaml").write_text(MIXTURE)
    return folder


@pytest.fixture(scope="module")
def whole(home: Path) -> Path:
    """The build that nothing disturbs."""
    with build(home, "whole", num_proc=2) as process:
        assert (process.wait(), errors_of(process)) == (0, "")
    return home / "whole"


@contextmanager
def build(home: Path, out: str, num_proc: int) -> Iterator["subprocess.Popen[str]"]:
    """A build in a session of its own, so that whatever it starts can be found, and is ended with the block."""
    options = ["--shard-rows", str(SHARD_ROWS), "--num-proc", str(num_proc), "--quiet"]
    command = [sys.executable, "-m", "flanmix", "build", "mix.yaml", "-o", out, *options]
    with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def errors_of(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    return process.stderr.read()


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.002)


def alive(session: int) -> dict[int, str]:
    """The processes of a session that have not ended, and their command lines."""
    found = {}
    for place in Path("/proc").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            if place.name.isdigit():
                state, _, _, of = (place / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(of) == session and state not in "ZX":
                    found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def workers(session: int) -> list[int]:
    return [process for process, command in alive(session).items() if "multiprocessing.spawn" in command]


def finished(out: Path) -> set[str]:
    """The shards that have a receipt."""
    return {f"data/train-{file.stem}-of-{SHARDS:05d}.parquet" for file in out.glob(".flanmix/0*.json")}


class Halted:
    """A build in its middle, all its processes halted, so that it cannot get on while it is looked at."""

    def __init__(self, process: "subprocess.Popen[str]", out: Path) -> None:
        self.process, self.out, self.session = process, out, process.pid
        wait_until("three finished shards", lambda: len(finished(out)) >= 3 or process.poll() is not None)
        os.killpg(self.session, signal.SIGSTOP)
        assert process.poll() is None
        assert process.pid in alive(self.session)
        assert 3 <= len(finished(out)) < SHARDS
        assert not (out / "manifest.json").exists()
        self.kept: dict[str, Seen] = {name: file for name, file in seen(out).items() if name in finished(out)}

    def resume(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.session, signal.SIGCONT)


def finish_and_compare(home: Path, halted: Halted, whole: Path, num_proc: int) -> None:
    """Give the same command again: what was finished is kept, and all is as if nothing had happened."""
    assert len(halted.kept) >= 3
    with build(home, halted.out.name, num_proc) as process:
        assert (process.wait(), errors_of(process)) == (0, "")
    after = seen(halted.out)
    assert {name: after[name] for name in halted.kept} == halted.kept
    assert hashes(halted.out) == hashes(whole)
    assert fm.verify(halted.out)["rows"] == SHARDS * SHARD_ROWS


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_killed_build_leaves_no_process_and_goes_on(home: Path, whole: Path, num_proc: int) -> None:
    """`kill -9` of the one process that was started; its workers find out by themselves."""
    with build(home, f"killed-{num_proc}", num_proc) as process:
        halted = Halted(process, home / f"killed-{num_proc}")
        assert len(workers(halted.session)) == num_proc - 1  # the process itself builds too
        process.kill()
        assert process.wait() == -signal.SIGKILL
        halted.resume()
        wait_until("the end of all its processes", lambda: not alive(halted.session))
        assert not (halted.out / "manifest.json").exists()
    finish_and_compare(home, halted, whole, 3 - num_proc)  # with another number of processes


def test_a_killed_worker_gives_one_line_and_the_same_command_goes_on(home: Path, whole: Path) -> None:
    with build(home, "worker", num_proc=2) as process:
        halted = Halted(process, home / "worker")
        os.kill(workers(halted.session)[0], signal.SIGKILL)
        halted.resume()
        assert process.wait(PATIENCE) == 1
        assert errors_of(process) == (
            "a worker process was killed - often the memory ran out: run the same command again with fewer processes; "
            "finished shards are kept\n"
        )
        wait_until("the end of all its processes", lambda: not alive(halted.session))
    assert not [name for name in seen(halted.out) if name.endswith(".tmp")]
    finish_and_compare(home, halted, whole, 1)


def test_an_interrupt_ends_the_workers_too(home: Path, whole: Path) -> None:
    """As Ctrl-C in a terminal, which goes to all processes: one line, and no traceback of any of them."""
    with build(home, "interrupted", num_proc=2) as process:
        halted = Halted(process, home / "interrupted")
        os.killpg(halted.session, signal.SIGINT)
        halted.resume()
        assert process.wait(PATIENCE) == 130
        assert errors_of(process).strip() == "interrupted - run the same command again to go on"
        wait_until("the end of all its processes", lambda: not alive(halted.session))
    finish_and_compare(home, halted, whole, 2)


def test_a_worker_killed_as_it_starts_is_no_endless_wait(home: Path) -> None:
    """The plan is sent over a pipe that breaks with the worker, however large the plan is."""
    with build(home, "started", num_proc=2) as process:
        wait_until("a worker", lambda: bool(workers(process.pid)) or process.poll() is not None)
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        assert process.wait(PATIENCE) == 1
        assert errors_of(process).startswith("a worker process was killed - ")


def test_a_finished_build_leaves_no_process(home: Path, whole: Path) -> None:
    with build(home, "again", num_proc=2) as process:
        wait_until("a worker", lambda: len(workers(process.pid)) == 1 or process.poll() is not None)
        assert process.wait() == 0
        wait_until("the end of all its processes", lambda: not alive(process.pid))
    assert hashes(home / "again") == hashes(whole)


SCRIPT = """
import sys
import flanmix as fm

print("run", file=sys.stderr)
plain = fm.Template("plain", input="{{ question }}", target="{{ answer }}")
source = [{"question": str(n), "answer": "x"} for n in range(300)]
task = fm.Task("toy/made", type="arithmetic", source=source, templates=[plain])
catalogue = fm.load_registry(specs=[task], bundled=False, plugins=False)
plan = fm.Mixture("made", parts=[fm.Part("toy/made")], rows=300).plan(catalogue)
plan.build("made", shard_rows=50, num_proc=2, quiet=True)
"""


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """Workers do not run the user's script again, as those that `multiprocessing` starts would."""
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "run\n")
    assert fm.verify(tmp_path / "made")["rows"] == 300
