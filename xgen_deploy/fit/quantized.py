"""Which type llama.cpp's quantizer gives each tensor of a model, as its src/llama-quant.cpp decides
without an importance matrix. Its versions differ in details: what follows from it is an estimate.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from xgen_deploy.fit.shape import ModelShape, Tensor

F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 = 0, 1, 2, 3, 6, 7, 8
Q2_K, Q3_K, Q4_K, Q5_K, Q6_K = 10, 11, 12, 13, 14
IQ4_NL, IQ3_S, IQ4_XS = 20, 21, 23
# The type of most tensors.
_MOST = {
    "Q4_0": Q4_0, "Q4_1": Q4_1, "Q5_0": Q5_0, "Q5_1": Q5_1, "Q8_0": Q8_0, "Q2_K": Q2_K,
    "Q3_K_S": Q3_K, "Q3_K_M": Q3_K, "Q3_K_L": Q3_K, "Q4_K_S": Q4_K, "Q4_K_M": Q4_K,
    "Q5_K_S": Q5_K, "Q5_K_M": Q5_K, "Q6_K": Q6_K, "IQ3_S": IQ3_S, "IQ3_M": IQ3_S,
    "IQ4_NL": IQ4_NL, "IQ4_XS": IQ4_XS,
}  # fmt: skip
# Where a row is no whole number of blocks of 256.
_SMALLER = {
    Q2_K: Q4_0, Q3_K: Q4_0, Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0, IQ3_S: IQ4_NL, IQ4_XS: IQ4_NL
}  # fmt: skip
_BLOCK = {Q4_0: 32, Q4_1: 32, Q5_0: 32, Q5_1: 32, Q8_0: 32, IQ4_NL: 32}
_WIDE = 256
_KEPT = (
    "_norm.weight", "ffn_gate_inp.weight", "altup", "laurel", "per_layer_model_proj", "ssm_conv1d",
    "shortconv.conv.weight", "attn_rel_b.weight", "time_mix_", ".position_embd",
)  # fmt: skip
_KEPT_WHOLE = ("position_embd.weight", "token_types.weight")
_LAYER = re.compile(r"blk\.(\d+)\.")
_EIGHT = 8
_LAYERS_OF_70B = 80


@dataclass(frozen=True)
class _Model:
    """What decides beside a tensor's name."""

    architecture: str
    layers: int
    experts: int
    gqa: int
    attention_v: int
    is_tied: bool

    @property
    def is_falcon(self) -> bool:
        return self.architecture == "falcon"

    @property
    def is_70b(self) -> bool:
        return self.layers == _LAYERS_OF_70B and self.gqa > 1


def quantized_tensors(model: ModelShape, file_type: str) -> tuple[Tensor, ...]:
    """The tensors as they come out; `file_type` as llama-quantize names it. Raises KeyError for a
    type that this does not know."""
    most, known = _MOST[file_type], _model(model)
    seen_v, result = 0, []
    for tensor in sorted(model.tensors, key=_order):
        kind = tensor.kind
        if _is_quantized(tensor):
            kind = _fitting(_kind(file_type, most, tensor, known, seen_v), tensor)
        seen_v += _is_attention_v(tensor.name)
        result.append(replace(tensor, kind=kind))
    return tuple(result)


def buffer_bytes(model: ModelShape, file_type: str) -> int:
    """The most that the quantizer holds of one tensor besides the mapped file: its numbers as F32,
    and what they become."""
    before = {t.name: t.kind for t in model.tensors}
    sizes = (
        t.bytes + (0 if before[t.name] == F32 else t.elements * 4)
        for t in quantized_tensors(model, file_type)
        if t.kind != before[t.name]
    )
    return max(sizes, default=0)


def _model(model: ModelShape) -> _Model:
    heads, names = model.heads, {t.name for t in model.tensors}
    return _Model(
        architecture=model.architecture,
        layers=model.blocks,
        experts=model.number("expert_count"),
        gqa=heads // max(1, model.kv_heads[0] if model.kv_heads else heads),
        attention_v=sum(_is_attention_v(name) for name in names),
        is_tied="output.weight" not in names,
    )


def _order(tensor: Tensor) -> tuple[int, str]:
    """By layer, as the quantizer goes through them; the others first."""
    return _layer(tensor.name), tensor.name


def _layer(name: str) -> int:
    match = _LAYER.match(name)
    return int(match[1]) if match else -1


def _is_quantized(tensor: Tensor) -> bool:
    name, dims = tensor.name, [size for size in tensor.dims if size > 1]
    many = len(dims) > 1 and len(tensor.dims) > 1
    plain = name.endswith("weight") and name not in _KEPT_WHOLE
    return many and plain and not any(part in name for part in _KEPT)


