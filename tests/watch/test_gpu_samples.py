"""What is told of GPUs: only what is known, under the names that instances are recorded by."""

from pathlib import Path
from typing import Any

import pytest

from xgen_deploy.probe.remote import pci
from xgen_deploy.watch.remote import gpus, xid
from xgen_deploy.watch.remote.page import Page
from xgen_deploy.watch.remote.samples import Sample, sample
from xgen_deploy.watch.remote.sources import Answer

CARD = "GPU-1111"
NVIDIA: dict[str, Any] = {
    "index": 1,
    "gpu_type": "nvidia",
    "uuid": CARD,
    "pci_bus_id": "0000:41:00.0",
    "device_name": "NVIDIA H100",
    "driver_version": "580.1",
    "memory_total_mb": 81559,
    "memory_used_mb": 0,
    "utilization_percent": 97,
    "temperature_celsius": 61,
    "thermal_throttled": False,
    "mig": ["MIG-7"],
}
BARE: dict[str, Any] = {"index": 0, "gpu_type": "amd_rdna", "pci_bus_id": "0000:03:00.0"}


def _values(samples: list[Sample]) -> dict[str, float]:
    return {s.name.removeprefix("xgen_gpu_"): s.value for s in samples}


def test_what_is_unknown_is_left_out() -> None:
    assert _values(gpus.gpu_samples([BARE], None)) == {"info": 1}
    assert _values(gpus.gpu_samples([NVIDIA], None)) == {
        "info": 1,
        "memory_total_bytes": 81559 << 20,
        "memory_used_bytes": 0,
        "utilization_ratio": 0.97,
        "temperature_celsius": 61,
        "thermal_throttled": 0,
    }


def test_a_card_has_the_identity_that_records_name_it_by() -> None:
    info = {s.labels for s in gpus.gpu_samples([NVIDIA, BARE], None) if s.name == "xgen_gpu_info"}
    assert {dict(labels)["gpu_uuid"] for labels in info} == {CARD, "0000:03:00.0"}
    assert {dict(labels)["vendor"] for labels in info} == {"nvidia", "amd"}


@pytest.mark.parametrize(
    ("reserved", "bytes_of_it"),
    [
        (2048, 2048 << 20),
        ({"1": 512}, 512 << 20),
        ({CARD: 512, "0": 1}, 512 << 20),
        ({"0000:41:00.0": 512}, 512 << 20),
        ({"0": 512}, None),
        (None, None),
    ],
)
def test_what_the_inventory_reserves(reserved: object, bytes_of_it: int | None) -> None:
    told = _values(gpus.gpu_samples([NVIDIA], reserved))
    assert told.get("memory_reserved_bytes") == bytes_of_it


def test_a_card_that_instances_use_and_that_is_gone_is_lost() -> None:
    lost = gpus.lost_samples({CARD, "0000:41:00.0", "MIG-7", "GPU-2222"}, [NVIDIA, BARE])
    assert {dict(s.labels)["gpu_uuid"]: s.value for s in lost} == {
        CARD: 0,
        "0000:41:00.0": 0,
        "MIG-7": 0,
        "GPU-2222": 1,
    }


def _settings(**more: object) -> dict[str, Any]:
    known = {"project": "demo", "host": "a", "software_gpu": 0, "reserved_mb": None}
    return {**known, "gateway": None, "engines": [], **more}


def test_an_instance_is_told_with_the_number_of_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "detect", lambda *_: {"gpus": [NVIDIA]})
    about = {"instance": "m", "model": "m", "backend": "vllm-cuda", "runtime": "docker"}
    facts = Answer([sample("xgen_instance_info", 1, gpu_uuid=CARD, **about)])
    page = Page(_settings(), None, lambda: facts).text()
    assert f'gpu_uuid="{CARD}",gpu_index="1"}} 1' in page
    assert f'xgen_gpu_lost{{project="demo",host="a",gpu_uuid="{CARD}",gpu_index="1"}} 0' in page


def test_the_drivers_are_asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def detect(*_: object) -> dict[str, Any]:
        asked.append(1)
        return {"gpus": [NVIDIA]}

    monkeypatch.setattr(gpus, "detect", detect)
    watched = gpus.GPUs(0, None)
    answers = [watched.ask() for _ in range(5)]
    assert len(asked) == 1
    assert {a.at for a in answers} == {answers[0].at}
    assert "torch.cuda" not in {d.name for d in gpus.CHEAP}


@pytest.mark.parametrize(
    ("states", "asleep"),
    [(["suspended", "suspended"], True), (["suspended", "active"], False), ([], False)],
)
def test_cards_that_sleep_are_left_alone(tmp_path: Path, states: list[str], asleep: bool) -> None:
    for number, state in enumerate(states):
        folder = tmp_path / "sys/bus/pci/devices" / f"0000:0{number}:00.0"
        (folder / "power").mkdir(parents=True)
        (folder / "power/runtime_status").write_text(state + "\n")
        (folder / "class").write_text("0x030000")
        (folder / "vendor").write_text("0x1002")
    pci.forget_cards()
    assert gpus.asleep(f"{tmp_path}/") == asleep
    pci.forget_cards()


def test_of_a_card_that_sleeps_what_lasts_is_told_and_it_is_not_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpus, "detect", lambda *_: {"gpus": [NVIDIA]})
    watched = gpus.GPUs(0, None)
    watched.ask()
    monkeypatch.setattr(gpus, "asleep", lambda: True)
    monkeypatch.setattr(gpus, "detect", pytest.fail)
    monkeypatch.setattr(watched, "_next", 0.0)
    answer = watched.ask()
    assert set(_values(answer.samples)) == {"info", "memory_total_bytes"}
    assert (answer.error, answer.at) == (None, None), "as of now"


def test_errors_of_the_driver_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [
        (7, "NVRM: Xid (PCI:0000:41:00): 79, pid=1, GPU has fallen off the bus."),
        (8, "NVRM: Xid (PCI:0000:41:00.0): 79, pid='<unknown>', name=<unknown>"),
        (9, "usb 1-1: new device; NVRM: nothing"),
    ]
    monkeypatch.setattr(xid, "messages", lambda: log)
    monkeypatch.setattr(xid, "_uuids", lambda: {"0000:41:00.0": CARD})
    state: dict[str, Any] = {}
    first, second = xid.xid_samples(state), xid.xid_samples(state)
    assert first == second == [sample("xgen_gpu_xid_errors_total", 2, gpu_uuid=CARD, xid="79")]
    log[:] = [(10, "NVRM: Xid (PCI:0000:41:00): 79, once more, and the older ones are gone")]
    assert xid.xid_samples(state)[0].value == 3
    state["xid"]["boot"] = "another"
    assert xid.xid_samples(state)[0].value == 1
