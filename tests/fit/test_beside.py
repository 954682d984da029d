"""What is loaded beside a model is counted in its forecast."""

from typing import Any

import pytest

from tests.fit.test_from_a_header import GPU, _facts, _spec
from xgen_deploy.backends.forecasting import Forecasting
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.features import FoundDraft, FoundFile, FoundLora
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine

ENGINE = Engine(backend="llama-server-cuda")
TWO = (GPU, replace(GPU, index=1, uuid="GPU-2"))
MIB = 1 << 20
FILES = (
    ModelFacts(key="p", path="/p.gguf", size=800 * MIB),
    ModelFacts(key="d", path="/d.gguf", gguf=_facts("qwen3-0.6b"), size=600 * MIB),
    ModelFacts(key="l", path="/l.gguf", size=64 * MIB),
)
PROJECTOR = {"mmproj": FoundFile(path="/p.gguf")}
DRAFT = {"draft": FoundDraft(path="/d.gguf", n_gpu_layers="all")}
LORA = {"loras": {"law": FoundLora(path="/l.gguf")}}


def _both(
    gpus: tuple[GPUInfo, ...], files: Any = FILES, **beside: Any
) -> tuple[Forecast, Forecast]:
    """Without, and with them."""
    backend = backend_named("llama-server-cuda")
    assert backend
    spec = _spec(gpus=tuple(g.identity for g in gpus), **beside)
    model = ModelFacts(key="m", path="/m.gguf", gguf=_facts("mistral-7b"))
    told = backend.forecast(spec, model, gpus, ENGINE)
    assert told
    return told, backend.with_beside(told, spec, gpus, ENGINE, files)


@pytest.mark.parametrize(
    ("beside", "mib"), [(PROJECTOR, 800), (LORA, 64), ({**PROJECTOR, **LORA}, 864)]
)
def test_files_count_as_large_as_they_are(beside: dict[str, Any], mib: int) -> None:
    told, more = _both((GPU,), **beside)
    added = sum(n.weights for n in (*more.devices, more.host)) - sum(
        n.weights for n in (*told.devices, told.host)
    )
    assert added == mib * MIB
    assert not more.exact
    assert not {"the projector is not counted", "adapters are not counted"} & set(more.notes)


def test_a_projector_is_on_the_first_gpu_and_adapters_where_the_layers_are() -> None:
    told, more = _both(TWO, **PROJECTOR)
    pairs = zip(told.devices, more.devices, strict=True)
    first, second = (after.weights - before.weights for before, after in pairs)
    assert (first, second) == (800 * MIB, 0)
    told, more = _both(TWO, **LORA)
    assert all(b.weights > a.weights for a, b in zip(told.devices, more.devices, strict=True))


def test_without_a_gpu_it_is_in_the_host_s_memory() -> None:
    told, more = _both((), **PROJECTOR)
    assert more.host.weights - told.host.weights == 800 * MIB


def test_a_draft_model_is_a_model_of_its_own() -> None:
    told, more = _both((GPU,), **DRAFT)
    need = more.devices[0].total - told.devices[0].total
    assert 1300 * MIB < need < 1700 * MIB  # its weights, and 896 MiB of cache
    assert "the draft model's buffers are an estimate" in more.notes
    on_host = {"draft": FoundDraft(path="/d.gguf", n_gpu_layers=0)}
    told, more = _both((GPU,), **on_host)
    assert more.devices[0].weights == told.devices[0].weights
    assert more.host.total > told.host.total + 1000 * MIB


def test_what_nothing_is_known_of_is_said() -> None:
    told, more = _both((GPU,), files=(), **PROJECTOR, **DRAFT, **LORA)
    assert more == told
    assert {
        "the projector is not counted",
        "the draft model is not counted",
        "adapters are not counted",
    } <= set(more.notes)


@pytest.mark.parametrize("gpus", [(GPU,), TWO], ids=("one", "two"))
@pytest.mark.parametrize(
    "beside", [{}, PROJECTOR, DRAFT, LORA], ids=("-", "mmproj", "draft", "lora")
)
def test_the_most_layers_leave_room_for_it(gpus: tuple[GPUInfo, ...], beside: Any) -> None:
    backend = backend_named("llama-server-cuda")
    assert backend
    model = ModelFacts(key="m", path="/m.gguf", gguf=_facts("mistral-7b"))
    asked = Forecasting(backend, ENGINE, model, FILES)
    spec = _spec(gpus=tuple(g.identity for g in gpus), **beside)
    free = [(4500 if len(gpus) == 1 else 2600) * MIB for _ in gpus]
    choice = asked.most_layers(spec, gpus, free)
    assert choice is not None
    assert 0 < choice.layers < 33

    def told(layers: int) -> Forecast:
        split = replace(spec.llama, tensor_split=choice.split or None)
        forecast = asked.of(replace(spec, n_gpu_layers=layers, llama=split), gpus)
        assert forecast
        return forecast

    assert told(choice.layers).devices == choice.forecast.devices
    assert all(n.total <= f for n, f in zip(choice.forecast.devices, free, strict=True))
    if len(gpus) == 1:
        assert told(choice.layers + 1).devices[0].total > free[0]
