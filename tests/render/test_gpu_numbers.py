"""An engine that knows GPUs by number alone: the very command of its unit, run here."""

import os
import subprocess
from pathlib import Path

import pytest

from xgen_deploy.render.unit_commands import with_gpu_numbers

HEALTHY = "0, GPU-a, [N/A]\n1, GPU-b, Disabled\n10, GPU-c, [N/A]\n"


def shown(folder: Path, wanted: tuple[str, ...], script: str) -> tuple[str, str]:
    """CUDA_VISIBLE_DEVICES as the engine gets it, and what its log says."""
    smi = folder / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\n{script}\n")
    smi.chmod(0o755)
    engine = ("/bin/sh", "-c", 'echo "$CUDA_VISIBLE_DEVICES|$*"', "engine", "--model", "/m/a b$x")
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ",".join(wanted)}
    argv = with_gpu_numbers(wanted, engine)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    numbers, _, words = done.stdout.strip().partition("|")
    assert words == "--model /m/a b$x"
    return numbers, done.stderr


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [(("GPU-b",), "1"), (("GPU-c", "GPU-a"), "10,0"), (("GPU-a", "GPU-b", "GPU-c"), "0,1,10")],
)
def test_numbers_in_the_wanted_order(tmp_path: Path, wanted: tuple[str, ...], numbers: str) -> None:
    assert shown(tmp_path, wanted, f"printf '{HEALTHY}'") == (numbers, "")


@pytest.mark.parametrize(
    "script",
    [
        "echo 'Unable to determine the device handle for GPU0000:41:00.0: GPU is lost.'; exit 15",
        "printf '0, GPU-a, Enabled\\n1, GPU-b, Disabled\\n'",
        "printf '0, GPU-a, [N/A]\\n'",
        "printf '*, GPU-b, [N/A]\\n'",
        "printf '0, GPU-b, [N/A]\\n1, GPU-b, [N/A]\\n'",
        "exit 127",
    ],
    ids=["a lost card", "MIG", "the card is gone", "no number", "told twice", "no nvidia-smi"],
)
def test_where_they_are_not_certain_the_uuid_stays(tmp_path: Path, script: str) -> None:
    numbers, log = shown(tmp_path, ("GPU-b",), script)
    assert numbers == "GPU-b"
    assert "(GPU-b): they are named by UUID" in log


def test_without_such_gpus_nothing_comes_before_the_engine() -> None:
    assert with_gpu_numbers((), ("/engine", "-x")) == ("/engine", "-x")
