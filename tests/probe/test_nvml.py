import shutil
import subprocess
from pathlib import Path

import pytest

from tests.probe.running import probe, request
from xgen_deploy.hardware.gpu import GPUDetectionResult, GPUInfo, GPUType

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stub library")
CARD = GPUInfo(
    index=0,
    gpu_type=GPUType.NVIDIA,
    device_name="NVIDIA GeForce RTX 3090",
    uuid="GPU-11112222-3333-4444-5555-666677778888",
    pci_bus_id="0000:c1:00.0",
    memory_total_mb=24576,
    memory_used_mb=1024,
    memory_free_mb=22528,
    utilization_percent=42,
    compute_capability="8.6",
    driver_version="580.65.06",
)


def seen(tmp_path: Path, *switches: str) -> GPUDetectionResult:
    """What the real bindings make of a stub library built with these switches."""
    source = Path(__file__).with_name("nvml_stub.c")
    library = tmp_path / "libnvidia-ml.so.1"
    flags = [f"-D{switch}" for switch in switches]
    subprocess.run(
        [str(COMPILER), "-shared", "-fPIC", "-w", *flags, "-o", str(library), str(source)],
        check=True,
    )
    return probe(request(tmp_path), env={"LD_LIBRARY_PATH": str(tmp_path), "PATH": ""}).gpu


def test_a_card_is_told_in_full(tmp_path: Path) -> None:
    result = seen(tmp_path)
    assert result.detection_method == "pynvml"
    assert result.gpus == (CARD,)


def test_memory_that_cannot_be_told_is_unknown(tmp_path: Path) -> None:
    nothing = dict.fromkeys(
        ("memory_total_mb", "memory_used_mb", "memory_free_mb", "utilization_percent")
    )
    assert seen(tmp_path, "NO_MEMORY").gpus == (CARD.model_copy(update=nothing),)


def test_a_driver_without_newer_calls(tmp_path: Path) -> None:
    older = {"memory_used_mb": 2048, "pci_bus_id": None}
    assert seen(tmp_path, "OLD").gpus == (CARD.model_copy(update=older),)


def test_a_lost_card_is_told(tmp_path: Path) -> None:
    result = seen(tmp_path, "LOST")
    assert result.gpus == (CARD,)
    assert ("pynvml:GPU 1", "GPU is lost") in [(a.detector, a.reason) for a in result.attempts]


def test_a_library_without_its_driver(tmp_path: Path) -> None:
    result = seen(tmp_path, "NO_DRIVER")
    assert not result.available
    assert "Driver Not Loaded" in (result.attempts[0].reason or "")
