"""What a call that fails takes back: all that it added to the cache, and nothing else."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from flanmix.api import load_registry
from flanmix.errors import BuildError, FlanmixError, SourceError
from flanmix.spec import Mixture, Part, Task, Template
from flanmix.undo import added, make_folder, takes_back, used

ASK = Template("ask", input="{{ q }}", target="{{ a }}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLANMIX_CACHE", str(tmp_path / "new" / "cache"))
    return tmp_path / "new" / "cache"


def task(name: str, answer: object = "2", **changes: object) -> Task:
    facts = {"type": "arithmetic", "source": [{"q": "1 + 1?", "a": answer}], "templates": [ASK], **changes}
    return Task(name, **facts)


def plan(*tasks: Task) -> None:
    from flanmix.planner import plan_mixture

    plan_mixture(Mixture("m", parts=[Part("*")], rows=4), load_registry(specs=tasks, bundled=False, plugins=False))


def content(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextmanager
def failing(error: BaseException | None = None, cause: Exception | None = None) -> Iterator[None]:
    """A call that does what is in the block, and then fails."""
    error = error or FlanmixError("no")
    with suppress(type(error)), takes_back():
        yield
        raise error from cause


def write(file: Path, text: str = "x") -> None:
    make_folder(file.parent)
    file.write_text(text)
    added(file)


# ---- plans


def test_a_plan_that_fails_on_its_last_task_leaves_no_trace_of_the_others(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no usable rows"):
        plan(task("a"), task("b", "3"), task("c", drop="{{ true }}"))
    assert content(tmp_path) == set()


def test_a_plan_that_fails_leaves_what_was_there_before(cache: Path, tmp_path: Path) -> None:
    plan(task("a"))
    before = content(tmp_path)
    with pytest.raises(SourceError):
        plan(task("a"), task("b", "3"), task("c", drop="{{ true }}"))
    assert content(tmp_path) == before
    assert len([name for name in before if name.endswith(".arrow")]) == 1


def test_tasks_with_the_same_rows_share_what_was_prepared_and_take_it_back_together(
    cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceError):
        plan(task("a"), task("b"), task("c", drop="{{ true }}"))
    assert content(tmp_path) == set()


def test_a_plan_that_goes_well_keeps_what_it_prepared(cache: Path) -> None:
    plan(task("a"), task("b", "3"))
    assert len(list(cache.rglob("*.arrow"))) == 2


# ---- any call


def test_files_and_the_folders_made_for_them_are_taken_back(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with failing():
        write(tmp_path / "old" / "new" / "newer" / "file")
        write(tmp_path / "old" / "file")
    assert content(tmp_path) == {"old"}


def test_a_folder_with_something_else_in_it_stays(tmp_path: Path) -> None:
    with failing():
        write(tmp_path / "new" / "file")
        (tmp_path / "new" / "other").write_text("somebody else's")
    assert content(tmp_path) == {"new", "new/other"}


def test_nothing_is_taken_back_of_a_call_that_goes_well_even_inside_one_that_fails_later(tmp_path: Path) -> None:
    with takes_back():
        write(tmp_path / "one")
    with failing():
        pass
    assert content(tmp_path) == {"one"}


def test_what_a_call_inside_has_added_belongs_to_the_call_around_it(tmp_path: Path) -> None:
    with failing(), takes_back():
        write(tmp_path / "one")
    assert content(tmp_path) == set()


def test_a_call_inside_that_fails_takes_back_only_its_own(tmp_path: Path) -> None:
    with takes_back():
        write(tmp_path / "one")
        with failing():
            write(tmp_path / "two")
    assert content(tmp_path) == {"one"}


def test_what_another_process_has_used_since_stays(tmp_path: Path) -> None:
    with failing():
        write(tmp_path / "mine")
        write(tmp_path / "shared")
        os.utime(tmp_path / "shared", ns=(1, 1))  # as `used` does there
    assert content(tmp_path) == {"shared"}


def test_what_the_call_itself_has_used_since_is_taken_back(tmp_path: Path) -> None:
    with failing():
        write(tmp_path / "file")
        assert used(tmp_path / "file")
    assert content(tmp_path) == set()


def test_what_is_gone_cannot_be_used(tmp_path: Path) -> None:
    assert not used(tmp_path / "file")


@pytest.mark.parametrize(
    "cause", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "I/O"), BrokenExecutor()]
)
def test_where_the_machine_got_in_the_way_the_same_call_finds_what_it_had(tmp_path: Path, cause: Exception) -> None:
    with failing(BuildError("no"), cause):
        write(tmp_path / "file")
    assert content(tmp_path) == {"file"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_call_finds_what_it_had(tmp_path: Path, stop: type[BaseException]) -> None:
    with failing(stop()):
        write(tmp_path / "file")
    assert content(tmp_path) == {"file"}


def test_a_place_that_cannot_be_written_is_the_callers_mistake(tmp_path: Path) -> None:
    with failing(BuildError("no"), NotADirectoryError(errno.ENOTDIR, "Not a directory")):
        write(tmp_path / "file")
    assert content(tmp_path) == set()


def test_outside_of_any_call_files_are_just_written(tmp_path: Path) -> None:
    write(tmp_path / "new" / "file")
    assert content(tmp_path) == {"new", "new/file"}
