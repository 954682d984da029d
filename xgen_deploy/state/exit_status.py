"""Words for how a process ended, as a clause for people. Pure.

The words for signals are signal(7)'s, those for systemd's own statuses systemd.exec(5)'s
(PROCESS EXIT CODES); a container's or a shell's status above 128 is 128 and the signal's number.
"""

import re
from collections.abc import Sequence

from xgen_deploy.log_lines import LONGEST

_SIGNALS = {
    1: ("SIGHUP", "hangup"),
    2: ("SIGINT", "interrupt"),
    3: ("SIGQUIT", "quit"),
    4: ("SIGILL", "illegal instruction"),
    5: ("SIGTRAP", "trace trap"),
    6: ("SIGABRT", "abort"),
    7: ("SIGBUS", "bus error"),
    8: ("SIGFPE", "arithmetic error"),
    9: ("SIGKILL", "kill"),
    10: ("SIGUSR1", "user signal 1"),
    11: ("SIGSEGV", "invalid memory access"),
    12: ("SIGUSR2", "user signal 2"),
    13: ("SIGPIPE", "broken pipe"),
    14: ("SIGALRM", "alarm"),
    15: ("SIGTERM", "termination"),
    24: ("SIGXCPU", "CPU time limit"),
    25: ("SIGXFSZ", "file size limit"),
    31: ("SIGSYS", "forbidden system call"),
}
_MEANINGS = {
    4: "this build needs CPU features that the host lacks",
    6: "the engine aborted; its log says why",
    7: "a mapped file or memory page could not be read: a truncated model, or a full /dev/shm",
    9: "something on the host killed it, most often for lack of memory",
    11: "a bug in this build or its driver, or a damaged model file",
    31: "a system call that it needs is forbidden",
}
_OUT_OF_MEMORY = "the kernel killed it because memory ran out"
_STATUSES = {
    125: "Docker could not start its container",
    126: "its program cannot be run: not executable, or built for another architecture",
    127: "its program, or a library that it needs, is missing",
    200: "systemd could not change to its working directory (CHDIR)",
    203: "its program is missing or cannot be run (EXEC)",
    214: "systemd could not set its scheduling (SETSCHEDULER)",
    216: "systemd could not set its group (GROUP)",
    217: "systemd could not set its user (USER)",
    218: "systemd could not set its capabilities (CAPABILITIES)",
    225: "systemd could not set up its network (NETWORK)",
    226: "systemd could not set up its mount namespace (NAMESPACE)",
    228: "systemd could not set its system call filter (SECCOMP)",
    243: "systemd could not pass it its API key (CREDENTIALS)",
}
_RESULTS = {
    "timeout": "it did not start or stop in time",
    "protocol": "it did not start as systemd expects",
    "resources": "systemd lacked the resources to start it",
    "watchdog": "systemd's watchdog killed it",
    "exec-condition": "its start condition was not met",
    "start-limit-hit": "it was started too often in a short time",
}
_SIGNALLED = ("signal", "core-dump")
_ABOVE = 128
_LIBRARY = re.compile(r"error while loading shared libraries: ([^:]{1,300}):")
_PROGRAM = re.compile(
    r'exec: "([^"]{1,300})": |exec (\S{1,300}): (?:no such file|exec format)', re.IGNORECASE
)
_KILLED = re.compile(
    r"(Out of memory|Memory cgroup out of memory): Killed process \d{1,10} \(([^)]{0,100})\)"
)


def exit_words(result: str | None, status: int | None, lines: Sequence[str] = ()) -> str:
    """`killed by SIGILL (illegal instruction): …`, `exit status 127: libcudart.so.12 is missing`.

    `result` is systemd's word (systemd's D-Bus interface, property Result), `status` the exit
    status or the signal's number; None: its program did not run. `lines` are its log's.
    """
    if result == "oom-kill":
        return f"killed by SIGKILL (kill): {_OUT_OF_MEMORY}"
    if result in _RESULTS:
        return _RESULTS[result]
    if result in _SIGNALLED and status is not None:
        return _killed(status)
    if status is not None and _ABOVE < status <= _ABOVE + 64:
        return f"{_killed(status - _ABOVE)} (exit status {status})"
    if status:
        meaning = _missing(lines) or _STATUSES.get(status)
        return f"exit status {status}" + (f": {meaning}" if meaning else "")
    if result in (None, "", "success"):
        return "exit status 0: it exited by itself"
    return "a command before its start failed" if result == "exit-code" else str(result)


def was_killed(result: str | None, status: int | None) -> bool:
    """By SIGKILL, which does not say why; the kernel's log may."""
    return (result == "signal" and status == 9) or status == _ABOVE + 9


def out_of_memory(kernel: Sequence[str]) -> str | None:
    """The last process that the kernel killed for lack of memory, as a clause, or None; `kernel`
    are the lines of its log from the time in question.
    """
    for line in reversed(kernel):
        match = _KILLED.search(line[:LONGEST])
        if match is not None:
            where = "the host's" if match[1].startswith("Out") else "its limit of"
            return f"the kernel killed {match[2]} because {where} memory ran out"
    return None


def _killed(number: int) -> str:
    name, short = _SIGNALS.get(number, (f"signal {number}", ""))
    told = f"killed by {name}" + (f" ({short})" if short else "")
    return f"{told}: {_MEANINGS[number]}" if number in _MEANINGS else told


def _missing(lines: Sequence[str]) -> str | None:
    """What the loader, a shell or Docker found missing."""
    for line in lines:
        library = _LIBRARY.search(line[:LONGEST])
        if library is not None:
            return f"the library {library[1]} is missing"
        program = _PROGRAM.search(line[:LONGEST])
        if program is not None:
            return f"{program[1] or program[2]} is missing or cannot be run"
    return None
