"""What vLLM divides by the number of GPUs that compute each layer together; it does not start where
something is left over.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.backends.vllm_config import architectures, number, vision
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

# Of which all of these sizes are divided (vllm/model_executor/layers/linear.py, models/).
_KNOWN = frozenset(
    [
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "Qwen3MoeForCausalLM",
        "Gemma3ForCausalLM",
        "Gemma3ForConditionalGeneration",
        "Qwen2VLForConditionalGeneration",
        "Qwen2_5_VLForConditionalGeneration",
    ]
)
_PADDED = 64  # a vocabulary's rows are padded to a multiple of it
_WHOLE_VISION = "--mm-encoder-tp-mode"


@dataclass(frozen=True)
class _Size:
    """`copied`: where there are more GPUs, several may have the same part."""

    text: str
    size: int
    copied: bool = False

    def fits(self, tensor: int) -> bool:
        return self.size % tensor == 0 or (self.copied and tensor % self.size == 0)


def check_division(declared: InstanceConfig, model: ModelFacts, tensor: int, gpus: int) -> None:
    """Raises Refused, with the numbers of GPUs that would do."""
    sizes = tuple(_sizes(declared, model))
    left = next((size for size in sizes if not size.fits(tensor)), None)
    if left is None:
        return
    fit = [n for n in range(1, gpus + 1) if all(size.fits(n) for size in sizes)]
    raise refuse(
        declared,
        f"the model has {left.text}, which {tensor} GPUs cannot share evenly",
        f"Place the model on {listed(fit)} GPU{'s'[: fit != [1]]}, or put the others into "
        "`pipeline_parallel_size`.",
        "vllm.tensor_parallel_size",
    )


def _sizes(declared: InstanceConfig, model: ModelFacts) -> Iterator[_Size]:
    heads = number(model, "num_attention_heads")
    if heads is not None:
        yield _Size(f"{heads} attention heads", heads)
    named = architectures(model)
    if not named or not named <= _KNOWN:
        return
    shared = number(model, "num_key_value_heads")
    if shared is not None:
        yield _Size(f"{shared} heads of keys and values", shared, copied=True)
    words = number(model, "vocab_size")
    if words is not None:
        rows = -(-words // _PADDED) * _PADDED
        yield _Size(f"a vocabulary of {words} words, in {rows} rows", rows)
    inner = number(model, "moe_intermediate_size", "intermediate_size")
    if inner is not None:
        yield _Size(f"an inner size of {inner}", inner)
    seen = vision(model).get("num_heads", vision(model).get("num_attention_heads"))
    divided = not any(a.startswith(_WHOLE_VISION) for a in declared.vllm.extra_args or ())
    if isinstance(seen, int) and seen > 0 and divided:
        yield _Size(f"{seen} attention heads in its vision part", seen)


def listed(numbers: list[int]) -> str:
    *first, last = (str(n) for n in numbers)
    return f"{', '.join(first)} or {last}" if first else last
