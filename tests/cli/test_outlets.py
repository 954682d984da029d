"""A reader that goes away and a disk that is full: a change goes on, a look ends in a sentence."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

# Commands that print, one that changes and one that looks, without a host.
_CODE = """
import sys, types, click, pathlib
from xgen_deploy.cli import main

@click.command()
def command():
    for n in range(3):
        pathlib.Path({place!r}, f"step-{{n}}").touch()
        print("x" * 100000, flush=True)
        {between}
    pathlib.Path({place!r}, "recorded").touch()
    return 4

for name in ("apply", "status"):
    module = types.ModuleType("xgen_deploy.cli.commands." + name)
    module.command = command
    sys.modules[module.__name__] = module
main.run()
"""


def tool(place: Path, word: str, between: str = "pass") -> list[str]:
    return [sys.executable, "-c", _CODE.format(place=str(place), between=between), word]


def gone_pipe() -> int:
    read, write = os.pipe()
    os.close(read)
    return write


def _heeding_signals() -> None:
    """What is started in the background, or with nohup, ignores them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def run(argv: Sequence[str], stdout: int, stderr: int = subprocess.PIPE) -> tuple[int, str]:
    done = subprocess.run(
        argv,
        stdout=stdout,
        stderr=stderr,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=_heeding_signals,
    )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("reader", ["gone", "full", "closed"])
def test_a_change_goes_on_and_is_recorded_when_nobody_reads(tmp_path: Path, reader: str) -> None:
    argv = tool(tmp_path, "apply")
    if reader == "closed":
        argv = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *argv]
    handle = {"gone": gone_pipe, "full": lambda: os.open("/dev/full", os.O_WRONLY)}
    stdout = handle.get(reader, lambda: subprocess.DEVNULL)()
    assert run(argv, stdout) == (4, "")
    assert (tmp_path / "recorded").exists()


def test_a_change_goes_on_with_its_errors_unread_too(tmp_path: Path) -> None:
    assert run(tool(tmp_path, "apply"), gone_pipe(), gone_pipe())[0] == 4
    assert (tmp_path / "recorded").exists()


def test_a_closed_terminal_stops_no_change(tmp_path: Path) -> None:
    between = "__import__('os').kill(__import__('os').getpid(), __import__('signal').SIGHUP)"
    assert run(tool(tmp_path, "apply", between), subprocess.DEVNULL)[0] == 4
    assert (tmp_path / "recorded").exists()
    looked = run(tool(tmp_path, "status", between), subprocess.DEVNULL)[0]
    assert looked == -signal.SIGHUP, "a look is nothing to be finished"


def test_a_look_ends_quietly_when_its_reader_is_gone(tmp_path: Path) -> None:
    assert run(tool(tmp_path, "status"), gone_pipe()) == (1, "")
    assert not (tmp_path / "step-1").exists(), "nobody is there for whom to go on"


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    code, said = run(tool(tmp_path, "status"), os.open("/dev/full", os.O_WRONLY))
    assert code == 1
    assert said == "xgen-deploy: standard output cannot be written: No space left on device\n"


def test_a_short_output_that_fails_at_the_end_is_told_too() -> None:
    argv = [sys.executable, "-c", "from xgen_deploy.cli.main import run; run()", "--version"]
    code, said = run(argv, os.open("/dev/full", os.O_WRONLY))
    assert (code, said.count("\n")) == (1, 1)
    assert "No space left on device" in said


def test_a_fault_of_the_tool_is_a_sentence(tmp_path: Path) -> None:
    code, said = run(tool(tmp_path, "status", "{}['a secret']"), subprocess.DEVNULL)
    assert code == 1
    assert "xgen-deploy itself failed (KeyError" in said
    assert "secret" not in said


def test_a_saved_plan_is_whole_or_not_there(tmp_path: Path) -> None:
    from xgen_deploy.cli.saved_file import write_file
    from xgen_deploy.errors import UsageError

    target = tmp_path / "plan.json"
    write_file(str(target), "{}")
    assert target.read_text() == "{}\n"
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="/dev/full cannot be written: No space left on device"):
        write_file("/dev/full", "{}")
    with pytest.raises(UsageError, match="cannot be written"):
        write_file(str(tmp_path / "none" / "plan.json"), "{}")
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("word", ["apply", "status"])
def test_who_is_interrupted_says_so_with_code_130(
    tmp_path: Path, word: str, by: signal.Signals
) -> None:
    between = f"import signal; signal.raise_signal({int(by)})"
    code, said = run(tool(tmp_path, word, between), subprocess.DEVNULL)
    assert (code, "interrupted" in said) == (130, True)
    assert not (tmp_path / "recorded").exists()
