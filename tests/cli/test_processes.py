"""The command line as a process: how it is started, what shells ask it, what stops it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flanmix import __version__
from flanmix.cli import COMMANDS

SCRIPT = Path(sys.executable).with_name("flanmix")


def flanmix(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m flanmix`, in the working folder."""
    return subprocess.run(
        [sys.executable, "-m", "flanmix", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def completed(words: str) -> list[str]:
    """What a shell is offered after these words, the last of which may be half a word."""
    position = str(len(words.split(" ")) - 1)
    asked = flanmix(COMP_WORDS=words, COMP_CWORD=position, _FLANMIX_COMPLETE="bash_complete")
    assert (asked.returncode, asked.stderr) == (0, "")
    return [line.partition(",")[2] for line in asked.stdout.splitlines()]


def test_python_m_flanmix_is_the_command_line() -> None:
    done = flanmix("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"flanmix, version {__version__}\n", "")


@pytest.mark.skipif(not SCRIPT.exists(), reason="flanmix is not installed beside this Python")
def test_the_installed_script_is_the_command_line() -> None:
    done = subprocess.run([SCRIPT, "frobnicate"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("flanmix: no command is called 'frobnicate'")


def test_help_loads_nothing_heavy() -> None:
    program = f"""
import sys
from flanmix.cli import run
for command in {["", *COMMANDS]!r}:
    run([*command.split(), "--help"])
heavy = {{"datasets", "jinja2", "numpy", "pandas", "pyarrow", "rich", "tqdm"}}
print(sorted(heavy & sys.modules.keys()), file=sys.stderr)
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr == "[]\n"


# ---- completion


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -"), ("zsh", "#compdef flanmix"), ("fish", "complete ")]
)
def test_shells_are_given_a_script_for_completion(shell: str, word: str) -> None:
    done = flanmix(_FLANMIX_COMPLETE=f"{shell}_source")
    assert done.returncode == 0
    assert word in done.stdout
    assert f"{shell}_complete" in done.stdout


def test_commands_and_options_are_completed(work: Path) -> None:
    assert completed("flanmix pl") == ["plan"]
    assert "--registry" in completed("flanmix plan --re")
    assert completed("flanmix plan --format ") == ["table", "json"]


def test_names_are_completed_those_of_named_folders_too(work: Path) -> None:
    assert completed("flanmix preview geography/c") == ["geography/capitals"]
    assert completed("flanmix preview -r . toy/") == ["toy/colours", "toy/sums"]
    assert completed("flanmix show -r . ridd") == ["riddles"]
    assert completed("flanmix plan star") == ["starter", "starter_flan", "star"]  # or a file that begins so
    assert completed("flanmix build -r . min") == ["mini", "min"]


def test_a_broken_folder_does_not_disturb_completion(work: Path) -> None:
    (work / "sums.yaml").write_text("task: [")
    assert completed("flanmix preview -r . geography/c") == ["geography/capitals"]


# ---- what stops it


@pytest.mark.parametrize(
    "command",
    ["ls -r .", "ls --format json", "show -r . mini", "plan mix.yaml", "preview -r . toy/sums", "--help"],
)
def test_nothing_is_said_where_the_reader_of_the_output_is_gone(work: Path, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as output:
        done = subprocess.run(
            [sys.executable, "-m", "flanmix", *command.split()], stdout=output, stderr=subprocess.PIPE, check=False
        )
    assert done.stderr == b""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_an_interrupted_build_says_so_in_one_line_and_goes_on_when_asked_again(work: Path) -> None:
    build = ("build", "mix.yaml", "--rows", "1000", "--shard-rows", "10", "-o")
    command = [sys.executable, "-m", "flanmix", *build, "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = b""
        while b"%|" not in told:  # the progress bar: shards are being built
            told += process.stderr.read1()
            assert process.poll() is None, told
        process.send_signal(signal.SIGINT)
        printed, rest = process.communicate()
    lines = (told + rest).decode().replace("\r", "\n").splitlines()
    assert process.returncode == 130
    assert printed == b""
    assert lines[-1] == "interrupted - run the same command again to go on"
    assert all("%|" in line or not line.strip() for line in lines[:-1]), lines
    assert not (work / "out/manifest.json").exists()

    assert flanmix(*build, "out", "-q").returncode == 0
    assert flanmix(*build, "whole", "-q").returncode == 0
    assert flanmix("verify", "out").returncode == 0
    for file in (work / "whole").rglob("*"):
        if file.is_file():
            assert (work / "out" / file.relative_to(work / "whole")).read_bytes() == file.read_bytes()
