"""How an engine gets at its GPUs, and at no others: devices by names that survive a reboot.

engines.md of the vendors: NVIDIA by UUID, through CDI or a device request; AMD and Vulkan by
render node, whose number moves, so the node is named by its PCI path.
"""

from dataclasses import dataclass

from xgen_deploy.backends.base import Backend
from xgen_deploy.state.facts import DockerFacts, HostFacts
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

_KFD = "/dev/kfd"
_TOOLKIT = (
    "install the NVIDIA Container Toolkit and run `nvidia-ctk runtime configure "
    "--runtime=docker` (or `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`)"
)


@dataclass(frozen=True)
class Access:
    """`nodes` are device files on the host in the engine's order; `cdi` CDI device names;
    `request` NVIDIA UUIDs for a device request where the host has no CDI.
    """

    nodes: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    request: tuple[str, ...] = ()


def gpu_access(
    declared: InstanceConfig, gpus: tuple[GPUInfo, ...], backend: Backend, facts: HostFacts
) -> Access:
    """Raises Refused where the host cannot give these GPUs to the engine: a GPU that stays out
    of reach would be a quiet fall to the CPU.
    """
    wanted = tuple(g for g in gpus if not g.software)
    if not wanted or declared.runtime == "process":
        return Access()
    nvidia = tuple(g for g in wanted if g.gpu_type is GPUType.NVIDIA)
    if nvidia and declared.runtime == "docker":
        return _nvidia_container(declared, nvidia, facts.docker)
    if nvidia and not backend.hardware.vulkan:
        return Access()
    nodes = tuple(_render_node(declared, g, facts) for g in wanted)
    if backend.hardware.vulkan:
        return Access(nodes=nodes)
    if _KFD not in facts.device_files:
        raise refuse(
            declared,
            f"{_KFD} is missing, which ROCm needs",
            "load the amdgpu driver with ROCm support, or serve with Vulkan",
            "gpus",
        )
    return Access(nodes=(_KFD, *nodes))


def _nvidia_container(
    declared: InstanceConfig, gpus: tuple[GPUInfo, ...], docker: DockerFacts
) -> Access:
    ids = tuple(g.identity for g in gpus)
    names = tuple(f"nvidia.com/gpu={i}" for i in ids)
    if all(n in docker.cdi_devices for n in names):
        return Access(cdi=names)
    if "nvidia" in docker.runtimes:
        return Access(request=ids)
    if any(d.startswith("nvidia.com/gpu") for d in docker.cdi_devices):
        return Access(cdi=names)
    raise refuse(
        declared,
        "Docker on this host cannot give NVIDIA GPUs to containers: it knows neither the nvidia "
        "runtime nor a CDI device",
        _TOOLKIT,
        "gpus",
    )


def _render_node(declared: InstanceConfig, gpu: GPUInfo, facts: HostFacts) -> str:
    by_path = f"/dev/dri/by-path/pci-{gpu.pci_bus_id}-render"
    if by_path in facts.device_files:
        return by_path
    if gpu.render_node is not None:
        return gpu.render_node
    raise refuse(
        declared,
        f"GPU {gpu.index} ({gpu.identity}) has no render node under /dev/dri on this host",
        "load its driver; `ls -l /dev/dri/by-path` shows what is there",
        "gpus",
    )
