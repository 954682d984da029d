"""The command that waits for an engine's GPUs: at boot a driver may load after the network."""

from collections.abc import Sequence

from xgen_deploy.state.gpu import GPUInfo

_TIMES = 300  # each a fifth of a second; the unit's own deadline is longer
_SCRIPT = (
    'times=$1; shift; for gpu; do n=0; until [ -e "$gpu" ]; do n=$((n+1)); '
    'if [ "$n" -gt "$times" ]; then echo "its GPU is not there: $gpu"; exit 1; fi; '
    "sleep 0.2; done; done"
)


def wait_argv(gpus: Sequence[GPUInfo], times: int = _TIMES) -> tuple[str, ...]:
    """A command that ends once the drivers have taken over all of `gpus`, and fails after `times`
    fifths of a second for one of them; () where there is nothing to wait for.

    NVIDIA's driver makes a folder under /proc for each card that it has taken over (its README,
    chapter "The /proc interface"); others have their render node.
    """
    paths = tuple(path for path in map(_ready_path, gpus) if path)
    return ("/bin/sh", "-c", _SCRIPT, "sh", str(times), *paths) if paths else ()


def _ready_path(gpu: GPUInfo) -> str | None:
    """The path that exists once the driver has taken the GPU over; None where none tells."""
    if gpu.software:
        return None
    if gpu.gpu_type == "nvidia":
        return f"/proc/driver/nvidia/gpus/{gpu.pci_bus_id}" if gpu.pci_bus_id else None
    return gpu.render_path
