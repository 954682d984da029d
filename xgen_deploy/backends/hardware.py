"""What a build of an engine runs on, and why a host's hardware leaves it out: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from xgen_deploy.state.gpu import GPUInfo, GPUType

NVIDIA = frozenset({GPUType.NVIDIA})
AMD = frozenset({GPUType.AMD_RDNA, GPUType.AMD_CDNA})
ANY = frozenset(GPUType)
_VENDOR = {NVIDIA: "NVIDIA ", AMD: "AMD "}


@dataclass(frozen=True)
class Hardware:
    """`uses` are the types of GPU that the build can use, none for a build for the CPU.

    Where the manifest leaves the engine open, it is chosen on the types of `chosen_on`, and with
    `on_cpu` on hosts without a GPU. `passed_over` says why not on the others that it can use.
    `gfx` are the AMD architectures that it supports, None for all. `vulkan`: it opens GPUs by
    their render nodes alone, whoever made them.
    """

    uses: frozenset[GPUType]
    chosen_on: frozenset[GPUType]
    needs_gpu: bool = False
    on_cpu: bool = False
    gfx: frozenset[str] | None = None
    vulkan: bool = False
    passed_over: str = ""

    def suits(self, gpus: Iterable[GPUInfo]) -> bool:
        """Whether it is a choice for these GPUs, or with none of them for the CPU."""
        types = {g.gpu_type for g in gpus} | {GPUType.UNKNOWN for g in gpus if g.software}
        return bool(types & self.chosen_on) if types else self.on_cpu

    def missing(self, gpus: tuple[GPUInfo, ...], title: str) -> str | None:
        """Why a host with these GPUs leaves out an engine called `title`; None where it does not,
        and for a build for the CPU, which no host lacks anything for.
        """
        own = [g for g in gpus if g.gpu_type in self.uses]
        if self.gfx is not None and own and not any(g.gfx_version in self.gfx for g in own):
            gfx = ", ".join(sorted({g.gfx_version or "an unknown gfx" for g in own}))
            return f"{gfx} is not among the GPUs that {title} supports"
        if not self.uses or self.suits(gpus):
            return None
        return self.passed_over if own else f"no {_VENDOR.get(self.uses, '')}GPU was found"


CPU = Hardware(uses=frozenset(), chosen_on=frozenset(), on_cpu=True)
CUDA = Hardware(uses=NVIDIA, chosen_on=NVIDIA)
ROCM = Hardware(uses=AMD, chosen_on=AMD)
EVERYWHERE = Hardware(uses=ANY, chosen_on=ANY, on_cpu=True)
