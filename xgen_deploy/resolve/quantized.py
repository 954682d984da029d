"""What will be known of a file that a host makes of another, before it is there. Pure."""

import re
from collections.abc import Iterable

from xgen_deploy.backends.llama_shape import model_shape
from xgen_deploy.fit.quantized import quantized_tensors
from xgen_deploy.fit.shape import Tensor
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import (
    GGUFFacts,
    GGUFShape,
    ModelFacts,
    QuantizedFacts,
    TensorFacts,
)
from xgen_deploy.state.quantize import Quantizing

# How the state of such a file begins (probe/remote/quantized.py).
STATE = "recipe:"
_BLOCK = re.compile(r"blk\.(\d+)\.(.+)")


def forecast_of(quantizing: Quantizing, source: ModelFacts) -> ModelFacts:
    """What the probe will tell of what is made, its header as far as it can be told before."""
    return ModelFacts(
        key=source.key,
        path=quantizing.place,
        format="gguf",
        size=quantizing.size,
        state=STATE + quantizing.recipe,
        gguf=quantized_header(source.gguf, quantizing.file_type),
        quantized=QuantizedFacts(of=quantizing.source_state, by=quantizing.version, coming=True),
    )


def quantized_header(gguf: GGUFFacts | None, file_type: str) -> GGUFFacts | None:
    """As far as it can be told before; None where that is not known."""
    if gguf is None or gguf.shape is None or gguf.architecture is None:
        return None
    tensors = quantized_tensors(model_shape(gguf.architecture, gguf.shape), file_type)
    shape = _shape(gguf.shape, tensors)
    return replace(gguf, quantization=file_type, split_count=None, shape=shape)


def _shape(before: GGUFShape, tensors: Iterable[Tensor]) -> GGUFShape:
    """As the probe tells it (probe/remote/gguf_shape.py)."""
    whole: list[TensorFacts] = []
    blocks: dict[int, list[TensorFacts]] = {}
    for tensor in tensors:
        match = _BLOCK.fullmatch(tensor.name)
        if match is None:
            whole.append((tensor.name, tensor.kind, tensor.dims))
        else:
            blocks.setdefault(int(match[1]), []).append((match[2], tensor.kind, tensor.dims))
    each = [tuple(sorted(blocks.get(n, ()))) for n in range(len(before.blocks))]
    kinds = tuple(dict.fromkeys(each))
    return replace(before, whole=tuple(whole), kinds=kinds, blocks=tuple(map(kinds.index, each)))
