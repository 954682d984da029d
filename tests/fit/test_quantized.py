"""The types of tensors that llama.cpp's own quantizer chose: see cases/README.md."""

from dataclasses import replace

import pytest

from tests.fit.measured import model, read
from xgen_deploy.fit.quantized import F16, F32, buffer_bytes, quantized_tensors
from xgen_deploy.fit.shape import ModelShape


def _in_f16(name: str) -> ModelShape:
    shape = model(name)
    tensors = [replace(t, kind=F32 if t.kind == F32 else F16) for t in shape.tensors]
    return replace(shape, tensors=tensors)


@pytest.mark.parametrize("name", sorted(read("quantized")))
def test_each_tensor_is_of_the_type_that_the_quantizer_gives_it(name: str) -> None:
    shape = _in_f16(name)
    order = [tensor.name for tensor in shape.tensors]
    for file_type, kinds in read("quantized")[name].items():
        chosen = {t.name: t.kind for t in quantized_tensors(shape, file_type)}
        assert [chosen[tensor] for tensor in order] == kinds, file_type


def test_its_buffers_are_those_of_the_largest_tensor() -> None:
    """Llama-3-8B's output layer: 128256 rows of 4096 numbers, as F32 and as Q6_K."""
    assert buffer_bytes(_in_f16("llama3-8b"), "Q4_K_M") == 128256 * 4096 * 4 + 128256 * 16 * 210
