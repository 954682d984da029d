"""What the driver takes for each process is measured where an engine of ours runs."""

from typing import Any

import pytest

from tests.fit.measured import read
from tests.resolve.test_room import CARD, LAYOUT, OWN, _facts, _record
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.driver_memory import measured
from xgen_deploy.resolve.room import rooms
from xgen_deploy.state.driver_memory import (
    MOST_MIB,
    DriverMemory,
    assumed_for,
    measured_for,
    merged,
)
from xgen_deploy.state.gpu import GPUInfo, GPUProcess
from xgen_deploy.state.host import Host
from xgen_deploy.state.memory import CONTEXT
from xgen_deploy.state.record import Record

NAMED = {"device_name": "NVIDIA L4", "driver_version": "570.86"}
REPORTED = 4800  # MiB, of the record's report


def _card(*held: int, **fields: Any) -> GPUInfo:
    processes = tuple(GPUProcess.model_validate({**OWN, "memory_mb": mib}) for mib in held)
    return replace(CARD, processes=processes, **{**NAMED, **fields})


def _seen(gpu: GPUInfo, record: Record) -> list[int]:
    return [entry.mib for entry in measured(_facts(gpu), record, LAYOUT)]


@pytest.mark.parametrize(
    ("gpu", "seen"),
    [
        (_card(REPORTED + 412), [412]),
        (_card(REPORTED), [0]),
        (_card(REPORTED + 5000), [MOST_MIB]),
        (_card(REPORTED - 1), []),  # it is not the start that was reported
        (_card(REPORTED + 100, 300), []),
        (_card(), []),
        (_card(REPORTED + 412, software=True), []),
    ],
    ids=["more", "no more", "far more", "less", "two processes", "no process", "of the host"],
)
def test_what_a_process_holds_beside_its_buffers(gpu: GPUInfo, seen: list[int]) -> None:
    assert _seen(gpu, _record()) == seen


def test_what_is_stopped_or_loads_more_is_not_measured() -> None:
    assert _seen(_card(REPORTED + 412), _record(stopped=True)) == []
    record = _record()
    last = record.instances["q"]
    spec = replace(last.spec, backend="vllm-cuda")
    shared = replace(record, instances={"q": replace(last, spec=spec)})
    assert _seen(_card(REPORTED + 412), shared) == []


def test_it_is_used_for_that_card_and_driver() -> None:
    (entry,) = measured(_facts(_card(REPORTED + 412)), _record(), LAYOUT)
    assert (entry.gpu, entry.driver, entry.engine) == (
        "NVIDIA L4",
        "570.86",
        "llama-server-cuda",
    )
    record = replace(_record(), drivers=(entry,))
    for card, driver in (
        (_card(), 412 << 20),
        (_card(driver_version="580.1"), CONTEXT),
        (_card(driver_version="580.1", compute_capability="9.0"), 700 << 20),
        (_card(compute_capability="9.0"), 412 << 20),
        (_card(software=True), 0),
    ):
        room = rooms(_facts(card), record, LAYOUT, Host(name="h")).of(card)
        assert room.driver == driver


def test_the_newest_measurement_of_a_build_counts() -> None:
    def entry(mib: int, build: str) -> DriverMemory:
        return DriverMemory(
            gpu="NVIDIA L4", driver="570.86", engine="llama-server-cuda", build=build, mib=mib
        )

    known = merged((entry(800, "b1"), entry(300, "b2")), (entry(400, "b1"), entry(380, "b1")))
    assert known == (entry(400, "b1"), entry(300, "b2"))
    assert measured_for(_card(), known) == 400 << 20
    assert len(merged(known, (entry(1, f"b{n}") for n in range(99)))) == 32


def test_what_is_assumed_of_an_h100_is_what_its_processes_took() -> None:
    """Of one GPU with flash attention, after a request."""
    took = [
        case["process_mib"]["answered"] - sum(case["buffers"]["CUDA0"].values())
        for case in read("cases")
        if case["params"].get("fa", 1) and len(case["params"]["devices"]) == 1
        if "answered" in case.get("process_mib", ())
    ]
    assumed = assumed_for(_card(compute_capability="9.0")) >> 20
    assert assumed == pytest.approx(max(took), rel=0.05)
    assert assumed == pytest.approx(min(took), rel=0.2)
