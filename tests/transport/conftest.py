import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transport.side import Side
from tests.transport.sshd import Sshd, keygen
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options


@pytest.fixture
def here() -> Iterator[Connection]:
    """This machine, as whoever runs the tests."""
    connector = Connector(Options(runtime="process"))
    yield connector.connect(Host(name="here", connection="local"))
    connector.close()


@pytest.fixture
def session(here: Connection) -> Iterator[Session]:
    with here.session() as opened:
        yield opened


@pytest.fixture
def side(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    ours = Side(home)
    yield ours
    for connector in ours.opened:
        connector.close()


@pytest.fixture
def server(tmp_path, side):
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    (side.home / ".ssh").mkdir(mode=0o700)
    login = keygen(side.home / ".ssh" / "id_ed25519")
    folder = tmp_path / "sshd"
    folder.mkdir()
    started = Sshd(folder, Path(f"{login}.pub"), [keygen(folder / "host_key")])
    yield started.start()
    started.stop()
