"""How an end is told to people."""

import json

import pytest

from xgen_deploy.apply.journal import lines_of_run, lines_since
from xgen_deploy.backends.log_errors import telling
from xgen_deploy.state.exit_status import exit_words, out_of_memory, was_killed

CPU = "this build needs CPU features that the host lacks"
LOADER = "/llama-server: error while loading shared libraries: libcudart.so.12: cannot open shared"


@pytest.mark.parametrize(
    ("result", "status", "lines", "words"),
    [
        ("signal", 4, (), f"killed by SIGILL (illegal instruction): {CPU}"),
        ("core-dump", 4, (), f"killed by SIGILL (illegal instruction): {CPU}"),
        ("exit-code", 132, (), f"killed by SIGILL (illegal instruction): {CPU} (exit status 132)"),
        ("core-dump", 11, (), "killed by SIGSEGV (invalid memory access)"),
        ("exit-code", 139, (), "killed by SIGSEGV (invalid memory access)"),
        ("exit-code", 134, (), "killed by SIGABRT (abort)"),
        ("core-dump", 7, (), "killed by SIGBUS (bus error)"),
        ("core-dump", 8, (), "killed by SIGFPE (arithmetic error)"),
        ("signal", 9, (), "killed by SIGKILL (kill): something on the host killed it"),
        ("exit-code", 137, (), "killed by SIGKILL (kill): something on the host killed it"),
        ("signal", 15, (), "killed by SIGTERM (termination)"),
        ("signal", 40, (), "killed by signal 40"),
        (
            "oom-kill",
            9,
            (),
            "killed by SIGKILL (kill): the kernel killed it because memory ran out",
        ),
        ("exit-code", 1, (), "exit status 1"),
        ("exit-code", 127, (LOADER,), "exit status 127: the library libcudart.so.12 is missing"),
        ("exit-code", 127, (), "exit status 127: its program, or a library that it needs, is miss"),
        (
            "exit-code",
            127,
            ('docker: ... exec: "nowhere": executable file not found in $PATH: unknown.',),
            "exit status 127: nowhere is missing or cannot be run",
        ),
        ("exit-code", 126, (), "exit status 126: its program cannot be run"),
        ("exit-code", 125, (), "exit status 125: Docker could not start its container"),
        ("exit-code", 203, (), "exit status 203: its program is missing or cannot be run (EXEC)"),
        ("exit-code", 243, (), "exit status 243: systemd could not pass it its API key"),
        ("exit-code", None, (), "a command before its start failed"),
        ("timeout", 15, (), "it did not start or stop in time"),
        ("success", 0, (), "exit status 0: it exited by itself"),
        ("something-new", None, (), "something-new"),
    ],
)
def test_an_end_is_told_in_words(
    result: str, status: int | None, lines: tuple[str, ...], words: str
) -> None:
    assert exit_words(result, status, lines).startswith(words)


@pytest.mark.parametrize("number", range(1, 32))
def test_no_signal_is_told_as_a_bare_exit_status(number: int) -> None:
    assert exit_words("signal", number).startswith("killed by ")
    assert exit_words("exit-code", 128 + number).startswith("killed by ")


def test_the_kernel_s_word_is_told_where_memory_ran_out() -> None:
    kernel = (
        "oom-kill:constraint=CONSTRAINT_NONE,task_memcg=/docker/1,task=llama-server,pid=7,uid=9",
        "Out of memory: Killed process 7 (llama-server) total-vm:9kB, anon-rss:8kB",
    )
    assert was_killed("exit-code", 137)
    assert was_killed("signal", 9)
    assert not was_killed("exit-code", 9)
    assert out_of_memory(kernel) == (
        "the kernel killed llama-server because the host's memory ran out"
    )
    assert out_of_memory(("usb 1-1: new device",)) is None


def test_the_lines_that_are_shown_are_those_that_matter() -> None:
    loading = [f"0.00.{n:03d}.000 I loading tensor {n}" for n in range(30)]
    error = "0.00.447.036 E llama_model_load: error loading model"
    assert telling([*loading[:20], error, *loading[20:]], 15) == (error,)
    assert telling(loading, 3) == tuple(loading[-3:])
    removal = "Error response from daemon: No such container: xgen-p-q"
    assert telling([removal, "dying words"], 15) == ("dying words",)


def _entry(message: object, at: int, run: str | None = None) -> str:
    named = {} if run is None else {"_SYSTEMD_INVOCATION_ID": run}
    return json.dumps({"MESSAGE": message, "__MONOTONIC_TIMESTAMP": str(at), **named})


def test_the_lines_of_a_process_that_died_at_once_belong_to_its_start() -> None:
    """journald could not look up which start they are of."""
    text = "\n".join(
        [
            _entry("of the one before", 10, "a"),
            _entry("of the one before too", 20),
            _entry("starting", 31, "b"),
            _entry(list(b"dying \xff words"), 32),
            "not JSON",
        ]
    )
    assert lines_of_run(text, "b", 30) == ("starting", "dying \ufffd words")
    assert lines_of_run(text, "a", None) == ("of the one before",)
    assert lines_since(text, 30) == ("starting", "dying \ufffd words")
