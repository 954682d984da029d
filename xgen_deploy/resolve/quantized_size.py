"""What becomes of a model's source when it is quantized: its tensors, the file's size, and the
memory that it takes to make it; and what cannot be quantized, by its header. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xgen_deploy.backends.llama_shape import model_shape
from xgen_deploy.fit.quantized import buffer_bytes, quantized_tensors
from xgen_deploy.fit.shape import ModelShape, Tensor, UnknownType
from xgen_deploy.state.facts import ModelFacts

MIB = 1 << 20
# MiB of one tensor's rows that the quantizer is asked to hold at most.
SLAB = 2048
_OVERHEAD = 256 * MIB
_ALIGNMENT = 32
# ggml's numbers of types that are not quantized, and of Q8_0.
_PLAIN, _Q8_0 = (0, 1, 30), 8


class CannotQuantize(Exception):
    """`reason` is a clause about the source; `hint` what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(frozen=True)
class Outcome:
    """In bytes. `buffer` is what is held of the largest tensor. `requantizes`: the source is
    quantized already."""

    tensors: tuple[Tensor, ...]
    size: int
    buffer: int
    requantizes: bool


def outcome_of(source: ModelFacts, file_type: str) -> Outcome:
    """Raises CannotQuantize."""
    header = _header(source)
    kinds = {tensor.kind for tensor in header.tensors}
    _check_source(kinds, source, file_type)
    try:
        tensors = quantized_tensors(header, file_type)
        buffer = buffer_bytes(header, file_type)
    except (UnknownType, ArithmeticError, LookupError, ValueError):
        raise CannotQuantize("its header is odd", "Take another file of it.") from None
    rest = (source.size or 0) - _data(header.tensors)  # less than nothing of a file that was cut
    size = _data(tensors) + max(1, rest)
    return Outcome(tensors, size, buffer, requantizes=_Q8_0 in kinds)


def memory_of(buffer: int, slab: int | None) -> int:
    """The bytes that are taken, where the quantizer can be asked for a `slab`, in MiB, or not."""
    return (buffer if slab is None else min(buffer, slab * MIB)) + _OVERHEAD


def _header(source: ModelFacts) -> ModelShape:
    if source.format != "gguf" or source.gguf is None:
        raise CannotQuantize(
            "`quantize` takes a GGUF, and this is not one",
            "llama.cpp's convert_hf_to_gguf.py makes one of safetensors, where PyTorch is; for "
            "vLLM state `vllm: {quantization: ...}` in place of `quantize`.",
        )
    if source.gguf.shape is None or source.gguf.architecture is None:
        raise CannotQuantize("its header tells of no tensors", "Take another file of it.")
    return model_shape(source.gguf.architecture, source.gguf.shape)


def _check_source(kinds: set[int], source: ModelFacts, file_type: str) -> None:
    if kinds <= {*_PLAIN}:  # whatever its header's keys say
        return
    told = (source.gguf and source.gguf.quantization) or "quantized"
    if told == file_type:
        raise CannotQuantize(f"it is {told} already", "Leave `quantize` out.")
    if not kinds <= {*_PLAIN, _Q8_0}:
        raise CannotQuantize(
            f"it is {told} already, and making {file_type} of that would cost much quality",
            "Take a source in F16, BF16, F32 or Q8_0, or leave `quantize` out.",
        )


def _data(tensors: Iterable[Tensor]) -> int:
    return sum(-(-t.bytes // _ALIGNMENT) * _ALIGNMENT for t in tensors)
