"""What a plan says of memory, and what it refuses for want of it: see memory_cases.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan.memory_fleet import MemoryFleet, source
from xgen_deploy.backends.llama_server import LlamaServer
from xgen_deploy.plan.memory_text import memory_line
from xgen_deploy.plan.saved import save
from xgen_deploy.state.gateway import GatewayRecord, GatewaySpec
from xgen_deploy.state.plan import Kind, Plan
from xgen_deploy.state.routes import Route, Server

CASES = yaml.safe_load((Path(__file__).parent / "memory_cases.yaml").read_text())


def _models(stated: dict[str, Any]) -> dict[str, Any]:
    return {name: {**fields, "source": source(fields["source"])} for name, fields in stated.items()}


def _fleet(case: dict[str, Any], folder: Path) -> MemoryFleet:
    top = {
        "inventory": {"all": {"hosts": {"h": case.get("vars", {})}}},
        "binaries": {"llama": "/opt/llama-server", "vllm": "/opt/vllm"},
    }
    fleet = MemoryFleet(folder, case["gpus"], **top)
    fleet.seen_as(**case.get("gpu", {}))
    fleet.ram = case.get("ram", 256) << 10
    for used in map(dict, case.get("uses", ())):
        fleet.uses(used.pop("gpu"), used.pop("mib"), **used)
    before = case.get("before", {})
    if before:
        placed = {"h": [{"model": name} for name in before]}
        fleet.applied(fleet.plan(placed, models=_models(before)).operations)
    for name, mib in case.get("held", {}).items():
        fleet.uses(0, mib, cgroup=f"/system.slice/xgen-p-{name}.service")
    if "free" in case:
        fleet.gpus = [g.model_copy(update={"memory_free_mb": None}) for g in fleet.gpus]
    return fleet


def _plan(case: dict[str, Any], folder: Path) -> Plan:
    return _fleet(case, folder).plan({"h": case["place"]}, models=_models(case["models"]))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_a_plan(case: dict[str, Any], tmp_path: Path) -> None:
    host = _plan(case, tmp_path).hosts["h"]
    assert {r.where: r.reason for r in host.refusals} == case.get("refused", {})
    offered = [line.strip() for r in host.refusals for line in r.hint.splitlines()[1:]]
    assert offered == case.get("ways", [])
    assert [w for w in host.warnings if "iB" in w] == case.get("warned", [])
    if "lines" in case:
        assert [memory_line(m) for m in host.memory if m.told] == case["lines"]
    refused = {r.instance for r in host.refusals}
    assert not refused & {o.name for o in host.operations}


@pytest.mark.parametrize("case", [c for c in CASES if c.get("ways")], ids=lambda c: c["case"])
def test_each_way_out_is_one(case: dict[str, Any], tmp_path: Path) -> None:
    for line in case["ways"]:
        names = {where.partition("/")[2] for where in case["refused"]}
        pasted = yaml.safe_load("{" + line + "}")
        place = [{**p, **pasted} if p["model"] in names else p for p in case["place"]]
        host = _plan({**case, "place": place}, tmp_path).hosts["h"]
        assert host.refusals == (), line
        assert not [w for w in host.warnings if "iB" in w], line


OLD = {"old": {"source": source("mistral-7b_old"), "n_ctx": 4096}}
BOTH = {**OLD, "m": {"source": source("mistral-7b"), "n_ctx": 8192}}
PLACE = {"h": [{"model": "old"}, {"model": "m"}]}


def _beside_another(folder: Path, mib: int, **top: Any) -> MemoryFleet:
    fleet = MemoryFleet(folder, [16], **top)
    fleet.applied(fleet.plan({"h": [{"model": "old"}]}, models=OLD).operations)
    fleet.uses(0, mib, cgroup="/system.slice/xgen-p-old.service")
    return fleet


def test_a_saved_plan_that_no_longer_fits_is_refused_with_the_numbers(tmp_path: Path) -> None:
    fleet = _beside_another(tmp_path, 6400)
    saved = save(fleet.plan(PLACE, models=BOTH), fleet.site(PLACE, models=BOTH), ())
    assert saved.changed(fleet.plan(PLACE, models=BOTH)) == ()
    fleet.uses(0, 3000, cgroup="/system.slice/xgen-p-old.service")
    assert saved.changed(fleet.plan(PLACE, models=BOTH)) == (
        "h/m is refused now: it needs 8.1 GiB (weights 4.0, cache 4.0, compute 0.1) of GPU 0, "
        "which has 16.0 GiB, of which 9.2 are for other instances",
    )


def test_a_rollback_is_only_warned(tmp_path: Path) -> None:
    fleet = _beside_another(tmp_path, 9400)
    host = fleet.plan(PLACE, models=BOTH, refuses_unfit=False).hosts["h"]
    assert host.refusals == ()
    assert [o.name for o in host.operations] == ["m"]
    assert "it is tried all the same" in " ".join(host.warnings)


def test_what_runs_needs_no_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = _beside_another(tmp_path, 6400)
    fleet.edited.add("h")
    monkeypatch.setattr(LlamaServer, "forecast", _never)
    (repair,) = fleet.plan({"h": [{"model": "old"}]}, models=OLD).hosts["h"].operations
    assert repair.kind is Kind.REPAIR


def _never(*_: object) -> None:
    raise AssertionError("a forecast was made")


@pytest.mark.parametrize(
    ("gpu", "strategy", "why"),
    [
        (16, "start-first", "the gateway moves its requests"),
        (14, "stop-first", "needs 8.4 GiB on GPU 0, which has 7.8 free"),
    ],
)
def test_the_new_one_starts_first_only_where_both_fit(
    gpu: int, strategy: str, why: str, tmp_path: Path
) -> None:
    fleet = MemoryFleet(tmp_path, [gpu], gateway={"host": "h", "port": 9000})
    fleet.applied(fleet.plan({"h": [{"model": "old"}]}, models=OLD).operations[:1])
    server = Server(name="h.old", host="h", instance="old", address="127.0.0.1", port=8001, slots=4)
    spec = GatewaySpec(port=9000, routes=(Route(model="old", pool="old", servers=(server,)),))
    last = GatewayRecord(spec=spec, digest=spec.digest)
    fleet.records["h"] = fleet.records["h"].model_copy(update={"gateway": last})
    fleet.uses(0, 6400, cgroup="/system.slice/xgen-p-old.service")
    larger = {"old": {**OLD["old"], "n_ctx": 8192}}
    plan = fleet.plan({"h": [{"model": "old"}]}, models=larger)
    update = next(o for o in plan.operations if o.name == "old")
    assert (update.kind, update.strategy) == (Kind.UPDATE, strategy)
    assert why in (update.why or "")


def test_ways_out_are_read_where_a_refusal_is_one_line_or_many(tmp_path: Path) -> None:
    case = next(c for c in CASES if c["case"] == "three ways out, each to paste")
    (refusal,) = _plan(case, tmp_path).hosts["h"].refusals
    first, *rest = str(refusal).splitlines()
    assert first.startswith("h/m: it needs 8.1 GiB")
    assert rest[0] == "    Each of these would fit:"
    assert rest[1].startswith("      n_gpu_layers: ")
    assert "0 GiB. Each of these would fit: `n_gpu_layers: " in refusal.on_one_line


def _many() -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """20 of them, with all that can be left to the tool, on one GPU and on two."""
    models: dict[str, Any] = {}
    place = []
    for at in range(20):
        left = {"n_ctx": "auto", "max_ctx": 4096} if at % 2 else {"n_ctx": 2048}
        models[f"m{at}"] = {"source": source(f"qwen3-0.6b_{at}"), **left}
        place.append({"model": f"m{at}", "gpus": ("auto", [at % 4], {"count": 2})[at % 3]})
    return models, {"h": place}


def test_what_runs_stays_whatever_the_memory_and_nothing_is_forecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, place = _many()
    fleet = MemoryFleet(tmp_path, [24] * 4)
    first = fleet.plan(place, models=models).hosts["h"]
    assert (len(first.operations), first.refusals) == (20, ())
    fleet.applied(first.operations)
    monkeypatch.setattr(LlamaServer, "forecast", _never)
    monkeypatch.setattr(LlamaServer, "most_layers", _never)
    held: list[dict[str, Any]] = [
        {},
        {"memory_free_mb": 100},  # somebody else took it
        {"memory_total_mb": 2048, "memory_free_mb": 100},
        {"memory_total_mb": None, "memory_free_mb": None},
    ]
    for told in held:
        fleet.seen_as(**told)
        host = fleet.plan(place, models=models).hosts["h"]
        assert (host.operations, host.refusals, host.warnings) == ((), (), ()), told
    fleet.edited.add("h")
    host = fleet.plan(place, models=models).hosts["h"]
    assert {o.kind for o in host.operations} == {Kind.REPAIR}
    assert host.refusals == ()
