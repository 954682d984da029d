"""Which way an update goes, and why: the new one first, or the old one stopped first."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.world import World
from xgen_deploy.frozen import replace
from xgen_deploy.plan.rollout import batches, in_batches
from xgen_deploy.plan.strategy import with_strategies
from xgen_deploy.state.gateway import GatewayRecord, GatewaySpec
from xgen_deploy.state.load_report import DeviceReport, LoadReport
from xgen_deploy.state.plan import HostPlan, Operation
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, Server

GPU = DeviceReport(name="CUDA0", model_mib=5000, kv_mib=500, compute_mib=300)


def case(host: str = "rtx24", n_ctx: int = 4096, **place: Any) -> dict[str, Any]:
    gpus = [] if host == "cpu" else [0]
    return {
        "host": host,
        "top": {"gateway": {"host": "h", "port": 9000}},
        "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": n_ctx}},
        "place": [{"model": "q", "gpus": gpus, **place}],
    }


def gateway(*instances: str) -> GatewayRecord:
    servers = tuple(
        Server(name=f"h.{n}", host="h", instance=n, address="127.0.0.1", port=8001, slots=4)
        for n in instances
    )
    spec = GatewaySpec(port=9000, routes=(Route(model="q", pool="q", servers=servers),))
    return GatewayRecord(spec=spec, digest=spec.digest)


class Behind:
    """An instance behind a gateway on its own host, applied; `free` MiB of its GPU are left."""

    def __init__(self, folder: Path, before: dict[str, Any]) -> None:
        self.folder = folder
        self.world = World(before, folder)
        self.world.apply()
        self.record(gateway=gateway("q"))
        self.reported(LoadReport(devices=(GPU,)))

    def record(self, **changes: object) -> None:
        self.world.record = self.world.record.model_copy(update=changes)

    def reported(self, report: LoadReport | None) -> None:
        entry = self.world.record.instances["q"].model_copy(update={"report": report})
        self.record(instances={"q": entry})

    def free(self, mib: int | None) -> None:
        gpu = self.world.facts.gpu.gpus[0].model_copy(update={"memory_free_mb": mib})
        seen = self.world.facts.gpu.model_copy(update={"gpus": (gpu,)})
        self.world.fact(gpu=seen)

    def plan(self, after: dict[str, Any]) -> HostPlan:
        scene_facts = self.world.facts
        plan = self.world.plan(after, self.folder)
        site = World(after, self.folder).scene.site
        records: dict[str, Record] = {"h": self.world.record}
        return with_strategies(site, {"h": plan}, {"h": scene_facts}, records)["h"]

    def update(self, after: dict[str, Any]) -> Operation:
        plan = self.plan(after)
        assert plan.refusals == ()
        (found,) = plan.operations
        return found


@pytest.fixture
def behind(tmp_path: Path) -> Behind:
    found = Behind(tmp_path, case())
    found.free(12000)
    return found


def test_with_room_for_both_the_new_one_starts_first(behind: Behind) -> None:
    found = behind.update(case(n_ctx=8192))
    assert (found.strategy, found.interrupts) == ("start-first", False)
    assert found.instance is not None
    before = behind.world.record.instances["q"].spec.port
    assert found.instance.name_on_host == "q.b"
    assert found.instance.spec.port not in (before, 9000)
    assert [d.path for d in found.diff] == ["n_ctx"], "the other port is no change that one asked"


def test_the_slots_take_turns(behind: Behind) -> None:
    first = behind.update(case(n_ctx=8192)).instance
    assert first is not None
    entry = behind.world.record.instances["q"].model_copy(
        update={
            "spec": first.spec,
            "digest": first.digest,
            "slot": first.slot,
            "other_port": first.spare_port,
        }
    )
    behind.record(instances={"q": entry})
    second = behind.update(case(n_ctx=2048)).instance
    assert second is not None
    assert (second.name_on_host, second.spec.port) == ("q", first.spare_port)
    assert second.spare_port == first.spec.port


@pytest.mark.parametrize(
    ("free", "report", "why"),
    [
        (6000, GPU, "needs 6.4 GiB on GPU 0, which has 5.9 free"),
        (None, GPU, "the free memory of GPU 0 cannot be measured"),
        (12000, None, "its memory use is unknown"),
    ],
)
def test_without_room_the_old_one_stops_first(
    behind: Behind, free: int | None, report: DeviceReport | None, why: str
) -> None:
    behind.free(free)
    behind.reported(LoadReport(devices=(report,)) if report else None)
    found = behind.update(case(n_ctx=8192))
    assert (found.strategy, found.interrupts, found.why) == ("stop-first", True, why)


def test_a_larger_cache_is_reckoned_with(behind: Behind) -> None:
    """Context 4096 -> 32768: eight times 500 MiB."""
    behind.free(9000)
    assert behind.update(case(n_ctx=4096, llama={"n_batch": 64})).strategy == "start-first"
    found = behind.update(case(n_ctx=32768))
    assert found.why == "needs 9.4 GiB on GPU 0, which has 8.8 free"


@pytest.mark.parametrize(
    ("gateway", "why"),
    [
        (None, "the gateway on h is not running yet"),
        (gateway(), "the gateway on h sends it no requests"),
    ],
)
def test_somebody_has_to_move_the_requests(
    behind: Behind, gateway: GatewayRecord | None, why: str
) -> None:
    behind.record(gateway=gateway)
    assert behind.update(case(n_ctx=8192)).why == why


def test_a_fixed_port_has_room_for_one(tmp_path: Path) -> None:
    behind = Behind(tmp_path, case(port=8005))
    behind.free(12000)
    found = behind.update(case(port=8005, n_ctx=8192))
    assert found.why == "its port is fixed (8005)"


def test_what_is_stated_is_done(behind: Behind) -> None:
    found = behind.update(case(n_ctx=8192, update={"strategy": "stop-first"}))
    assert (found.strategy, found.why) == ("stop-first", "the manifest says so")


def test_what_is_stated_and_cannot_be_is_refused(behind: Behind) -> None:
    behind.free(100)
    plan = behind.plan(case(n_ctx=8192, update={"strategy": "start-first"}))
    (refusal,) = plan.refusals
    assert "start-first, which is not possible: needs" in refusal.reason


def test_on_the_cpu_the_hosts_memory_counts(tmp_path: Path) -> None:
    behind = Behind(tmp_path, case("cpu"))
    behind.reported(LoadReport(host_mib={"model": 5000.0}))
    behind.world.fact(memory_available_mb=4000)
    assert behind.update(case("cpu", n_ctx=4000)).why == (
        "needs 5.2 GiB on the host, which has 3.9 free"
    )
    behind.world.fact(memory_available_mb=8000)
    assert behind.update(case("cpu", n_ctx=4000)).strategy == "start-first"


def replica(host: str, behind: Behind, update: dict[str, int] | None = None) -> Operation:
    found = behind.update(case(n_ctx=8192, update=update or {}))
    assert found.instance is not None
    instance = replace(found.instance, host=host)
    return replace(found, id=f"{host}/q", host=host, instance=instance)


@pytest.mark.parametrize(
    ("update", "cut"),
    [
        ({}, [["a"], ["b"], ["c"], ["d"]]),
        ({"max_unavailable": 2}, [["a"], ["b", "c"], ["d"]]),
        ({"canary": 0, "max_unavailable": 3}, [["a", "b", "c"], ["d"]]),
        ({"canary": 2, "max_unavailable": 4}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_a_canary_and_then_batch_by_batch(
    behind: Behind, update: dict[str, int], cut: list[list[str]]
) -> None:
    found = batches([replica(h, behind, update) for h in "abcd"])
    assert [[o.host for o in batch] for batch in found] == cut


def test_one_host_cannot_make_the_batches_of_all_larger(behind: Behind) -> None:
    careless = replica("a", behind, {"canary": 0, "max_unavailable": 1000})
    found = batches([careless, *(replica(h, behind) for h in "bc")])
    assert [[o.host for o in batch] for batch in found] == [["a"], ["b"], ["c"]]


def test_each_batch_needs_the_one_before(behind: Behind) -> None:
    plans = {h: HostPlan(host=h, operations=(replica(h, behind),)) for h in "abc"}
    found = in_batches(plans)
    assert [found[h].operations[0].needs for h in "abc"] == [(), ("a/q",), ("b/q",)]
