"""A host that is a folder: files are real, services are only said to run, and any one change of the
disk can be made to fail."""

# A session's signatures are whole, whatever of them a folder needs.
# ruff: noqa: ARG002

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.render.scene import Scene
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.service_manager import State
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record
from xgen_deploy.transport.base import Completed, HostError, Reply

_OURS = ("sh", "cp", "mv", "test")


class FolderSession:
    """`fails_at`: which change of the disk is the one too many; 0 is none."""

    def __init__(self, fails_at: int = 0) -> None:
        self._left = fails_at
        self.ran: list[tuple[str, ...]] = []

    def _change(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise HostError("h", "No space left on device")

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        self.ran.append(tuple(argv))
        if argv[0] not in _OURS:
            return Completed(0, "", "")
        if argv[0] in ("cp", "mv"):
            self._change()
        done = subprocess.run(argv, text=True, capture_output=True, timeout=timeout, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)

    def write_file(
        self, path: str, content: bytes, *, mode: int, uid: int = 0, gid: int = 0
    ) -> None:
        self._change()
        Path(path).write_bytes(content)

    def make_dir(self, path: str, *, mode: int, uid: int = 0, gid: int = 0) -> None:
        self._change()
        Path(path).mkdir(parents=True, exist_ok=True)

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        file = Path(path)
        return file.read_bytes()[offset : offset + limit] if file.is_file() else None

    def remove(self, path: str, *, within: str) -> bool:
        assert Path(path).is_relative_to(within)
        there = Path(path)
        if there.is_dir():
            shutil.rmtree(there)
        elif there.exists():
            there.unlink()
        else:
            return False
        return True

    def request(
        self,
        method: str,
        address: str,
        port: int,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float,
        tls: bool = False,
    ) -> Reply:
        return Reply(200, b"")

    def ask_socket(self, path: str, sent: bytes, *, timeout: float) -> bytes:
        raise HostError("h", "no gateway runs here")

    def lock(self, path: str, owner: Mapping[str, str], *, wait: float = 0.0) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class ShownSession(FolderSession):
    """systemd says this of any unit."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self._shown = shown

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        done = super().run(argv, timeout=timeout, stdin=stdin, env=env)
        return Completed(0, self._shown, "") if argv[:2] == ["systemctl", "show"] else done


class SaidToRun:
    """`restarted` is a file that whoever starts a service by a command on the host leaves."""

    def __init__(self, restarted: Path) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self._restarted = restarted

    def prepare(self) -> None:
        pass

    def reload(self) -> None:
        pass

    def start(self, service: str) -> None:
        self.started.append(service)

    def stop(self, service: str) -> None:
        self.stopped.append(service)

    def restart_argv(self, service: str) -> tuple[str, ...]:
        return ("touch", str(self._restarted))

    def state(self, service: str) -> State:
        return State(alive=True, detail="running")

    def log(self, service: str, run: str | None, *, lines: int | None = None) -> str:
        return ""

    def kernel_log(self, service: str) -> tuple[str, ...]:
        return ()


def at_work(session: FolderSession, layout: Layout, folder: Path) -> HostContext:
    """A host of a manifest with one instance, of which nothing is recorded yet."""
    case = {
        "host": "cpu",
        "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}},
        "place": [{"model": "q"}],
    }
    return HostContext(
        "h",
        session,
        layout,
        Rendering(layout, Templates(read_templates())),
        SaidToRun(folder / "restarted"),
        Record(project="p"),
        SecretResolver(Scene(case, folder).site),
    )
