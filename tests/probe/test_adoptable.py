"""What the manifest says is to be taken over: its state, and where it listens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.probe.fake_unix_server import endpoint, routes
from tests.probe.test_docker import CONTAINER
from xgen_deploy.probe.remote.adoptable import adoptable, parse_units
from xgen_deploy.probe.remote.commands import Answer
from xgen_deploy.state.facts import AdoptableFacts

SHOWN = """\
Id=llama.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Id=real.service
LoadState=loaded
ActiveState=failed
UnitFileState=transient

Id=gone.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
"""


def test_units() -> None:
    found = [
        AdoptableFacts(**u) for u in parse_units(SHOWN, ["llama.service", "a.service", "gone"])
    ]
    assert [(u.name, u.running, u.at_boot, u.cgroup, u.vanishes) for u in found] == [
        ("llama.service", True, True, "llama.service", False),
        ("a.service", False, False, "real.service", True),
    ]


def test_whether_a_unit_starts_at_boot_is_read_from_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a reload `show` goes on saying what systemd knew before it was disabled."""

    def answer(argv: Sequence[str], timeout: float) -> Answer:
        shown = argv[1] == "show"
        return Answer(0, SHOWN, "", None) if shown else Answer(1, "disabled\n", "", None)

    monkeypatch.setattr("xgen_deploy.probe.remote.adoptable.run", answer)
    names = ["llama.service", "a.service", "gone"]
    assert [u["at_boot"] for u in adoptable(names, [])["adoptable"]] == [False, False]


def test_a_container(tmp_path: Path) -> None:
    ports = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8001"}]}
    config = {"PortBindings": ports, "RestartPolicy": {"Name": "always"}}
    mine = {**CONTAINER, "HostConfig": config}
    socket = tmp_path / "docker.sock"
    with endpoint(socket, routes({"GET /containers/mine/json": mine})):
        (found,) = adoptable([], ["mine", "gone"], str(socket))["adoptable"]
    assert AdoptableFacts(**found) == AdoptableFacts(
        kind="container", name="mine", running=True, at_boot=True, cgroup="c1", ports=(8001,)
    )


def test_a_container_that_is_removed_once_it_is_stopped(tmp_path: Path) -> None:
    mine = {**CONTAINER, "HostConfig": {"AutoRemove": True}}
    socket = tmp_path / "docker.sock"
    with endpoint(socket, routes({"GET /containers/mine/json": mine})):
        (found,) = adoptable([], ["mine"], str(socket))["adoptable"]
    assert AdoptableFacts(**found).vanishes


def test_without_docker_there_is_no_container(tmp_path: Path) -> None:
    assert adoptable([], ["mine"], str(tmp_path / "none")) == {"adoptable": []}
