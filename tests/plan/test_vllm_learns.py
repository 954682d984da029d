"""What vLLM took for activations and CUDA graphs at its last start is what the next plan counts."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.memory_fleet import MemoryFleet, source
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.load_report import DeviceReport, LoadReport

MIB = 1 << 20
SHARE = {"gpu_memory_utilization": 0.9}
WEIGHTS, TOKENS = 2358.0, 560_000  # MiB and tokens of the cache, by its report
PER_TOKEN = 2 * 16 * 8 * 64 * 2  # bytes: 16 blocks of 8 heads of 64, keys and values in 16 bits
TOOK = 0.9 * 24 * 1024 - WEIGHTS - TOKENS * PER_TOKEN / MIB


def _told(folder: Path, report: LoadReport, **changed: Any) -> Forecast:
    """Of a changed one, once it has run with that report."""
    fleet = MemoryFleet(folder, [24], binaries={"vllm": "/opt/vllm"})
    model = {"source": source("llama32-1b"), "n_ctx": 8192, "vllm": SHARE}
    place = {"h": [{"model": "m", "gpus": [0]}]}
    fleet.applied(fleet.plan(place, models={"m": model}).operations)
    fleet.reported("m", report)
    (operation,) = fleet.plan(place, models={"m": {**model, **changed}}).operations
    assert operation.instance is not None
    assert operation.instance.forecast is not None
    return operation.instance.forecast


def _report(**fields: Any) -> LoadReport:
    device = DeviceReport(name="cuda:0", model_mib=WEIGHTS)
    said = {"devices": (device,), "kv_cache_tokens": TOKENS, "context": 8192, **fields}
    return LoadReport(**said)


KNOWN = [{"n_ctx": 16384}, {"vllm": {"gpu_memory_utilization": 0.8}}]


@pytest.mark.parametrize("changed", KNOWN, ids=str)
def test_by_its_report(changed: dict[str, Any], tmp_path: Path) -> None:
    told = _told(tmp_path, _report(), **changed)
    assert told.devices[0].compute / MIB == pytest.approx(TOOK, abs=32)
    assert "are taken for activations and CUDA graphs, as at its last start" in told.notes[0]
    share = changed.get("vllm", SHARE)["gpu_memory_utilization"]
    assert told.devices[0].total / MIB == pytest.approx(share * 24 * 1024, abs=1)


UNKNOWN = [
    (_report(kv_cache_tokens=None), {"n_ctx": 16384}),
    (_report(devices=()), {"n_ctx": 16384}),
    (_report(), {"vllm": {**SHARE, "max_num_seqs": 8}}),
    (_report(), {"vllm": {**SHARE, "enforce_eager": True}}),
]


@pytest.mark.parametrize(("report", "changed"), UNKNOWN)
def test_else_it_is_a_first_run(
    report: LoadReport, changed: dict[str, Any], tmp_path: Path
) -> None:
    assert _told(tmp_path, report, **changed).notes[0].startswith("first run: ")


def test_more_than_three_times_what_is_assumed_is_something_else(tmp_path: Path) -> None:
    most = 3 * _told(tmp_path, LoadReport(), n_ctx=16384).devices[0].compute
    assert _told(tmp_path, _report(kv_cache_tokens=1000), n_ctx=16384).devices[0].compute == most
