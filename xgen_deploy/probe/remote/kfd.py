"""AMD's compute driver: which GPUs it drives, and who uses them."""

from __future__ import annotations

import glob
import os
from typing import Any, NamedTuple

from xgen_deploy.probe.remote.gpu_found import mebibytes
from xgen_deploy.probe.remote.processes import gpu_process
from xgen_deploy.probe.remote.reading import read_int, read_pairs

TOPOLOGY = "sys/class/kfd/kfd/topology/nodes/*"
PROCESSES = "sys/class/kfd/kfd/proc/*"


class KFDNode(NamedTuple):
    """`minor` is the render node's number; `cpu_cores` are those on the same chip."""

    minor: int
    gpu_id: int | None
    gfx_target: int
    unique_id: int
    cpu_cores: int


def kfd_nodes(root: str) -> list[KFDNode]:
    """The GPUs among the nodes; which nodes exist says nothing about card numbers."""
    gpus = []
    for folder in glob.glob(os.path.join(root, TOPOLOGY)):
        seen = read_pairs(folder + "/properties")
        numbers = {key: int(value) for key, value in seen.items() if value.isdigit()}
        if numbers.get("simd_count"):
            gpus.append(
                KFDNode(
                    numbers.get("drm_render_minor", -1),
                    read_int(folder + "/gpu_id"),
                    numbers.get("gfx_target_version", 0),
                    numbers.get("unique_id", 0),
                    numbers.get("cpu_cores_count", 0),
                )
            )
    return gpus


def gpu_processes(root: str, gpu_id: int | None) -> list[dict[str, Any]]:
    processes = []
    for folder in glob.glob(os.path.join(root, PROCESSES)):
        used = read_int(f"{folder}/vram_{gpu_id}")
        name = os.path.basename(folder)
        if used and name.isdigit():
            processes.append(gpu_process(int(name), mebibytes(used)))
    return processes
