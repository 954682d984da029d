"""How an engine is shown its GPUs in the manifest's order, vendor by vendor."""

from xgen_deploy.resolve.instance import Instance


def cuda_visible(instance: Instance) -> dict[str, str]:
    """By UUID, which means the same on the host, in a container and after a reboot."""
    names = ",".join(g.uuid or str(g.index) for g in instance.gpus)
    return {"CUDA_VISIBLE_DEVICES": names, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def hip_visible(instance: Instance, *, contained: bool) -> dict[str, str]:
    """Numbers, for HIP takes nothing else. A container sees its own GPUs alone, so that they
    count from 0 there, in PCI order; on the host every AMD GPU counts.
    """
    numbers = instance.ordinals
    if contained:
        numbers = tuple(sorted(numbers).index(n) for n in numbers)
    return {"HIP_VISIBLE_DEVICES": ",".join(str(n) for n in numbers)}
