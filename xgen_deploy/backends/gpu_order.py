"""How an engine is shown its GPUs in the manifest's order, vendor by vendor."""

from collections.abc import Iterable

from xgen_deploy.state.instance import Instance

_CUDA_VISIBLE = "CUDA_VISIBLE_DEVICES"


def cuda_visible(instance: Instance) -> dict[str, str]:
    """By UUID, which means the same on the host, in a container and after a reboot."""
    return _cuda(g.uuid or n for g, n in zip(instance.gpus, _cuda_numbers(instance), strict=True))


def cuda_numbered(instance: Instance) -> dict[str, str]:
    """For an engine that takes numbers alone: a container has the wanted GPUs and no others.
    Elsewhere a number may mean another card after a reboot, so it is found out at each start
    (see `Command.numbered_gpus`); until then the UUID stands there.
    """
    if instance.spec.runtime != "docker":
        return cuda_visible(instance)
    return _cuda(_cuda_numbers(instance))


def numbered_gpus(instance: Instance) -> tuple[str, ...]:
    """The UUIDs to be turned into numbers at each start; () where that is not to be done. A MIG
    instance has no number.
    """
    uuids = tuple(g.uuid for g in instance.gpus if g.uuid)
    stated = _CUDA_VISIBLE in instance.spec.env
    known = len(uuids) == len(instance.gpus) and all(g.card is None for g in instance.gpus)
    return uuids if known and not stated and instance.spec.runtime != "docker" else ()


def _cuda(names: Iterable[str]) -> dict[str, str]:
    return {_CUDA_VISIBLE: ",".join(names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _cuda_numbers(instance: Instance) -> tuple[str, ...]:
    """Without a container CUDA counts every NVIDIA GPU of the host, in a unit too."""
    in_container = instance.spec.runtime == "docker"
    return tuple(map(str, pci_places(instance) if in_container else instance.ordinals))


def pci_places(instance: Instance) -> tuple[int, ...]:
    """Where the GPUs stand as a driver counts, which is in PCI order. Units and containers let
    the engine open its own GPUs alone; without them it counts every one of the host.
    """
    if instance.spec.runtime == "process":
        return instance.ordinals
    by_pci = sorted(instance.ordinals)
    return tuple(by_pci.index(n) for n in instance.ordinals)


def hip_visible(instance: Instance) -> dict[str, str]:
    """Numbers, for vLLM takes nothing else on ROCm."""
    return {"HIP_VISIBLE_DEVICES": ",".join(str(n) for n in pci_places(instance))}
