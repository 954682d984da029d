"""What vLLM would refuse at its start, refused in the plan: sizes that do not fit the model."""

from collections.abc import Iterator, Mapping
from typing import cast

from xgen_deploy.backends.vllm_config import configs, number
from xgen_deploy.backends.vllm_division import check_division, listed
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

# Scalings whose factor is in max_position_embeddings already (vllm/config/model.py). YaRN's is
# multiplied by older versions only, so it counts in favour of the manifest.
_SCALED = ("su", "longrope", "llama3", "default", "mrope")
_ALLOW_LONG = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"


def check_sizes(
    declared: InstanceConfig, model: ModelFacts, gpus: tuple[GPUInfo, ...], n_ctx: int
) -> None:
    """Raises Refused."""
    if declared.layers_here:
        raise refuse(
            declared,
            "n_gpu_layers is stated here, and vLLM serves here: it puts a model on its GPUs whole",
            "Remove `n_gpu_layers` from this placement, or name a llama backend for it.",
            "n_gpu_layers",
        )
    tensor = _parallel(declared, gpus)
    check_division(declared, model, tensor, len(gpus))
    limit = context_limit(model)
    if limit is not None and n_ctx > limit and _binding(declared):
        raise refuse(
            declared,
            f"n_ctx: {n_ctx} is more than the {limit} that the model has positions for, and vLLM "
            "does not start then",
            f"State `n_ctx: {limit}` or less.",
            "n_ctx",
        )


def context_limit(model: ModelFacts) -> int | None:
    """The longest context in config.json, as vLLM derives it; None where it does not say."""
    positions = number(model, "max_position_embeddings")
    if positions is None:
        return None
    factors = [_factor(rope) for config in configs(model) for rope in _ropes(config)]
    return int(max([positions, *(positions * f for f in factors)]))


def _parallel(declared: InstanceConfig, gpus: tuple[GPUInfo, ...]) -> int:
    """The tensor parallel size. Raises Refused where the sizes are not the number of GPUs."""
    stated, stages = declared.vllm.tensor_parallel_size, declared.vllm.pipeline_parallel_size or 1
    if not gpus:
        return stated or 1
    count = len(gpus)
    if stated is None and count % stages:
        raise refuse(
            declared,
            f"pipeline_parallel_size: {stages} does not divide the {count} GPUs of the placement",
            f"State {listed([n for n in range(1, count + 1) if count % n == 0])}.",
            "vllm.pipeline_parallel_size",
        )
    tensor = stated or count // stages
    product = tensor * stages
    if product != count:
        raise refuse(
            declared,
            f"tensor_parallel_size × pipeline_parallel_size is {tensor} × {stages} = "
            f"{product}, and the placement has {count} GPU{'s'[: count != 1]}",
            f"Leave `tensor_parallel_size` out, or list {product} GPU{'s'[: product != 1]}.",
            "vllm.tensor_parallel_size",
        )
    return tensor


def _binding(declared: InstanceConfig) -> bool:
    """Whether nothing that the manifest states lifts the model's limit."""
    extra = " ".join(declared.vllm.extra_args or ())
    return _ALLOW_LONG not in declared.env and "--hf-overrides" not in extra


def _ropes(config: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for key in ("rope_scaling", "rope_parameters"):
        found = config.get(key)
        if isinstance(found, Mapping):
            yield cast(Mapping[str, object], found)


def _factor(rope: Mapping[str, object]) -> float:
    kind, factor = rope.get("rope_type", rope.get("type")), rope.get("factor")
    if kind in _SCALED or not isinstance(factor, int | float):
        return 1.0
    return float(factor)
