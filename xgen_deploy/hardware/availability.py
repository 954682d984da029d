"""Which backends a host's hardware can run, in order of preference, and why not the others."""

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.gpu import GPUInfo, GPUType

# Upstream's documented list (vLLM docs, gpu.rocm.inc.md) and gfx1102, which runs in the field.
VLLM_GFX = frozenset(
    [
        "gfx90a",
        "gfx942",
        "gfx950",
        "gfx1100",
        "gfx1101",
        "gfx1102",
        "gfx1150",
        "gfx1151",
        "gfx1200",
        "gfx1201",
    ]
)
_AMD = (GPUType.AMD_RDNA, GPUType.AMD_CDNA)
_LLAMA_AMD = ("llama-server-vulkan", "llama-server-rocm", "llama-cpp-python")


class Availability(Frozen):
    """`backends` in order of preference; `reasons` says why each of the others is left out."""

    backends: tuple[str, ...]
    reasons: dict[str, str]


def available_backends(gpus: tuple[GPUInfo, ...]) -> Availability:
    """The table of the design, over every GPU that counts on the host."""
    types = {g.gpu_type for g in gpus}
    found: list[str] = []
    reasons: dict[str, str] = {}
    if GPUType.NVIDIA in types:
        found += ["vllm-cuda", "llama-server-cuda", "llama-cpp-python"]
    else:
        reasons |= dict.fromkeys(("vllm-cuda", "llama-server-cuda"), "no NVIDIA GPU was found")
    if types & set(_AMD):
        supported = [g for g in gpus if g.gfx_version in VLLM_GFX]
        if supported:
            found.append("vllm-rocm")
        else:
            gfx = ", ".join(
                sorted({g.gfx_version or "an unknown gfx" for g in gpus if g.gpu_type in _AMD})
            )
            reasons["vllm-rocm"] = f"{gfx} is not among the GPUs that vLLM supports"
        found += _LLAMA_AMD
    else:
        reasons |= dict.fromkeys(("vllm-rocm", "llama-server-rocm"), "no AMD GPU was found")
    if types & {GPUType.UNKNOWN} or any(g.software for g in gpus):
        found += ["llama-server-vulkan", "llama-cpp-python"]
    if not gpus:
        found += ["llama-server-cpu", "llama-cpp-python"]
        reasons["llama-server-vulkan"] = "no GPU was found"
    elif "llama-server-vulkan" not in found:
        reasons["llama-server-vulkan"] = "taken on AMD and other GPUs; here CUDA serves"
    return Availability(backends=tuple(dict.fromkeys(found)), reasons=reasons)


def recommended_family(backends: tuple[str, ...]) -> str:
    """`vllm` where vLLM can run, else `llama`."""
    return "vllm" if any(b.startswith("vllm") for b in backends) else "llama"
