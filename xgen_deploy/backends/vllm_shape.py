"""What vLLM makes of a model: its layers' cache and the weights of each GPU, from `config.json` and
the headers of its weights.
"""

from collections.abc import Mapping, Sequence

from xgen_deploy.backends.vllm_config import architectures, number, quantised_by, value
from xgen_deploy.fit.paged_cache import Layers
from xgen_deploy.fit.ranks import Network
from xgen_deploy.fit.stored_weights import StoredWeights
from xgen_deploy.state.facts import ModelFacts, WeightFacts
from xgen_deploy.state.settings import VllmSettings

_MLA = frozenset(("DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"))
# With attention in each layer, of the heads that are stated, and nothing else that is kept.
_KNOWN = _MLA | frozenset(
    [
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "MixtralForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen2MoeForCausalLM",
        "Qwen2VLForConditionalGeneration",
        "Qwen2_5_VLForConditionalGeneration",
        "Qwen3ForCausalLM",
        "Qwen3MoeForCausalLM",
        "Gemma2ForCausalLM",
        "Gemma3ForCausalLM",
        "Gemma3ForConditionalGeneration",
        "Phi3ForCausalLM",
        "GptOssForCausalLM",
        "Glm4MoeForCausalLM",
        "GraniteForCausalLM",
    ]
)
# Where a configuration leaves out which layers slide: every so many, the last one does not.
_PERIODS = {
    "Gemma2ForCausalLM": 2,
    "GptOssForCausalLM": 2,
    "Gemma3ForCausalLM": 6,
    "Gemma3ForConditionalGeneration": 6,
}
# Which have nothing but what `Network` counts.
_PLAIN = frozenset(
    [
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "MixtralForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "Qwen3MoeForCausalLM",
    ]
)
_SIZES = {
    "width": "hidden_size",
    "inner": "intermediate_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
}
_WIDE = {"F64": 8, "F32": 4}
_LINEAR = ("attention", "kv", "mlp", "experts")
# Bytes of a number in the cache; 0: as the model's own.
_CACHES = {
    "auto": 0,
    "bfloat16": 2,
    "float16": 2,
    "fp8": 1,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
    "fp8_ds_mla": 1,
}


def attention(
    model: ModelFacts, settings: VllmSettings, ranks: int, stages: Sequence[range]
) -> tuple[Layers, ...] | None:
    """The cache of each stage of a pipeline; None where it is not known how the model keeps its
    tokens."""
    named = architectures(model)
    heads = number(model, "num_key_value_heads", "num_attention_heads")
    size, latent = head_size(model), number(model, "kv_lora_rank")
    slides = _sliding(model, stages[-1].stop)
    if not named or not named <= _KNOWN or heads is None or size is None or slides is None:
        return None
    is_latent = named <= _MLA
    if is_latent != (latent is not None):
        return None
    width = (latent or 0) + (number(model, "qk_rope_head_dim") or 0) if is_latent else 0
    kind = settings.kv_cache_dtype or "auto"
    if kind not in _CACHES:
        return None
    return tuple(
        Layers(
            count=len(stage),
            kv_heads=heads,
            head_size=size,
            element=_CACHES[kind] or element(settings),
            sliding=sum(slides[number] for number in stage),
            window=number(model, "sliding_window") or 0,
            latent=width,
            packed=kind == "fp8_ds_mla",
            ranks=ranks,
        )
        for stage in stages
    )


