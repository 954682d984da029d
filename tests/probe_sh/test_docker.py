"""Docker by its command line: what it prints, shortened, and what becomes of that."""

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.probe.gguf_writer import write
from tests.probe.running import request
from tests.probe_sh.running import SHELLS, by_shell
from tests.probe_sh.test_gpus import SMI, smi
from xgen_deploy.state.facts import DockerFacts

INFO = """{"ServerVersion":"28.3.1","Runtimes":{"runc":{"path":"runc"},
"io.containerd.runc.v2":{"path":"runc"},"nvidia":{"path":"n","runtimeArgs":[]}},
"DiscoveredDevices":[{"Source":"cdi","ID":"nvidia.com/gpu=0"},{"Source":"x","ID":"y"}],
"CDISpecDirs":["/etc/cdi"],"Labels":[],"Swarm":{"RemoteManagers":null}}""".replace("\n", "")
ID = "0123456789abcdef" * 4
CONTAINER = (
    f'{{"name":"/xgen-demo-m","id":"{ID}","image_id":"sha256:1","state":"running",'
    '"labels":{"xgen.project":"demo","x":"a \\"b\\", {c}"},"ports":[8010 443 8010 443 ],'
    '"pid":7,"exit_code":null,"started_at":"2024-02-29T23:59:59.123456789Z",'
    '"restarts":2,"oom_killed":false}'
)
SCRIPT = f"""#!/bin/sh
shift 2
case "$1" in
info) echo 'WARNING: No swap limit support' >&2; echo '{INFO}' ;;
ps) echo {ID} ;;
inspect) cat <<'END'
{CONTAINER}
END
esac
"""


@pytest.fixture
def place() -> Iterator[str]:
    """A socket; its path must be short."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(folder + "/s")
        yield folder + "/s"


def look(folder: Path, place: str, script: str, shell: str = "dash") -> DockerFacts:
    """On a host with NVIDIA GPUs: only there matters which ways lead to them."""
    tools = smi(folder, SMI["two cards"])
    write(tools / "docker", script.encode()).chmod(0o755)
    return by_shell(request(folder), shell, tools=tools, socket=place).docker


@pytest.mark.parametrize("shell", SHELLS)
def test_what_the_daemon_has(tmp_path: Path, place: str, shell: str) -> None:
    found = look(tmp_path, place, SCRIPT, shell)
    assert (found.state, found.version) == ("ok", "28.3.1")
    assert found.runtimes == ("io.containerd.runc.v2", "nvidia", "runc")
    assert found.cdi_devices == ("nvidia.com/gpu=0",)
    (container,) = found.containers
    assert (container.name, container.ports) == ("xgen-demo-m", (443, 8010))
    assert container.labels == {"xgen.project": "demo", "x": 'a "b", {c}'}
    assert container.started_at == pytest.approx(1709251199.123)


STAMPS = {
    '"0001-01-01T00:00:00Z"': None,
    '"1970-01-02T00:00:00Z"': 86400.0,
    '"2026-11-21T05:31:02.5+02:00"': 1795231862.5,
    '"2026-11-21T00:31:02-03:00"': 1795231862.0,
}


@pytest.mark.parametrize("stamp", STAMPS)
def test_since_when(tmp_path: Path, place: str, stamp: str) -> None:
    script = SCRIPT.replace('"2024-02-29T23:59:59.123456789Z"', stamp)
    assert look(tmp_path, place, script).containers[0].started_at == STAMPS[stamp]


DOWN = {
    "echo Cannot connect to the daemon >&2; exit 1": "the Docker daemon says: Cannot connect",
    "echo '{}'": "does not tell its version",
}


@pytest.mark.parametrize("script", DOWN)
def test_a_daemon_that_does_not_answer(tmp_path: Path, place: str, script: str) -> None:
    found = look(tmp_path, place, f"#!/bin/sh\n{script}\n")
    assert found.state == "down"
    assert DOWN[script] in (found.reason or "")


def test_no_socket(tmp_path: Path) -> None:
    found = look(tmp_path, "/no/such", SCRIPT)
    assert (found.state, found.reason) == (
        "down",
        f"{tmp_path}/tools/docker is installed but /no/such is not there",
    )


CDI = {
    "nvidia.yaml": 'cdiVersion: "0.5.0"\nkind: nvidia.com/gpu\ndevices:\n- name: "0"\n'
    "  containerEdits: {}\n- containerEdits: {}\n  name: all\n",
    "amd.json": '{"kind": "amd.com/gpu", "devices": [{"name": "0", "containerEdits": {}}]}',
}


def test_devices_of_an_older_daemon(tmp_path: Path, place: str) -> None:
    for name, text in CDI.items():
        write(tmp_path / "cdi" / name, text.encode())
    info = f'{{"ServerVersion":"27.0","CDISpecDirs":["{tmp_path}/cdi"]}}'
    found = look(tmp_path, place, SCRIPT.replace(INFO, info))
    assert found.cdi_devices == ("amd.com/gpu=0", "nvidia.com/gpu=0", "nvidia.com/gpu=all")
