"""Every forecast is held against what the engine allocated."""

from typing import Any

import pytest

from tests.fit.measured import MIB, model, read, settings
from xgen_deploy.fit.forecast import forecast

CASES = read("cases")


@pytest.mark.parametrize("case", CASES, ids=[c["id"] for c in CASES])
def test_each_device_is_within_two_per_cent(case: dict[str, Any]) -> None:
    told = forecast(settings(case["params"]), model(case["model"]))
    assert told.exact
    for name, need in zip(case["params"]["devices"], told.devices, strict=True):
        measured = case["buffers"].get(name, {})
        assert need.weights / MIB == pytest.approx(measured.get("model_mib", 0), abs=0.01)
        assert need.cache / MIB == pytest.approx(measured.get("kv_mib", 0), abs=0.01)
        total = sum(measured.get(f"{part}_mib", 0) for part in ("model", "kv", "compute"))
        assert need.total / MIB == pytest.approx(total, rel=0.02, abs=0.1)


# Without those with the logits of a whole batch: see cases/README.md.
FEW_ROWS = [c for c in CASES if "emb" not in c["params"]]


@pytest.mark.parametrize("case", FEW_ROWS, ids=[c["id"] for c in FEW_ROWS])
def test_compute_buffers_are_replayed_to_the_last_digits(case: dict[str, Any]) -> None:
    told = forecast(settings(case["params"]), model(case["model"]))
    for name, need in zip(case["params"]["devices"], told.devices, strict=True):
        measured = case["buffers"].get(name, {}).get("compute_mib", 0)
        assert need.compute / MIB == pytest.approx(measured, rel=0.001, abs=0.05)
    host = case["buffers"]["Host"]["compute_mib"]
    assert told.host.compute / MIB == pytest.approx(host, rel=0.001, abs=0.05)


ON_HARDWARE = [c for c in CASES if c["id"].startswith("h100-")]


@pytest.mark.parametrize("case", ON_HARDWARE, ids=[c["id"] for c in ON_HARDWARE])
def test_on_a_real_card_every_buffer_is_as_forecast(case: dict[str, Any]) -> None:
    told = forecast(settings(case["params"]), model(case["model"]))
    for name, need in zip(case["params"]["devices"], told.devices, strict=True):
        measured = case["buffers"][name]
        for size, part in ((need.weights, "model"), (need.cache, "kv"), (need.compute, "compute")):
            assert size / MIB == pytest.approx(measured[f"{part}_mib"], abs=0.02)
    host = case["buffers"]["Host"]
    assert told.host.cache / MIB == pytest.approx(host["kv_mib"], abs=0.02)
    assert told.host.compute / MIB == pytest.approx(host["compute_mib"], abs=0.02)
    assert told.host.output / MIB == pytest.approx(host["output_mib"], abs=0.02)
