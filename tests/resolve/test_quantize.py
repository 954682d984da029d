"""What a host is to make of a model's source, and what is refused before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from xgen_deploy.resolve.quantize import quantizer_request, to_quantize
from xgen_deploy.resolve.quantized import forecast_of
from xgen_deploy.resolve.quantized_size import CannotQuantize
from xgen_deploy.state.facts import (
    EngineFacts,
    GGUFFacts,
    GGUFShape,
    HostFacts,
    ModelFacts,
    QuantizerFacts,
    QuantizerRequest,
)
from xgen_deploy.state.gpu import GPUDetectionResult
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.quantize import Quantizing

GIB = 1 << 30
F16 = 1
KEY = "/srv/models/m-F16.gguf@main as Q4_K_M"
NEW = QuantizerFacts(
    program="/usr/bin/llama-quantize", version="b11669", options=("--max-buffer-size",)
)
OLD = QuantizerFacts(program="/usr/bin/llama-quantize", version="b4000")


def config(**more: Any) -> InstanceConfig:
    values = {"host": "h", "name": "m", "model": "m", "source": "/srv/models/m-F16.gguf"}
    return InstanceConfig.model_validate(
        {**values, "ports": (8001, 8009), "quantize": "Q4_K_M", **more}
    )


def source(kind: int = F16, **more: Any) -> ModelFacts:
    """Two matrices of 4096 x 4096 in one block."""
    block = tuple((f"{n}.weight", kind, (4096, 4096)) for n in ("attn_q", "attn_v"))
    keys: Any = {"block_count": 1, "attention.head_count": 32, "attention.head_count_kv": 8}
    shape = GGUFShape(keys=keys, whole=(), kinds=(block,), blocks=(0,))
    header = GGUFFacts(version=3, architecture="llama", layers=1, tensor_count=2, shape=shape)
    values = {"key": KEY, "path": "/srv/models/m-F16.gguf", "format": "gguf", "gguf": header}
    size = 4 * 4096 * 4096 + 1024
    return ModelFacts.model_validate({**values, "size": size, "state": "abc", **more})


def facts(quantizer: QuantizerFacts | None = NEW, **more: Any) -> HostFacts:
    values = {"hostname": "h", "arch": "x86_64", "kernel": "6", "user": "root", "uid": 0, "now": 0}
    gpu = GPUDetectionResult(gpus=(), detection_method="cpu_fallback")
    return HostFacts.model_validate(
        {**values, "probe": "python", "cores": 8, "gpu": gpu, "quantizer": quantizer, **more}
    )


def made(told: ModelFacts | None = None, on: HostFacts | None = None, **more: Any) -> Quantizing:
    host = Host(name="h", model_dir="/srv/models")
    return to_quantize(config(**more), host, on or facts(), told or source(), sha256={})


def test_its_name_is_decided_by_its_recipe() -> None:
    """By what the source is, by the type, and by the quantizer's version; by nothing else."""
    first = made()
    assert first.place.startswith("/srv/models/xgen/quantized/")
    assert first.place.endswith(f"/m-Q4_K_M-{first.recipe[:12]}.gguf")
    assert made(on=facts(cores=2)).place == first.place
    others = {
        made(source(state="abd")).place,
        made(quantize="Q5_K_M").place,
        made(on=facts(OLD)).place,
    }
    assert first.place not in others
    assert len(others) == 3


def test_what_it_will_be_is_known_before() -> None:
    quantizing = made()
    told = forecast_of(quantizing, source())
    assert told.gguf is not None
    assert told.gguf.shape is not None
    kinds = {name: kind for name, kind, _ in told.gguf.shape.kinds[0]}
    assert (kinds, told.gguf.quantization) == ({"attn_q.weight": 12, "attn_v.weight": 14}, "Q4_K_M")
    assert told.state == f"recipe:{quantizing.recipe}"
    numbers = 4096 * 4096
    assert quantizing.size == told.size == 1024 + numbers // 256 * (144 + 210)


def test_memory_is_what_the_quantizer_holds_of_one_tensor() -> None:
    buffer = 4096 * 4096 * 4 + 4096 * 4096 // 256 * 210
    assert made(on=facts(OLD)).memory == buffer + (256 << 20)
    assert made(on=facts(OLD)).slab == 0
    little = made(on=facts(memory_available_mb=260))
    assert (little.slab, little.memory) == (65, (65 + 256) << 20)


def test_a_llama_server_that_is_there_loads_it() -> None:
    values: Any = {"backend": "llama-server-cpu", "binary": "/opt/llama-server", "state": "x"}
    there = EngineFacts(**values, flags=("--check-tensors", "--device", "--no-warmup"))
    assert made(on=facts(engines=(there,))).engine == "/opt/llama-server"
    coming = there.model_copy(update={"coming": True})
    assert made(on=facts(engines=(coming,))).engine is None
    assert made(on=facts(engines=(EngineFacts(**values, flags=("--device",)),))).engine is None


def test_its_tensors_say_what_a_source_is() -> None:
    """Some converters leave another type in the header's keys."""
    told = source()
    assert told.gguf is not None
    header = told.gguf.model_copy(update={"quantization": "Q4_K_M"})
    assert made(source(gguf=header)).file_type == "Q4_K_M"
    of_q8_0 = source(8)
    assert of_q8_0.gguf is not None
    header = of_q8_0.gguf.model_copy(update={"quantization": "Q8_0"})
    with pytest.raises(CannotQuantize, match="it is Q8_0 already"):
        made(source(8, gguf=header), quantize="Q8_0")


def test_a_source_in_q8_0_is_said_to_be_quantized_already() -> None:
    assert made(source(8)).requantizes
    assert not made().requantizes


@pytest.mark.parametrize(
    ("told", "on", "reason"),
    [
        (source(), facts(None), "there is no llama-quantize on this host"),
        (source(), facts(QuantizerFacts(program=None)), "there is no llama-quantize on this host"),
        (
            source(),
            facts(QuantizerFacts(program="/q", error="it lacks libllama.so.0")),
            "/q does not run on this host: it lacks libllama.so.0",
        ),
        (source(12), facts(), "it is quantized already"),
        (source(format="hf", gguf=None), facts(), "`quantize` takes a GGUF, and this is not one"),
        (source(), facts(OLD, memory_available_mb=100), "needs 333.1 MiB of memory"),
        (source(closed_file="/srv/models/m-F16.gguf"), facts(), "without rights, may not read"),
    ],
    ids=str,
)
def test_what_cannot_be_made(told: ModelFacts, on: HostFacts, reason: str) -> None:
    with pytest.raises(CannotQuantize, match=reason):
        made(told, on)


def test_an_odd_header() -> None:
    told = source()
    assert told.gguf is not None
    assert told.gguf.shape is not None
    shape = told.gguf.shape.model_copy(update={"keys": {"block_count": 0}})
    header = told.gguf.model_copy(update={"shape": shape})
    with pytest.raises(CannotQuantize, match="its header is odd"):
        made(source(gguf=header))


def test_it_is_looked_for_beside_the_engine() -> None:
    beside = quantizer_request((config(binary="/opt/a/llama-server", runtime="systemd"),), "/srv")
    assert beside == QuantizerRequest(places=("/opt/a/llama-quantize",), model_dir="/srv")
    assert quantizer_request((config(quantize=None),), "/srv") is None
    in_docker = config(binaries={"llama": "/opt/a/llama-server"}, runtime="docker")
    assert quantizer_request((in_docker,), "/srv") == QuantizerRequest(model_dir="/srv")
