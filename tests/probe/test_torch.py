"""A PyTorch on the host is asked in a process of its own, with a deadline."""

import sys
from pathlib import Path

import pytest

from tests.probe.gguf_writer import write
from xgen_deploy.probe.remote import gpu_torch
from xgen_deploy.probe.remote.gpu_found import NotHere

SITE = ".local/lib/python{}.{}/site-packages/torch/".format(*sys.version_info[:2])
VERSION = "__version__ = '2.9'\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = {hip}\n"
WORKING = """
print("a library that talks")
class cuda:
    device_count = staticmethod(lambda: 1)
    mem_get_info = staticmethod(lambda i: (20 << 30, 24 << 30))
    class get_device_properties:
        name, total_memory, major, minor = "A card", 24 << 30, 11, 0
        gcnArchName, uuid = "gfx1100:sramecc-:xnack-", "11112222-3333-4444-5555-666677778888"
        pci_domain_id, pci_bus_id, pci_device_id = 0, 0xC1, 0
        def __init__(self, i): pass
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A login's home."""
    monkeypatch.setattr(gpu_torch, "login_home", lambda: str(tmp_path))
    # A virtual environment's Python would not look there.
    monkeypatch.setattr(sys, "executable", sys._base_executable)  # type: ignore[attr-defined]
    return tmp_path


def install(home: Path, source: str, *, cuda: str = "None", hip: str = "None") -> None:
    write(home / SITE / "version.py", VERSION.format(cuda=cuda, hip=hip).encode())
    write(home / SITE / "__init__.py", source.encode())


def test_a_build_for_rocm_tells_gfx(home: Path) -> None:
    install(home, WORKING, hip="'6.4'")
    (gpu,) = gpu_torch.amd_by_torch().gpus
    assert (gpu["gfx_version"], gpu["pci_bus_id"]) == ("gfx1100", "0000:c1:00.0")
    assert (gpu["memory_total_mb"], gpu["memory_used_mb"]) == (24576, 4096)
    with pytest.raises(NotHere, match="not built for CUDA"):
        gpu_torch.nvidia_by_torch()


def test_a_build_for_cuda_tells_capability(home: Path) -> None:
    install(home, WORKING, cuda="'12.8'")
    (gpu,) = gpu_torch.nvidia_by_torch().gpus
    assert (gpu["gpu_type"], gpu["compute_capability"]) == ("nvidia", "11.0")
    assert gpu["uuid"] == "GPU-11112222-3333-4444-5555-666677778888"
    assert "utilization_percent" not in gpu


def test_one_that_breaks_is_quoted(home: Path) -> None:
    install(home, "raise ImportError('libcudart.so.12: cannot open')", cuda="'12.8'")
    with pytest.raises(RuntimeError, match="libcudart"):
        gpu_torch.nvidia_by_torch()


def test_one_that_hangs_is_ended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home, "import time; time.sleep(1000)", cuda="'12.8'")
    monkeypatch.setattr(gpu_torch, "PATIENCE", 0.2)
    with pytest.raises(RuntimeError, match="no answer within"):
        gpu_torch.nvidia_by_torch()
