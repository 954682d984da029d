"""At boot a GPU's driver may come after the network: its engine waits for it, and says so."""

from collections.abc import Sequence

from xgen_deploy.state.gpu import GPUInfo

_TIMES = 300  # each a fifth of a second; the unit's own deadline is longer
_SCRIPT = (
    'times=$1; shift; for gpu; do n=0; until [ -e "$gpu" ]; do n=$((n+1)); '
    'if [ "$n" -gt "$times" ]; then echo "its GPU is not there: $gpu"; exit 1; fi; '
    "sleep 0.2; done; done"
)


def wait_argv(gpus: Sequence[GPUInfo], times: int = _TIMES) -> tuple[str, ...]:
    """A command that ends when the drivers show all of these; () where there is none to await.

    NVIDIA's driver makes a folder under /proc for each card when it has taken it over (its README,
    chapter «The /proc interface»); others have their render node.
    """
    paths = tuple(path for path in map(_sign, gpus) if path)
    return ("/bin/sh", "-c", _SCRIPT, "sh", str(times), *paths) if paths else ()


def _sign(gpu: GPUInfo) -> str | None:
    if gpu.software:
        return None
    if gpu.gpu_type == "nvidia":
        return f"/proc/driver/nvidia/gpus/{gpu.pci_bus_id}" if gpu.pci_bus_id else None
    return gpu.render_path
