"""GPUs by the shell, from the same described hosts that Python's detectors are tested with."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.probe import test_amd_sysfs, test_nvidia_smi
from tests.probe.gguf_writer import write
from tests.probe.running import request
from tests.probe.test_nvidia_proc import CARD, UUID, VERSIONS
from tests.probe_sh.running import SHELLS, by_shell
from xgen_deploy.probe.remote import gpu_nvidia_smi as nvidia_smi
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo

AMD = test_amd_sysfs.CASES
SMI = test_nvidia_smi.CASES


# The shell does without them.
CONDITION = (
    "temperature_celsius",
    "temperature_limit_celsius",
    "power_watts",
    "thermal_throttled",
    "ecc_uncorrected_errors",
    "row_remap_failure",
)


def told(case: dict[str, Any]) -> tuple[GPUInfo, ...]:
    """What the shell tells of a case's GPUs."""
    gpus = ({k: v for k, v in gpu.items() if k not in CONDITION} for gpu in case["gpus"])
    return tuple(map(GPUInfo.model_validate, gpus))


def reasons(found: GPUDetectionResult) -> dict[str, str]:
    return {a.detector: a.reason for a in found.attempts if a.reason}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", [name for name, case in AMD.items() if "gpus" in case])
def test_amd_cards(tmp_path: Path, name: str, shell: str) -> None:
    root = test_amd_sysfs.tree(tmp_path, AMD[name])
    found = by_shell(request(tmp_path), shell, root).gpu
    assert found.gpus == told(AMD[name])
    assert found.detection_method == "sysfs"


@pytest.mark.parametrize("name", [name for name, case in AMD.items() if "error" in case])
def test_no_amd_card_has_a_reason(tmp_path: Path, name: str) -> None:
    found = by_shell(request(tmp_path), root=test_amd_sysfs.tree(tmp_path, AMD[name])).gpu
    assert AMD[name]["error"] in " ".join(a.reason or "" for a in found.attempts)


def without_condition(answer: tuple[str, tuple[int, str]]) -> tuple[str, tuple[int, str]]:
    """A query for the fields that the shell asks for, and the columns that answer them."""
    query, (code, out) = answer
    option, _, fields = query.partition("=")
    known = [field for field in fields.split(",") if field not in nvidia_smi.CONDITION]
    if option != "--query-gpu" or code != 0:
        return f"{option}={','.join(known)}" if known else query, (code, out)
    rows = [",".join(line.split(",")[: len(known)]) for line in out.splitlines()]
    return f"{option}={','.join(known)}", (code, "".join(f"{row}\n" for row in rows))


def smi(folder: Path, case: dict[str, Any]) -> Path:
    """An nvidia-smi that knows the case's answers."""
    lines = ["#!/bin/sh", 'case "$1" in']
    for query, (code, out) in map(without_condition, case["answers"].items()):
        lines.append(f"{shlex.quote(query)}) printf %s {shlex.quote(out)}; exit {code} ;;")
    script = "\n".join([*lines, "*) echo no such query; exit 1 ;;", "esac", ""])
    tool = write(folder / "tools/nvidia-smi", script.encode())
    tool.chmod(0o755)
    return tool.parent


@pytest.mark.parametrize("name", [name for name, case in SMI.items() if "gpus" in case])
def test_nvidia_cards(tmp_path: Path, name: str) -> None:
    found = by_shell(request(tmp_path), root=str(tmp_path), tools=smi(tmp_path, SMI[name])).gpu
    assert found.gpus == told(SMI[name])
    lost = [a.detector.removeprefix("nvidia-smi:") for a in found.attempts if ":" in a.detector]
    assert lost == SMI[name].get("lost", [])


@pytest.mark.parametrize("name", [name for name, case in SMI.items() if "error" in case])
def test_a_refusal_is_passed_on(tmp_path: Path, name: str) -> None:
    found = by_shell(request(tmp_path), root=str(tmp_path), tools=smi(tmp_path, SMI[name])).gpu
    assert re.search(SMI[name]["error"], reasons(found)["nvidia-smi"])
    assert not found.gpus
    (failed,) = [a for a in found.attempts if a.detector == "nvidia-smi"]
    assert not failed.expected_absent


