"""llama-cpp-python's server, `python -m llama_cpp.server`: the last resort for GGUF.

Flags: llama_cpp/server/settings.py of 0.3.36: underscores only, and a value for every boolean.
It serves one request at a time and knows no sampling defaults.
"""

from collections.abc import Sequence

from xgen_deploy.backends.base import Command, KeyVariable, Place, Unsupported
from xgen_deploy.backends.gpu_order import cuda_visible, hip_visible
from xgen_deploy.backends.hardware import EVERYWHERE
from xgen_deploy.backends.llama_engine import LlamaEngine
from xgen_deploy.backends.llama_forecast import (
    Start,
    llama_forecast,
    llama_least,
    llama_most_layers,
)
from xgen_deploy.backends.llama_inputs import batches, check_inputs, check_pooling, longest_input
from xgen_deploy.backends.sampling import chosen
from xgen_deploy.fit.layers import Choice
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance import Engine, Instance, Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import LlamaSettings, Sampling

# ggml/include/ggml.h, enum ggml_type.
_CACHE_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "iq4_nl": 20,
    "bf16": 30,
}
_BATCH = 512
_SEQUENCES = 256  # llama.cpp's LLAMA_MAX_SEQ
_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
_NO_GPU = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")


class LlamaCppPython(LlamaEngine):
    """The binary is the interpreter that has the package, which an entry for a family or a vendor
    never is. It listens once the model is loaded, and its description is open to all, which makes
    that its health.
    """

    title = "llama-cpp-python"
    container_port = 8000
    api_key = KeyVariable("API_KEY")
    shares_tables = False
    health_path = "/openapi.json"
    entrypoint = ("python3", "-m", "llama_cpp.server")
    programs = frozenset({"llama_cpp.server"})

    def command(self, instance: Instance, place: Place) -> Command:
        """Raises Unsupported for what this server has no setting for."""
        _refuse_what_it_lacks(instance)
        spec, llama = instance.spec, instance.spec.llama
        n_batch, n_ubatch = batches(spec, splits=False)
        values = {
            "module": not place.contained,
            "place": place,
            "spec": spec,
            "llama": llama,
            "layers": -1 if spec.n_gpu_layers == "all" else spec.n_gpu_layers or 0,
            "n_batch": n_batch,
            "n_ubatch": n_ubatch,
            "split_mode": _SPLIT_MODES.get(llama.split_mode or ""),
            "flash_attn": _flash_attn(llama),
            "mlock": "true" if llama.mlock else "false",
            "type_k": _CACHE_TYPES.get(llama.cache_type_k or ""),
            "type_v": _CACHE_TYPES.get(llama.cache_type_v or ""),
        }
        environment = _environment(instance, place)
        return Command(
            "llama-cpp-python.args.j2",
            values,
            environment,
            extra=llama.extra_args or (),
            mlock=bool(llama.mlock),
        )

    def check_completed(self, declared: InstanceConfig, spec: Spec, model: ModelFacts) -> None:
        hint = "Give the host a llama-server build, and state `llama: {pooling: …}`."
        check_pooling(declared, model, hint)
        check_inputs(declared, spec, splits=False)

    def splits_inputs(self, spec: Spec, model: ModelFacts) -> bool:  # noqa: ARG002
        return False

    def forecast(
        self,
        spec: Spec,
        model: ModelFacts,
        gpus: tuple[GPUInfo, ...],
        engine: Engine,  # noqa: ARG002
    ) -> Forecast | None:
        return llama_forecast(spec, model.gguf, gpus, _start(spec, gpus))

    def least_of(
        self,
        spec: Spec,
        model: ModelFacts,
        gpus: tuple[GPUInfo, ...],
        engine: Engine,  # noqa: ARG002
    ) -> Sequence[int] | None:
        return llama_least(spec, model.gguf, gpus, _start(spec, gpus))

    def most_layers(
        self,
        spec: Spec,
        model: ModelFacts,
        gpus: tuple[GPUInfo, ...],
        engine: Engine,  # noqa: ARG002
        free: Sequence[int],
    ) -> Choice | None:
        return llama_most_layers(spec, model.gguf, gpus, _start(spec, gpus), free)

    def longest_input(self, instance: Instance) -> int:
        return longest_input(instance.spec, splits=False)


LLAMA_CPP_PYTHON = (LlamaCppPython("llama-cpp-python", "cpu", EVERYWHERE),)


def _environment(instance: Instance, place: Place) -> dict[str, str]:
    """HOST and PORT of the environment would go over the command line: they say the same."""
    bound = {"HOST": place.address, "PORT": str(place.port)}
    kinds = {g.gpu_type for g in instance.gpus}
    if not instance.gpus:
        return bound | dict.fromkeys(_NO_GPU, "")
    if kinds == {GPUType.NVIDIA}:
        return bound | cuda_visible(instance)
    if instance.software_gpu:
        return bound | {"GGML_VK_VISIBLE_DEVICES": ",".join("0" for _ in instance.gpus)}
    if kinds <= {GPUType.AMD_RDNA, GPUType.AMD_CDNA}:
        return bound | hip_visible(instance)
    return bound


def _start(spec: Spec, gpus: tuple[GPUInfo, ...]) -> Start:
    """Its batches are the package's (llama_cpp/llama.py), the rest the library's own defaults."""
    vulkan = any(g.software or g.gpu_type is GPUType.UNKNOWN for g in gpus)
    batch, ubatch = batches(spec, splits=False)
    return Start(
        device="vulkan" if vulkan else "cuda",
        flash=_flash_attn(spec.llama) == "true",
        batches=(batch, ubatch),
        own=(_BATCH, _BATCH),
        bare=True,
        sequences=min(batch or _BATCH, _SEQUENCES) if spec.type == "embedding" else None,
    )


def _flash_attn(llama: LlamaSettings) -> str | None:
    """Off by its own default, which would end it where something that is stated needs it."""
    if llama.flash_attn is None:
        return "true" if llama.needs_flash_attention else None
    return {"on": "true", "off": "false"}.get(llama.flash_attn)


def _refuse_what_it_lacks(instance: Instance) -> None:
    spec, llama = instance.spec, instance.spec.llama
    asked = {
        "type: reranker": spec.type == "reranker",
        "sampling": chosen(spec.sampling) != Sampling(),
        "llama.parallel": (llama.parallel or 1) > 1,
        "llama.cont_batching": bool(llama.cont_batching),
        "llama.pooling": llama.pooling is not None,
        "llama.split_mode: tensor": llama.split_mode == "tensor",
        **{name: bool(getattr(spec, name)) for name in ("mmproj", "draft", "loras")},
        "chat_template": spec.chat_template is not None,
        "llama.n_cpu_moe": llama.n_cpu_moe is not None,
        "llama.override_tensors": llama.override_tensors is not None,
        "llama.reasoning": llama.reasoning is not None,
        "llama.reasoning_format": llama.reasoning_format is not None,
        "llama.reasoning_budget": llama.reasoning_budget is not None,
        "llama.flash_attn: auto": llama.flash_attn == "auto",
    }
    lacking = [name for name, wanted in asked.items() if wanted]
    if lacking:
        raise Unsupported(
            f"llama-cpp-python's server has nothing for {', '.join(lacking)}; "
            "give the host a llama-server build, or leave that out here"
        )
