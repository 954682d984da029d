import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.probe.fake_unix_server import Asked, endpoint, routes
from tests.probe.gguf_writer import write
from xgen_deploy.probe.remote.commands import Answer
from xgen_deploy.probe.remote.docker_facts import docker
from xgen_deploy.probe.remote.docker_info import docker_info
from xgen_deploy.state.facts import DockerFacts

INFO = {"ServerVersion": "28.2.2", "Runtimes": {"runc": {}, "nvidia": {}}}
CONTAINER = {
    "Name": "/xgen-demo-m",
    "Id": "c1",
    "Image": "sha256:aa",
    "RestartCount": 4,
    "State": {
        "Status": "running",
        "Running": True,
        "Pid": 77,
        "ExitCode": 0,
        "StartedAt": "2026-11-21T03:31:02.5Z",
    },
    "Config": {"Labels": {"xgen.project": "demo", "xgen.instance": "m"}},
    "HostConfig": {
        "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8001"}], "9/tcp": None}
    },
}
DEAD = {
    "Name": "/xgen-demo-n",
    "Id": "c2",
    "Image": "sha256:bb",
    "State": {
        "Status": "exited",
        "Running": False,
        "Pid": 0,
        "ExitCode": 137,
        "OOMKilled": True,
        "StartedAt": "0001-01-01T00:00:00Z",
    },
    "Config": {"Labels": None},
    "HostConfig": {"PortBindings": None},
}
DAEMON = {
    "GET /_ping": b"OK",
    "GET /info": INFO,
    "GET /containers/json": [{"Id": "c1"}, {"Id": "c2"}],
    "GET /containers/c1/json": CONTAINER,
    "GET /containers/c2/json": DEAD,
}


def look(tmp_path: Path, table: Mapping[str, object]) -> tuple[DockerFacts, Asked]:
    socket = tmp_path / "docker.sock"
    with endpoint(socket, routes(table)) as asked:
        seen = docker("demo", str(socket))
        if seen["state"] == "ok":
            seen.update(docker_info(True, str(socket)))
        return DockerFacts.model_validate(seen), asked


def test_a_daemon_and_its_containers(tmp_path: Path) -> None:
    facts, _ = look(tmp_path, dict(DAEMON))
    assert (facts.state, facts.version, facts.runtimes) == ("ok", "28.2.2", ("nvidia", "runc"))
    running, dead = facts.containers
    assert (running.name, running.ports, running.pid) == ("xgen-demo-m", (8001,), 77)
    assert (running.labels["xgen.instance"], running.restarts) == ("m", 4)
    assert (running.exit_code, running.started_at) == (None, 1795231862.5)
    assert (dead.state, dead.exit_code, dead.oom_killed) == ("exited", 137, True)
    assert (dead.pid, dead.started_at, dead.labels) == (None, None, {})


def test_nothing_but_reading_is_asked(tmp_path: Path) -> None:
    _, asked = look(tmp_path, dict(DAEMON))
    assert {method for method, _, _ in asked} == {"GET"}


def test_devices_that_the_daemon_discovered(tmp_path: Path) -> None:
    told = [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}, {"Source": "cdi", "ID": "amd.com/gpu=1"}]
    info = INFO | {"DiscoveredDevices": told}
    facts, _ = look(tmp_path, DAEMON | {"GET /info": info})
    assert facts.cdi_devices == ("amd.com/gpu=1", "nvidia.com/gpu=0")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "nvidia.yaml",
            "---\ncdiVersion: 0.5.0\ncontainerEdits:\n  env:\n  - A=B\n"
            'devices:\n- containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n  name: "0"\n'
            "- containerEdits: {}\n  name: all\nkind: nvidia.com/gpu\n",
        ),
        (
            "nvidia.json",
            '{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": ['
            '{"name": "0", "containerEdits": {"hooks": [{"name": "x"}]}}, {"name": "all"}]}',
        ),
    ],
)
def test_an_older_daemon_is_helped_by_its_folders(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / "cdi" / name, text.encode())
    info = INFO | {"CDISpecDirs": [str(tmp_path / "cdi"), str(tmp_path / "absent")]}
    facts, _ = look(tmp_path, DAEMON | {"GET /info": info})
    assert facts.cdi_devices == ("nvidia.com/gpu=0", "nvidia.com/gpu=all")


def test_no_socket_and_no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xgen_deploy.probe.remote.docker_facts.which", lambda _name: None)
    facts = DockerFacts.model_validate(docker("demo", str(tmp_path / "docker.sock")))
    assert facts.state == "absent"


PODMAN_SCRIPT = '#!/usr/bin/sh\nexec /usr/bin/podman "$@"\n'


def test_the_snap_is_told_whether_its_daemon_runs_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = tmp_path / "docker"
    cli.symlink_to("/usr/bin/snap")
    monkeypatch.setattr("xgen_deploy.probe.remote.docker_facts.which", lambda _name: None)
    monkeypatch.setattr("xgen_deploy.probe.remote.docker_daemon.SNAP", str(cli))
    stopped = DockerFacts.model_validate(docker("demo", str(tmp_path / "docker.sock")))
    assert (stopped.state, stopped.cli) == ("snap", str(cli))
    running, _ = look(tmp_path, DAEMON)
    assert running.state == "snap"