def head_size(model: ModelFacts) -> int | None:
    stated = number(model, "head_dim")
    width, heads = number(model, "hidden_size"), number(model, "num_attention_heads")
    return stated or (width // heads if width and heads else None)


def element(settings: VllmSettings) -> int:
    """Bytes of a number that is not quantised; float32 is taken as a half of it, unless stated."""
    return 4 if settings.dtype in ("float32", "float") else 2


def _sliding(model: ModelFacts, count: int) -> list[bool] | None:
    """Of each layer whether it keeps a window only; None where it has something else."""
    window, types = number(model, "sliding_window"), value(model, "layer_types")
    if isinstance(types, list | tuple):
        known = all(t in ("full_attention", "sliding_attention") for t in types)
        fits = len(types) >= count and (window or "sliding_attention" not in types)
        return [t == "sliding_attention" for t in types[:count]] if known and fits else None
    if window is None or value(model, "use_sliding_window") is False:
        return [False] * count
    if value(model, "use_sliding_window") is True:  # some of them, by the model's own rules
        return None
    period = next((p for name, p in _PERIODS.items() if name in architectures(model)), 0)
    period = number(model, "sliding_window_pattern") or period
    return [layer % period < period - 1 if period else True for layer in range(count)]


def stored_weights(
    model: ModelFacts, settings: VllmSettings, weights: WeightFacts
) -> StoredWeights | None:
    """None where the files do not tell what of them is loaded."""
    count = number(model, "num_hidden_layers")
    layers = [weights.kinds[k] for k in weights.layers if k < len(weights.kinds)]
    if count is None or len(layers) < count or "embedding" not in weights.whole:
        return None
    parts = _loaded(model, settings, weights)
    if parts is None:
        return None
    linear, rest = parts
    return StoredWeights(
        whole=_scaled(weights.whole, linear, rest),
        layers=[_scaled(layer, linear, rest) for layer in layers],
        count=count,
        vocabulary=number(model, "vocab_size") or 64,
        kv_heads=number(model, "num_key_value_heads", "num_attention_heads") or 1,
        tied=_tied(model, weights),
        rotations=_rotations(model),
        element=element(settings),
    )


def weights_by_config(model: ModelFacts, settings: VllmSettings) -> StoredWeights | None:
    """Where nobody has seen the files; None where the configuration alone does not tell."""
    bits = _bits(model) if settings.quantization is None else None
    named, size = architectures(model), head_size(model)
    if not named or not named <= _PLAIN or bits is None or size is None:
        return None
    stated = {field: number(model, key) for field, key in _SIZES.items()}
    if any(v is None for v in stated.values()):
        return None
    experts = number(model, "num_experts", "num_local_experts")
    kind = str(value(model, "model_type"))
    return Network(
        **{field: v or 0 for field, v in stated.items()},
        kv_heads=number(model, "num_key_value_heads", "num_attention_heads") or 1,
        head_size=size,
        tied=value(model, "tie_word_embeddings") is True,
        experts=experts or 0,
        expert_inner=number(model, "moe_intermediate_size", "intermediate_size") or 0,
        head_norms=kind.startswith("qwen3"),
        biases=kind.startswith("qwen2"),
        element=element(settings),
        bits=bits,
    ).stored()


def _bits(model: ModelFacts) -> int | None:
    """Of a number of the linear layers as they are stored; None where that is not known."""
    told, method = quantised_by(model)
    if method is None:
        return 32 if told else None
    stated = value(model, "quantization_config")
    bits = stated.get("bits") if isinstance(stated, Mapping) else None
    return bits if method in ("awq", "gptq") and isinstance(bits, int) and 1 < bits < 9 else None


def _loaded(
    model: ModelFacts, settings: VllmSettings, weights: WeightFacts
) -> tuple[float, float] | None:
    """What becomes of a byte of the linear layers, and of the rest."""
    told, method = quantised_by(model)
    if method is not None or not told:
        return 1.0, 1.0
    most = max(weights.types, key=lambda kind: weights.types[kind], default="BF16")
    rest = element(settings) / _WIDE.get(most, 2)
    online = settings.quantization
    if online is None:
        return rest, rest
    return (1 / _WIDE.get(most, 2), rest) if online == "fp8" else None


def _scaled(sizes: Mapping[str, int], linear: float, rest: float) -> dict[str, int]:
    return {k: int(v * (linear if k in _LINEAR else rest)) for k, v in sizes.items()}


def _tied(model: ModelFacts, weights: WeightFacts) -> bool:
    stated = value(model, "tie_word_embeddings")
    return stated if isinstance(stated, bool) else "head" not in weights.whole


def _rotations(model: ModelFacts) -> int:
    """Gemma 3 has two tables, for its two kinds of layers."""
    positions, size = number(model, "max_position_embeddings"), head_size(model)
    rope = number(model, "qk_rope_head_dim") or size
    two = any(name.startswith("Gemma3") for name in architectures(model))
    return (positions or 0) * (rope or 0) * (2 if two else 1)
