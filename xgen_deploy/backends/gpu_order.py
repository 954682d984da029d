"""How an engine is shown its GPUs in the manifest's order, vendor by vendor."""

from xgen_deploy.state.instance import Instance


def cuda_visible(instance: Instance) -> dict[str, str]:
    """By UUID, which means the same on the host, in a container and after a reboot."""
    names = ",".join(g.uuid or str(g.index) for g in instance.gpus)
    return {"CUDA_VISIBLE_DEVICES": names, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


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