def _is_attention_v(name: str) -> bool:
    return any(f"attn_{part}.weight" in name for part in ("v", "qkv", "kv_b"))


def _more_bits(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _kind(file_type: str, most: int, tensor: Tensor, model: _Model, seen_v: int) -> int:
    name = tensor.name
    is_embedding = name in ("token_embd.weight", "per_layer_token_embd.weight")
    if name == "output.weight" or (is_embedding and model.is_tied):
        return _of_output(most, tensor, model)
    if is_embedding:
        return most
    if _is_attention_v(name):
        return _of_attention_v(file_type, most, model, seen_v)
    choose = next((c for part, c in _CHOICES.items() if part in name), None)
    return most if choose is None else choose(file_type, most, model, _layer(name))


def _of_output(most: int, tensor: Tensor, model: _Model) -> int:
    if model.is_falcon or tensor.dims[0] % _BLOCK.get(most, _WIDE):
        return Q8_0
    return most if most == Q8_0 else Q6_K


def _of_attention_v(file_type: str, most: int, model: _Model, seen: int) -> int:
    grouped = model.gqa >= 4
    kind = {
        "Q2_K": Q4_K if grouped else Q3_K,
        "IQ3_S": Q4_K if grouped else most,
        "IQ3_M": Q4_K,
        "Q3_K_M": Q5_K if seen < 2 else Q4_K,
        "Q3_K_L": Q5_K,
        "IQ4_NL": Q5_K if grouped else most,
        "IQ4_XS": Q5_K if grouped else most,
        "Q4_K_M": Q6_K if _more_bits(seen, model.attention_v) else most,
        "Q5_K_M": Q6_K if _more_bits(seen, model.attention_v) else most,
        "Q4_K_S": Q5_K if seen < 4 else most,
    }.get(file_type, most)
    if model.is_70b and kind in (Q3_K, Q4_K):
        kind = Q5_K
    return Q8_0 if model.experts == _EIGHT else kind


def _of_attention_k(file_type: str, most: int, model: _Model, layer: int) -> int:
    del file_type, layer
    return Q8_0 if model.experts == _EIGHT else most


def _of_ffn_down(file_type: str, most: int, model: _Model, layer: int) -> int:
    early, more = layer < model.layers // 8, _more_bits(layer, model.layers)
    if model.is_falcon:
        return _of_falcon_ffn_down(file_type, most, model, layer)
    mixed = early or (model.experts == _EIGHT and more)
    return {
        "Q2_K": Q3_K,
        "Q3_K_M": Q5_K if layer < model.layers // 16 else Q4_K,
        "Q3_K_L": Q5_K,
        "IQ3_M": Q4_K if mixed else most,
        "Q4_K_M": Q6_K if more else most,
        "Q5_K_M": Q6_K if more else most,
        "Q4_K_S": Q5_K if early else most,
        "IQ4_NL": Q5_K if early else most,
        "IQ4_XS": Q5_K if early else most,
    }.get(file_type, most)


def _of_falcon_ffn_down(file_type: str, most: int, model: _Model, layer: int) -> int:
    first, more = layer < model.layers // 16, _more_bits(layer, model.layers)
    return {
        "Q2_K": Q3_K,
        "Q3_K_M": Q5_K if first else Q4_K if more else most,
        "Q3_K_L": Q4_K,
        "Q4_K_M": Q6_K if first else Q5_K if more else most,
        "Q5_K_M": Q6_K if more else most,
    }.get(file_type, most)


def _of_attention_output(file_type: str, most: int, model: _Model, layer: int) -> int:
    del layer
    if model.is_falcon:
        return Q4_K if file_type == "Q3_K_L" else most
    if model.experts == _EIGHT:
        low = ("Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS")
        return Q5_K if file_type in low else most
    return {"Q2_K": Q3_K, "Q3_K_M": Q4_K, "Q3_K_L": Q5_K, "IQ3_M": Q4_K}.get(file_type, most)


_Choice = Callable[[str, int, _Model, int], int]
_CHOICES: Mapping[str, _Choice] = {
    "attn_k.weight": _of_attention_k,
    "ffn_down": _of_ffn_down,
    "attn_output.weight": _of_attention_output,
}


def _fitting(kind: int, tensor: Tensor) -> int:
    """One whose blocks divide a row."""
    row = tensor.dims[0]
    if row % _BLOCK.get(kind, _WIDE) == 0:
        return kind
    kind = _SMALLER.get(kind, kind)
    return kind if row % _BLOCK.get(kind, _WIDE) == 0 else F16
