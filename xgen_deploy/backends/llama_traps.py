"""Cache types with which llama.cpp's servers do not start, or start with attention on the CPU,
which no log says.
"""

from xgen_deploy.fit.settings import Settings
from xgen_deploy.fit.shape import ModelShape

# How a device's kernels are called.
_BACKENDS = {"cuda": "CUDA and ROCm", "vulkan": "Vulkan"}


def no_start(settings: Settings, model: ModelShape) -> str | None:
    """Why the engine would end; None where it does not by these."""
    keys, values = settings.key_type, settings.value_type
    if model.is_mla and keys != values:
        return (
            f"llama.cpp would not start: {model.architecture} keeps keys and values as one, and "
            f"cache_type_k is {keys}, cache_type_v {values}"
        )
    return None


def attends_on_the_cpu(settings: Settings, *, forced: bool) -> str | None:
    """None where the GPUs attend by themselves, in every known build. `forced`: flash attention is
    stated to be on. Left to the engine it goes off where it has no kernel, but not with quantised
    values.
    """
    keys, values = settings.key_type, settings.value_type
    if settings.layers == 0 or not settings.flash or not (forced or values[0] in "qi"):
        return None
    for device in settings.devices:
        if not _has_kernel(device.backend, keys, values):
            kinds = keys if keys == values else f"{keys} and {values}"
            name = _BACKENDS.get(device.backend, device.backend)
            return (
                f"attention would run on the CPU, and no log would say so: on {name} flash "
                f"attention has no kernel for caches of {kinds}"
            )
    return None


def _has_kernel(backend: str, keys: str, values: str) -> bool:
    if backend == "vulkan":
        return (keys == "bf16") == (values == "bf16")
    return "iq4_nl" not in (keys, values)