@pytest.mark.parametrize("shell", SHELLS)
def test_where_there_is_nothing_nothing_failed(tmp_path: Path, shell: str) -> None:
    found = by_shell(request(tmp_path), shell, str(tmp_path), write(tmp_path / "t/x", b"").parent)
    assert {a.detector: a.expected_absent for a in found.gpu.attempts if not a.ok} == {
        "nvidia-smi": True,
        "sysfs": True,
    }


SLOT = "sys/bus/pci/devices/0000:c1:00.0"
THERE = {
    "an NVIDIA card": (SLOT, {"vendor": "0x10de", "class": "0x030200"}),
    "an NVIDIA device": ("dev", {"nvidia3": ""}),
    "an AMD card": (SLOT, {"vendor": "0x1002", "class": "0x120000"}),
    "an AMD device": ("dev", {"kfd": ""}),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("what", THERE)
def test_where_there_is_something_silence_is_a_surprise(
    tmp_path: Path, what: str, shell: str
) -> None:
    folder, files = THERE[what]
    for name, text in files.items():
        write(tmp_path / folder / name, f"{text}\n".encode())
    found = by_shell(request(tmp_path), shell, str(tmp_path)).gpu
    surprised = {a.reason for a in found.attempts if not a.ok and not a.expected_absent}
    others = {a.reason for a in found.attempts if not a.ok and a.expected_absent}
    assert surprised
    assert all(what.split()[1] not in str(reason) for reason in others)


def test_a_mismatch_leaves_the_cards_listed(tmp_path: Path) -> None:
    write(tmp_path / "proc/driver/nvidia/version", next(iter(VERSIONS)).encode())
    card = tmp_path / "proc/driver/nvidia/gpus/0000:c1:00.0/information"
    write(card, CARD.format(uuid=UUID).encode())
    tools = smi(tmp_path, SMI["a driver that was upgraded and not loaded yet"])
    found = by_shell(request(tmp_path), root=str(tmp_path), tools=tools).gpu
    assert [(g.uuid, g.driver_version) for g in found.gpus] == [(UUID, "535.183.01")]
    assert found.detection_method == "sysfs"
    failed = {a.detector: a.reason for a in found.attempts if not a.ok and not a.expected_absent}
    assert list(failed) == ["nvidia-smi"]
    assert "reboot the host" in str(failed["nvidia-smi"])


@pytest.mark.parametrize("text", VERSIONS)
def test_the_driver_alone(tmp_path: Path, text: str) -> None:
    write(tmp_path / "proc/driver/nvidia/version", text.encode())
    card = tmp_path / "proc/driver/nvidia/gpus/0000:c1:00.0/information"
    write(card, CARD.format(uuid=UUID).encode())
    (gpu,) = by_shell(request(tmp_path), root=str(tmp_path)).gpu.gpus
    assert gpu.driver_version == VERSIONS[text]
    assert (gpu.uuid, gpu.pci_bus_id) == (UUID, "0000:c1:00.0")
    assert gpu.device_name == "NVIDIA GeForce RTX 4090"


def test_two_vendors_are_counted_through(tmp_path: Path) -> None:
    root = test_amd_sysfs.tree(tmp_path, AMD["a discrete card"])
    found = by_shell(request(tmp_path), root=root, tools=smi(tmp_path, SMI["two cards"])).gpu
    order = [gpu.pci_bus_id for gpu in found.gpus]
    assert order == ["0000:01:00.0", "0000:03:00.0", "0000:c1:00.0"]
    assert [gpu.index for gpu in found.gpus] == [0, 1, 2]
    assert found.detection_method == "nvidia-smi+sysfs"


def test_software_devices_where_they_count(tmp_path: Path) -> None:
    asked = request(tmp_path, software_gpu=2)
    none = by_shell(asked, root=str(tmp_path)).gpu
    (failed,) = [a for a in none.attempts if a.detector == "vulkan"]
    assert "no software Vulkan driver" in (failed.reason or "")
    assert not failed.expected_absent, "the inventory counts on it"
    write(tmp_path / "usr/share/vulkan/icd.d/lvp_icd.x86_64.json", b"{}")
    found = by_shell(asked, root=str(tmp_path)).gpu
    assert [gpu.identity for gpu in found.gpus] == ["software-0", "software-1"]
    assert all(gpu.software for gpu in found.gpus)
