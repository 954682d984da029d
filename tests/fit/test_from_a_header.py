"""What the probe tells of a header is enough for the forecast."""

import json
from typing import Any

import pytest

from tests.fit.measured import MIB, model, read, settings
from xgen_deploy.backends.llama_builds import build_with
from xgen_deploy.backends.llama_forecast import (
    Start,
    llama_forecast,
    llama_most_layers,
)
from xgen_deploy.backends.llama_shape import model_shape
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.fit.forecast import forecast
from xgen_deploy.fit.shape import ModelShape
from xgen_deploy.frozen import replace
from xgen_deploy.probe.remote.gguf_shape import shape
from xgen_deploy.state.facts import GGUFFacts, GGUFShape, ModelFacts
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance import Engine, Spec
from xgen_deploy.state.settings import LlamaSettings

MODELS = sorted(read("models"))
START = Start(device="cuda", flash=True, batches=(None, None))
GPU = GPUInfo(index=0, gpu_type=GPUType.NVIDIA, device_name="L4", uuid="GPU-1")


def sent(whole: ModelShape) -> GGUFShape:
    """Through the document, as from a host."""
    keys: dict[str, Any] = {f"{whole.architecture}.{k}": v for k, v in whole.keys.items()}
    keys["general.architecture"] = whole.architecture
    table = [(t.name, t.kind, t.dims) for t in whole.tensors]
    return GGUFShape.model_validate_json(json.dumps(shape(keys, table)))


@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_same_model(name: str) -> None:
    case = next(c for c in read("cases") if c["model"] == name)
    whole = model(name)
    again = model_shape(whole.architecture, sent(whole))
    asked = settings(case["params"])
    assert forecast(asked, again) == forecast(asked, whole)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_a_few_kilobytes(name: str) -> None:
    assert len(sent(model(name)).model_dump_json()) < 16_000


def _facts(name: str) -> GGUFFacts:
    whole = model(name)
    return GGUFFacts(
        version=3,
        architecture=whole.architecture,
        tensor_count=len(whole.tensors),
        shape=sent(whole),
    )


def _spec(**more: Any) -> Spec:
    return Spec(
        model="m",
        backend="llama-server-cuda",
        runtime="docker",
        source="/m.gguf",
        model_path="/m.gguf",
        port=8001,
        **{"n_ctx": 8192, "n_gpu_layers": "all", "llama": LlamaSettings(parallel=1), **more},
    )


def test_an_instance_takes_what_the_engine_reported() -> None:
    told = llama_forecast(_spec(), _facts("mistral-7b"), (GPU,), START)
    assert told is not None
    assert told.exact
    measured = next(c for c in read("cases") if c["id"] == "mistral-7b-cuda-b11549-229")["buffers"]
    (need,) = told.devices
    assert need.weights / MIB == pytest.approx(measured["CUDA0"]["model_mib"], abs=0.01)
    assert need.cache / MIB == pytest.approx(measured["CUDA0"]["kv_mib"], abs=0.01)
    assert need.compute / MIB == pytest.approx(measured["CUDA0"]["compute_mib"], abs=0.05)


def test_what_is_not_counted_is_said() -> None:
    extra = _spec(llama=LlamaSettings(parallel=1, extra_args=("--swa-full",)))
    told = llama_forecast(extra, _facts("mistral-7b"), (GPU,), START)
    assert told is not None
    assert (told.exact, told.notes) == (False, ("`extra_args` are not looked at",))


def test_an_odd_header_is_no_number() -> None:
    odd = GGUFFacts(
        version=3,
        architecture="llama",
        tensor_count=1,
        shape=GGUFShape(
            keys={"block_count": 1 << 40, "attention.head_count": (0,)},
            whole=(("token_embd.weight", 999, (0,)),),
            kinds=(),
            blocks=(),
        ),
    )
    assert llama_forecast(_spec(), odd, (GPU,), START) is None


