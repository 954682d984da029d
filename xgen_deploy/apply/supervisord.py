"""The process runtime's supervisor: supervisord, one a project, under the login's own account."""

from xgen_deploy.apply.service_manager import State
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Completed, HostError, Session

_ASK = 60.0
_TAIL = 65536
_NOT_RUNNING = 4  # supervisorctl: no supervisor answers at the socket
_ALIVE = ("RUNNING", "STARTING")
# What the supervisor's files say may be relative to its folder (`Layout.supervisor_folder`).
_IN_FOLDER = ("sh", "-c", 'cd -- "$1" && shift && exec "$@"', "xgen-deploy")


class Supervisord:
    """Over the local session. `python` is the interpreter that has the supervisor."""

    def __init__(self, host: str, session: Session, layout: Layout, config: str, python: str):
        self._host = host
        self._session = session
        self._layout = layout
        self._config = config
        self._python = python
        self._offsets: dict[str, int] = {}

    def prepare(self) -> None:
        base = self._layout.process_dir or ""
        for folder in (base, f"{base}/conf.d", f"{base}/log"):
            self._session.make_dir(folder, mode=0o700)
        path = f"{base}/supervisord.conf"
        if self._session.read_file(path) != self._config.encode():
            self._session.write_file(path, self._config.encode(), mode=0o600)
        if self._control("pid").returncode != 0:
            argv = (*_IN_FOLDER, base, self._python, "-I", "-m", "supervisor.supervisord")
            done = self._session.run([*argv, "-c", path], timeout=_ASK)
            if done.returncode != 0:
                raise HostError(self._host, f"supervisord did not start: {_said(done)}")

    def reload(self) -> None:
        """`start` and `stop` make supervisord read just what they change."""

    def start(self, service: str) -> None:
        log = self._log_path(service)
        self._offsets[service] = self._size(log)
        self._must("reread")
        self._control("stop", service)
        self._control("remove", service)
        self._must("add", service)

    def stop(self, service: str) -> None:
        self._control("stop", service)
        self._control("remove", service)

    def restore(self, service: str, *, reload: bool) -> None:
        """supervisord reads what it starts anew at its next start."""

    def end(self) -> None:
        """Ends the supervisor itself, with all that it runs."""
        self._control("shutdown")

    def restart_argv(self, service: str) -> tuple[str, ...]:
        return (*self._ctl(), "restart", service)

    def stop_argv(self, service: str) -> tuple[str, ...]:
        return (*self._ctl(), "stop", service)

    def state(self, service: str) -> State:
        done = self._control("status", service)
        words = done.stdout.split(None, 2)
        name = words[1] if len(words) > 1 else "UNKNOWN"
        detail = f"{name.lower()} {words[2].strip() if len(words) > 2 else ''}".strip()
        pid = self._control("pid", service).stdout.strip() if name == "RUNNING" else None
        return State(alive=name in _ALIVE, detail=detail, run=pid)

    def pid(self, service: str) -> int | None:
        text = self._control("pid", service).stdout.strip()
        return int(text) if text.isdigit() and int(text) > 0 else None

    def log(self, service: str, run: str | None, *, lines: int | None = None) -> str:  # noqa: ARG002
        path, start = self._log_path(service), self._offsets.get(service, 0)
        size = self._size(path)
        start = (
            start if start <= size else 0
        )  # a new file since then: supervisord moved the old one
        text = self._whole(path, start if lines is None else max(start, size - _TAIL))
        return text if lines is None else "\n".join(text.splitlines()[-lines:])

    def gap(self, service: str, run: str | None) -> str | None:  # noqa: ARG002
        return None

    def kernel_log(self, service: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def _whole(self, path: str, offset: int) -> str:
        log = b""
        while chunk := self._session.read_file(path, offset=offset + len(log)):
            log += chunk
        return log.decode(errors="replace")

    def _size(self, path: str) -> int:
        done = self._session.run(["stat", "-c", "%s", path], timeout=_ASK)
        text = done.stdout.strip()
        return int(text) if done.returncode == 0 and text.isdigit() else 0

    def _log_path(self, service: str) -> str:
        prefix = self._layout.service("")
        return self._layout.log(service.removeprefix(prefix))

    def _must(self, *words: str) -> None:
        done = self._control(*words)
        if done.returncode != 0 or "ERROR" in done.stdout:
            raise HostError(self._host, f"`supervisorctl {' '.join(words)}` failed: {_said(done)}")

    def _control(self, *words: str) -> Completed:
        return self._session.run([*self._ctl(), *words], timeout=_ASK)

    def _ctl(self) -> tuple[str, ...]:
        base = self._layout.process_dir or ""
        ctl = (self._python, "-I", "-m", "supervisor.supervisorctl")
        return (*_IN_FOLDER, base, *ctl, "-c", f"{base}/supervisord.conf")


def _said(done: Completed) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"status {done.returncode}"
