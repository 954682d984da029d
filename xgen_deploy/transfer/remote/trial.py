"""Whether an engine runs on this host: it is started as it will be, without rights unless it is to
have the login's, and a llama-server loads a model and answers.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import http.client
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import time
from typing import Callable

NOBODY = 65534
PDEATHSIG = 1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Else llama-server copies what it maps into another order, which takes as much memory again.
AS_MAPPED = {"LLAMA_ARG_REPACK": "0", "LLAMA_ARG_NO_REPACK": "1"}
PATIENCE = 180.0
PAUSE = 0.1
TAIL = 16 << 10
SHOWN = 300
_WHY = {
    errno.ENOEXEC: "it is for another kind of processor than this host's ({machine})",
    errno.EACCES: "it may not be executed there: the disk is mounted `noexec`, or users other than "
    "root cannot enter the folder",
    errno.ENOENT: "its program loader is not on this host, so it was built for another system",
}
_MISMATCH = "it uses instructions that this host's processor lacks (SIGILL)"


class Failed(Exception):
    """Why it cannot be used, as a clause about it."""


def version(program: str, log: str, *, as_login: bool = False) -> None:
    """`--version` ends well. `log` is a file for what it prints. Raises Failed."""
    with started([program, "--version"], log, as_login) as process:
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"its `--version` does not end within {PATIENCE:.0f} s") from None
        finally:
            end(process)
    if code != 0:
        raise Failed(f"its `--version` fails: {reason(code, log)}")


def serves(
    program: str, model: str, log: str, *, as_login: bool = False, patience: float = PATIENCE
) -> None:
    """A llama-server loads `model` on the CPU and makes a token. Raises Failed."""
    port = _free_port()
    name = os.path.basename(model)
    with started(_on_cpu(program, model, port), log, as_login) as process:
        try:
            _wait_for(process, port, log, name, time.monotonic() + patience)
            body = json.dumps({"prompt": "a", "n_predict": 1, "temperature": 0}).encode()
            status = _ask(port, "POST", "/completion", body, patience)
            if status != 200:
                process.poll()
                code = process.returncode
                why = f"answers {status}" if code is None and status else reason(code, log)
                raise Failed(f"it does not compute with {name}: {why}")
        finally:
            end(process)


def loads(
    program: str, model: str, log: str, *, as_login: bool = False, patience: float = PATIENCE
) -> None:
    """A llama-server loads `model` into the host's memory and finds no odd number in it. Raises
    Failed."""
    port = _free_port()
    argv = [*_on_cpu(program, model, port), "--check-tensors", "--no-warmup"]
    with started(argv, log, as_login, AS_MAPPED) as process:
        try:
            _wait_for(process, port, log, os.path.basename(model), time.monotonic() + patience)
        finally:
            end(process)


def _on_cpu(program: str, model: str, port: int) -> list[str]:
    argv = [program, "--model", model, "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--ctx-size", "256", "--parallel", "1", "--threads", "1"]
    return [*argv, "--n-gpu-layers", "0", "--device", "none"]


def _wait_for(
    process: subprocess.Popen[bytes], port: int, log: str, name: str, until: float
) -> None:
    while _ask(port, "GET", "/health", None, 5.0) != 200:
        if process.poll() is not None:
            raise Failed(f"it does not load {name}: {reason(process.returncode, log)}")
        if time.monotonic() > until:
            raise Failed(f"it has not loaded {name} in time; it said: {_last_line(log)}")
        time.sleep(PAUSE)


def _ask(port: int, method: str, path: str, body: bytes | None, patience: float) -> int:
    """The status, 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read(1 << 16)
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def started(
    argv: list[str], log: str, as_login: bool, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    try:
        with open(log, "wb") as out:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": PATH, "LC_ALL": "C", "HOME": "/nonexistent", **(env or {})},
                start_new_session=True,
                preexec_fn=_in_the_child(as_login),
            )
    except OSError as error:
        why = _WHY.get(error.errno or 0, error.strerror or str(error))
        raise Failed(why.format(machine=platform.machine())) from None


def _in_the_child(as_login: bool) -> Callable[[], None]:
    """Without core dumps, rights unless `as_login`, and never longer there than this program; where
    memory runs out, the first to go."""
    libc, drops = ctypes.CDLL(None), os.geteuid() == 0 and not as_login

    def begin() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        if drops:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        libc.prctl(PDEATHSIG, signal.SIGKILL)  # a change of user would undo it

    return begin


def end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def reason(code: int | None, log: str, *, but: str | None = None) -> str:
    """`but` is in lines that tell nothing."""
    if code is None:
        return "it gives no answer"
    if code == -signal.SIGILL:
        return _MISMATCH
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"it ended by {signal.Signals(-code).name}"
    return _last_line(log, but) or f"exit status {code}"


def _last_line(log: str, but: str | None = None) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        text = file.read(TAIL).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if but is None or but not in line]
    return "".join(c if c.isprintable() else "?" for c in lines[-1])[:SHOWN] if lines else ""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
