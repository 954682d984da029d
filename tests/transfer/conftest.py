import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.transfer.rig import CHUNK, MODEL, NAME, Rig, made, shortened
from xgen_deploy.transfer import host_transfer, local_file
from xgen_deploy.transport import python_host
from xgen_deploy.transport.program import remote_program


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A hub with a file of five chunks and a bit."""
    program = shortened(remote_program("transfer"))
    monkeypatch.setattr(python_host, "remote_program", lambda *_: program)
    monkeypatch.setattr(host_transfer, "CHUNK", CHUNK)
    monkeypatch.setattr(local_file, "CHUNK", CHUNK)
    data = made(5 * CHUNK + 1234)
    with serving(FakeHub({NAME: Repository({MODEL: data})})) as hub:
        yield Rig(tmp_path, hub, data)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KiB; root only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
