"""Our side of a connection to a real sshd."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.transport.sshd import Sshd
from xgen_deploy.errors import UnreachableError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options

ECHO = b"emit(b'got ' + REQUEST)"


class Side:
    """Our side: a home of its own, connections that are closed at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.known_hosts = home / ".ssh" / "known_hosts"
        self.opened: list[Connector] = []

    def write(self, name: str, text: str) -> Path:
        path = self.home / ".ssh" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text)
        return path

    def knows(self, server: Sshd, key: Path) -> None:
        kind, blob = Path(f"{key}.pub").read_text().split()[:2]
        self.write("known_hosts", f"[127.0.0.1]:{server.port} {kind} {blob}\n")

    def reach(self, server: Sshd, *, accept: bool = False, **stated: object) -> Connection:
        connector = Connector(Options(accept_new_host_keys=accept))
        self.opened.append(connector)
        host = {"name": "gpu", "address": "127.0.0.1", "port": server.port, "become": False}
        return connector.connect(Host.model_validate(host | stated))


def look(connection: Connection) -> bytes:
    return connection.observe(ECHO, b"it", timeout=30)


def refusal(connection: Connection) -> str:
    with pytest.raises(UnreachableError) as refused:
        look(connection)
    return str(refused.value)


@contextmanager
def agent(socket: Path, **environment: str) -> Iterator[Path]:
    """A real ssh-agent without keys."""
    started = subprocess.run(
        ["ssh-agent", "-a", socket],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield socket
    finally:
        os.kill(int(re.search(r"SSH_AGENT_PID=(\d+)", started.stdout)[1]), 15)


def add(socket: Path, *arguments: str | Path) -> None:
    environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
    subprocess.run(["ssh-add", "-q", *arguments], check=True, env=environment)
