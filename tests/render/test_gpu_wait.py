"""An engine waits for its GPU at boot: the very command of its unit, run here."""

import subprocess
from pathlib import Path

from xgen_deploy.render.unit_commands import gpu_wait_argv
from xgen_deploy.state.gpu import GPUInfo, GPUType


def amd(node: Path) -> GPUInfo:
    return GPUInfo(index=0, gpu_type=GPUType.AMD_RDNA, render_path=str(node))


def test_a_gpu_that_comes_late_is_awaited(tmp_path: Path) -> None:
    node = tmp_path / "pci-0000:c4:00.0 $(odd)-render"
    with subprocess.Popen(gpu_wait_argv([amd(node)])) as waiting:
        assert waiting.poll() is None
        node.touch()
        assert waiting.wait(120) == 0


def test_one_that_does_not_come_is_named(tmp_path: Path) -> None:
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.touch()
    argv = gpu_wait_argv([amd(there), amd(gone)], times=1)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, f"its GPU is not there: {gone}\n")


def test_what_is_awaited() -> None:
    nvidia = GPUInfo(index=0, gpu_type=GPUType.NVIDIA, pci_bus_id="0000:41:00.0")
    assert gpu_wait_argv([nvidia])[-1] == "/proc/driver/nvidia/gpus/0000:41:00.0"
    software = GPUInfo(index=0, gpu_type=GPUType.UNKNOWN, software=True, render_path="/dev/x")
    assert gpu_wait_argv([software]) == ()
    assert gpu_wait_argv([]) == ()