@pytest.mark.parametrize("kind", ["script", "link", "docker"])
def test_podmans_docker_is_told_from_docker(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, podman = tmp_path / "docker", tmp_path / "podman"
    write(podman, b"\x7fELF podman")
    if kind == "link":
        cli.symlink_to(podman)
    else:
        write(cli, PODMAN_SCRIPT.encode() if kind == "script" else b"\x7fELF podman")
    monkeypatch.setattr("xgen_deploy.probe.remote.docker_facts.which", lambda _name: str(cli))
    facts, _ = look(tmp_path, DAEMON)
    assert facts.state == ("ok" if kind == "docker" else "podman")
    assert kind == "docker" or facts.reason == f"{cli} is Podman's"


def test_podmans_socket_is_told_from_dockers(tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    with endpoint(socket, routes(DAEMON), "Libpod/4.3.1 (linux)"):
        facts = DockerFacts.model_validate(docker("demo", str(socket)))
    assert (facts.state, facts.reason) == ("podman", f"Podman answers at {socket}")


@pytest.mark.parametrize(
    ("unit", "main_pid", "packaged", "state", "told"),
    [
        ("docker.service", "", False, "ok", "docker.service"),
        ("dockerd.service", "own", True, "ok", "dockerd.service"),
        ("ssh.service", "1", True, "ok", "docker.service"),
        ("ssh.service", "1", False, "ok", None),
        ("session-1.scope", "", False, "ok", None),
        (None, "", True, "ok", "docker.service"),
        ("snap.docker.dockerd.service", "", True, "snap", "docker.service"),
    ],
)
def test_the_unit_of_the_daemon(
    unit: str | None,
    main_pid: str,
    packaged: bool,
    state: str,
    told: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What listens here is the test's own process."""
    place = "xgen_deploy.probe.remote.docker_daemon"
    shown = str(os.getpid()) if main_pid == "own" else main_pid
    monkeypatch.setattr(f"{place}.process_unit", lambda _pid: unit)
    monkeypatch.setattr(f"{place}.run", lambda *_: Answer(0, f"{shown}\n", "", None))
    monkeypatch.setattr(f"{place}.FOLDERS", (str(tmp_path),))
    if packaged:
        write(tmp_path / "systemd/system/docker.service", b"")
    facts, _ = look(tmp_path, DAEMON)
    assert (facts.state, facts.unit) == (state, told)


def test_a_rootless_daemon_is_told_by_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "xgen_deploy.probe.remote.docker_daemon.ROOTLESS"
    write(tmp_path / "user/1000/docker.sock", b"")
    monkeypatch.setattr(place, str(tmp_path / "user/*/docker.sock"))
    facts = DockerFacts.model_validate(docker("demo", str(tmp_path / "docker.sock")))
    assert facts.state == "rootless"
    assert facts.reason == f"it listens at {tmp_path}/user/1000/docker.sock alone"


@pytest.mark.parametrize(
    ("options", "state", "userns"),
    [
        (None, "ok", False),
        (["name=seccomp,profile=builtin", "name=cgroupns"], "ok", False),
        (["name=seccomp,profile=builtin", "name=userns"], "ok", True),
        (["name=rootless"], "rootless", False),
    ],
)
def test_what_the_daemon_does_with_users(
    options: list[str] | None, state: str, userns: bool, tmp_path: Path
) -> None:
    info = INFO | {"SecurityOptions": options}
    facts, _ = look(tmp_path, DAEMON | {"GET /info": info})
    assert (facts.state, facts.userns) == (state, userns)


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    with endpoint(tmp_path / "docker.sock", routes({})):
        pass
    facts = DockerFacts.model_validate(docker("demo", str(tmp_path / "docker.sock")))
    assert facts.state == "down"
    assert "does not answer" in (facts.reason or "")


def test_a_daemon_that_complains(tmp_path: Path) -> None:
    for asked in ("GET /_ping", "GET /info"):
        (tmp_path / "docker.sock").unlink(missing_ok=True)
        facts, _ = look(tmp_path, DAEMON | {asked: (500, {"message": "no space left"})})
        assert (facts.state, facts.reason) == ("down", "the Docker daemon says: no space left")


def test_a_login_that_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr("xgen_deploy.probe.remote.docker_facts.request", refuse)
    facts = DockerFacts.model_validate(docker("demo", str(tmp_path / "docker.sock")))
    assert facts.state == "denied"


@pytest.mark.parametrize(
    ("requests", "can_be_lost"),
    [(None, False), ([{"Driver": "cdi"}], False), ([{"Driver": "", "Count": -1}], True)],
)
def test_gpus_of_a_device_request_can_be_lost(
    requests: object, can_be_lost: bool, tmp_path: Path
) -> None:
    given = {**CONTAINER, "HostConfig": {"DeviceRequests": requests}}
    seen, _ = look(tmp_path, {**DAEMON, "GET /containers/c1/json": given})
    assert seen.containers[0].gpu_request is can_be_lost
