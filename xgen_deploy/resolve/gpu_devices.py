"""How an engine is given its GPUs and no others, under names that survive a reboot.

NVIDIA by UUID, through CDI or a device request; AMD and Vulkan by render node, whose number can
change, so by its PCI path.
"""

from dataclasses import dataclass

from xgen_deploy.backends.base import Backend
from xgen_deploy.state.facts import DockerFacts, HostFacts
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

_KFD = "/dev/kfd"
_TOOLKIT = (
    "Install the NVIDIA Container Toolkit and run `nvidia-ctk runtime configure "
    "--runtime=docker` (or `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`)."
)

_CDI_AGAIN = (
    "Write it again on the host: `nvidia-ctk cdi generate --device-name-strategy=uuid "
    "--output=/etc/cdi/nvidia.yaml`."
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
    """Raises Refused where the host cannot give these GPUs to the engine, which would then quietly
    use the CPU.
    """
    hardware = tuple(g for g in gpus if not g.software)
    if not hardware or declared.runtime == "process":
        return Access()
    nvidia = tuple(g for g in hardware if g.gpu_type is GPUType.NVIDIA)
    if backend.hardware.vulkan and any(g.card is not None for g in nvidia):
        raise refuse(
            declared,
            "a MIG instance has no Vulkan",
            "Serve with a CUDA build there.",
            "gpus",
        )
    if nvidia and declared.runtime == "docker":
        return _nvidia_container(declared, nvidia, facts.docker)
    if nvidia and not backend.hardware.vulkan:
        return Access()
    nodes = tuple(_render_node(declared, g, facts) for g in hardware)
    if backend.hardware.vulkan:
        return Access(nodes=nodes)
    if _KFD not in facts.device_files:
        raise refuse(
            declared,
            f"{_KFD}, which ROCm needs, is missing",
            "Load the amdgpu driver with ROCm support, or serve with Vulkan.",
            "gpus",
        )
    return Access(nodes=(_KFD, *nodes))


def _nvidia_container(
    declared: InstanceConfig, gpus: tuple[GPUInfo, ...], docker: DockerFacts
) -> Access:
    ids = tuple(g.identity for g in gpus)
    names = tuple(f"nvidia.com/gpu={i}" for i in ids)
    parts = [g for g in gpus if g.card is not None]
    if all(n in docker.cdi_devices for n in names):
        return Access(cdi=names)
    if "nvidia" in docker.runtimes:
        return Access(request=ids)
    if any(d.startswith("nvidia.com/gpu") for d in docker.cdi_devices):
        if parts:
            raise refuse(
                declared,
                f"CDI on this host knows no {names[0]}: its specification is older than the MIG "
                "instance, or names devices by index alone",
                _CDI_AGAIN,
                "gpus",
            )
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
        "Load its driver; `ls -l /dev/dri/by-path` lists the render nodes.",
        "gpus",
    )
