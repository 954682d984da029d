"""GPU detection over SSH: stand-ins of the vendors' libraries, and a real software GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleets import building
from tests.fleets.described import check, fleets
from tests.fleets.stage import driver_on, fleet_on, install, tool_on
from tests.lab import places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site
from xgen_deploy.probe.observe import observe
from xgen_deploy.state.facts import HostFacts, ProbeRequest
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options

NAME = "lab-gpu"
FLEETS = fleets()
PACKAGE = building.amdsmi_package()

MANIFEST = f"""
project: demo
runtime: systemd
inventory: {{all: {{hosts: {{{NAME}: {{}}}}}}}}
models: {{m: {{source: {places.MODEL}}}}}
binaries: {{llama-server-cuda: {places.ENGINE}}}
hosts: {{{NAME}: [{{model: m, gpus: [1], backend: llama-server-cuda}}]}}
"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    if building.COMPILER is None:
        pytest.skip("no C compiler")
    return lab.host(NAME)


@pytest.fixture(scope="module")
def connection(lab: Lab, host: LabHost) -> Iterator[Connection]:
    connector = Connector(Options(ssh_config=str(lab.ssh_config)))
    yield connector.connect(Host(name=host.name))
    connector.close()


def look(connection: Connection, software: int = 0) -> HostFacts:
    request = ProbeRequest(
        project="demo", state_dir="/var/lib/nothing", etc_dir="/etc/nothing", software_gpu=software
    )
    return observe(connection, request)


@pytest.mark.parametrize("name", FLEETS)
def test_a_fleet_is_seen_as_it_is(host: LabHost, connection: Connection, name: str) -> None:
    fleet = FLEETS[name]
    if "amd" in fleet.libraries and PACKAGE is None:
        pytest.skip("needs the package amdsmi")
    with fleet_on(host, fleet, PACKAGE):
        facts = look(connection)
    assert facts.probe == "python"
    assert facts.errors == {}
    check(fleet, facts.gpu)


def test_the_command_tells_it(host: LabHost, lab: Lab, tmp_path: Path) -> None:
    if PACKAGE is None:
        pytest.skip("needs the package amdsmi")
    manifest = tmp_path / "site.yaml"
    manifest.write_text(MANIFEST)
    words = ["gpus", str(manifest), "--json", "--ssh-config", str(lab.ssh_config)]
    code = "from xgen_deploy.cli.main import run; run()"
    with fleet_on(host, FLEETS["nvidia_and_amd"], PACKAGE):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True)
    told = json.loads(done.stdout)["hosts"][NAME]
    assert (told["reachable"], told["available"], told["gpu_type"]) == (True, True, "cuda")
    assert told["detection_method"] == "amdsmi+pynvml"
    assert [(g["index"], g["gpu_type"], g["uuid"]) for g in told["gpus"]] == [
        (0, "amd_rdna", "GPU-1d2e3f6b4f0b2c0a"),
        (1, "nvidia", "GPU-00000030"),
    ]
    assert told["primary_gpu"] == told["gpus"][1]
    assert (told["recommended_backend"], told["available_backends"][0]) == ("vllm", "vllm-cuda")
    assert "llama-server-cuda" not in told["not_ready"]
    assert told["not_ready"]["vllm-cuda"] == "no binary named"


MISMATCH = """
echo 'Failed to initialize NVML: Driver/library version mismatch'
echo 'NVML library version: 580.95'
exit 18
"""


@pytest.mark.parametrize("probe", ["python", "sh"])
def test_cards_are_listed_although_driver_and_library_differ(
    lab: Lab, host: LabHost, tmp_path: Path, probe: str
) -> None:
    cards = {"0000:41:00.0": "GPU-00000041", "0000:c1:00.0": "GPU-000000c1"}
    python = {"ansible_python_interpreter": "/no/such/python3"} if probe == "sh" else {}
    site = Site(tmp_path, "t_mismatch", hosts={NAME: python}, placements={NAME: []})
    with (
        fleet_on(host, FLEETS["nvidia_version_mismatch"], None),
        tool_on(host, "nvidia-smi", MISMATCH),
        driver_on(host, "570.1.2", cards),
    ):
        told, table = site.run("gpus", "--json").json()["hosts"][NAME], site.run("gpus").stdout
    assert (told["probe"], told["detection_method"]) == (probe, "sysfs")
    assert {g["pci_bus_id"]: g["uuid"] for g in told["gpus"]} == cards
    assert {g["memory_total_mb"] for g in told["gpus"]} == {None}
    failed = {a["detector"]: a["reason"] for a in told["attempts"] if not (a["ok"] or a["moot"])}
    assert set(failed) == {"nvidia-smi"} | ({"pynvml"} if probe == "python" else set())
    assert all("mismatch" in reason and "reboot the host" in reason for reason in failed.values())
    assert "NVIDIA L4" in table
    assert "reboot the host" in table


def test_a_tool_that_sleeps_costs_its_deadline_only(host: LabHost, connection: Connection) -> None:
    with tool_on(host, "nvidia-smi", "sleep 1000"), tool_on(host, "rocm-smi", "exec sleep 1000"):
        facts = look(connection)
    reasons = {
        a.detector: a.reason for a in facts.gpu.attempts if not a.ok and not a.expected_absent
    }
    assert reasons == {
        "nvidia-smi": "RuntimeError: no answer within 7 s",
        "rocm-smi": "RuntimeError: rocm-smi: no answer within 5 s",
    }
    assert facts.errors == {}
    assert facts.gpu.detection_method == "cpu_fallback"
    assert host.run(["pgrep", "-f", "sleep 1000"], check=False).stdout == ""


def test_a_software_gpu_counts_only_where_it_is_allowed(
    host: LabHost, connection: Connection, tmp_path: Path
) -> None:
    install(host, "vulkan-tools", tmp_path)
    assert "llvmpipe" in host.sh("vulkaninfo --summary 2>/dev/null")
    seen = look(connection).gpu
    assert not seen.available
    assert any("software renderers only" in (attempt.reason or "") for attempt in seen.attempts)
    for count in (1, 2):
        visible = ",".join(["0"] * count)
        shown = host.sh(f"GGML_VK_VISIBLE_DEVICES={visible} {places.ENGINE} --list-devices 2>&1")
        counted = look(connection, count).gpu
        assert len(counted.gpus) == count == shown.count("llvmpipe (")
        assert all(gpu.software for gpu in counted.gpus)
        assert counted.detection_method == "vulkan"