@pytest.mark.parametrize(("gib", "layers"), [(80, 33), (4, 25), (1, 5), (0, None)])
def test_as_many_layers_as_there_is_room_for(gib: int, layers: int | None) -> None:
    spec, room = _spec(n_gpu_layers=5), gib << 30
    choice = llama_most_layers(spec, _facts("mistral-7b"), (GPU,), START, [room])
    assert (choice and choice.layers) == layers
    if choice is None:
        return
    (need,) = choice.forecast.devices
    assert need.total <= room
    told = replace(spec, n_gpu_layers=choice.layers)
    assert llama_forecast(told, _facts("mistral-7b"), (GPU,), START) == choice.forecast
    more = replace(spec, n_gpu_layers=choice.layers + 1)
    told_more = llama_forecast(more, _facts("mistral-7b"), (GPU,), START)
    assert told_more is not None
    assert choice.layers == 33 or told_more.devices[0].total > room


def test_on_two_gpus_the_split_is_that_of_the_forecast() -> None:
    gpus = (GPU, replace(GPU, index=1, uuid="GPU-2"))
    facts = _facts("mistral-7b")
    choice = llama_most_layers(_spec(), facts, gpus, START, [4 << 30, 2 << 30])
    assert choice is not None
    assert sum(choice.split) == choice.layers
    assert choice.forecast.exact
    split = LlamaSettings(parallel=1, tensor_split=choice.split)
    told = _spec(n_gpu_layers=choice.layers, llama=split)
    assert llama_forecast(told, facts, gpus, START) == choice.forecast


def test_llama_cpp_python_keeps_the_library_s_defaults() -> None:
    """A window's cache as long as the context, all logits of a batch, no flash attention."""
    server, python = (backend_named(n) for n in ("llama-server-cuda", "llama-cpp-python"))
    assert server
    assert python
    model = ModelFacts(key="m", gguf=_facts("gemma3-270m"))
    spec = _spec(n_ctx=32768, gpus=("GPU-1",))
    told = server.forecast(spec, model, (GPU,), Engine(backend="llama-server-cuda"))
    more = python.forecast(spec, model, (GPU,), Engine(backend="llama-cpp-python"))
    assert told
    assert more
    assert more.exact
    assert more.devices[0].weights == told.devices[0].weights
    assert more.devices[0].cache == 18 * 2 * 256 * 2 * 32768  # every layer, keys and values
    assert more.devices[0].cache > 5 * told.devices[0].cache
    logits = 512 * 262144 * 4
    assert more.devices[0].compute >= logits > told.devices[0].compute


BUILDS = [
    (frozenset(), (True, False)),  # not known: the newest
    (frozenset({"--load-mode", "--kv-unified-per-slot"}), (True, False)),
    (frozenset({"--load-mode"}), (False, False)),
    (frozenset({"--no-mmap"}), (False, True)),
]


@pytest.mark.parametrize(("options", "behaves"), BUILDS)
def test_a_build_is_told_by_its_options(
    options: frozenset[str], behaves: tuple[bool, bool]
) -> None:
    build = build_with(options)
    assert (build.mixes_inputs, build.moves_sinks) == behaves


def test_an_old_build_has_no_flash_attention_where_sinks_are_on_the_host() -> None:
    """A batch's scores then take their room on the GPU."""
    spec, facts = _spec(n_gpu_layers=12), _facts("gpt-oss-20b")
    old = replace(START, build=build_with(frozenset({"--no-mmap"})))
    new, more = (llama_forecast(spec, facts, (GPU,), start) for start in (START, old))
    assert new
    assert more
    assert more.devices[0].compute > new.devices[0].compute + (500 << 20)
    whole = _spec(n_gpu_layers="all")
    new, same = (llama_forecast(whole, facts, (GPU,), start) for start in (START, old))
    assert new
    assert same
    assert same.devices[0].compute <= new.devices[0].compute
