"""What a plan frees before it starts an instance can be given to that instance."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan.memory_fleet import MemoryFleet, source
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.plan import Plan

# Each model is forecast to take 8.1 GiB; `before` what is applied, each on GPU 0 and stated there
# unless it says otherwise, `places` where the new one comes, `after` what it waits for.
CASES = yaml.safe_load("""
- case: what is removed
  gpus: [12]
  before: [{model: old}]
  place: [{model: new, gpus: auto}]
  places: [0]
  after: [h/old]
  says: "GPU 0: 11.1 GiB to give once old is gone, the tightest that holds it"
- case: what is removed, for the layers
  gpus: [12]
  before: [{model: old}]
  place: [{model: new, gpus: [0], n_gpu_layers: auto}]
  places: [0]
  after: [h/old]
- case: what a limit leaves alone stays
  gpus: [12]
  before: [{model: old}]
  place: [{model: new, gpus: auto}]
  limits: [new]
- case: what takes less, though it comes later in the manifest
  gpus: [15]
  before: [{model: old}]
  place: [{model: new, gpus: auto}, {model: old, n_ctx: 1024}]
  places: [0]
  after: [h/old]
- case: what is given another GPU
  gpus: [12, 14]
  before: [{model: old}]
  place: [{model: old, gpus: [1]}, {model: new, gpus: auto}]
  places: [0]
  after: [h/old]
  says: "GPU 0: 11.1 GiB to give once old is gone, the tightest that holds it"
- case: not where it might have to be there first
  gpus: [12, 14]
  before: [{model: old}, {model: new, name: was, gpus: [1]}]
  place: [{model: old, gpus: [1]}, {model: new, gpus: auto}]
- case: a replica that goes is none to keep away from
  gpus: [12, 14]
  before: [{model: old}, {model: new, name: was, gpus: [1]}]
  place: [{model: old}, {model: new, gpus: auto}]
  places: [1]
  after: [h/was]
""")


def _planned(case: dict[str, Any], folder: Path) -> Plan:
    fleet = MemoryFleet(folder, case["gpus"], binaries={"llama": "/opt/llama-server"})
    models = {m: {"source": source("mistral-7b"), "n_ctx": 8192} for m in ("old", "new")}

    def placed(instances: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        return {"h": [{"gpus": [0], **instance} for instance in instances]}

    first = fleet.plan(placed(case["before"]), models=models)
    assert not first.refusals, first.refusals
    fleet.applied(first.operations)
    for one in case["before"]:
        name = one.get("name", one["model"])
        fleet.uses(one.get("gpus", [0])[0], 8300, cgroup=f"/system.slice/xgen-p-{name}.service")
    return fleet.plan(placed(case["place"]), *case.get("limits", ()), models=models)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_a_choice(case: dict[str, Any], tmp_path: Path) -> None:
    plan = _planned(case, tmp_path)
    creates = [o for o in plan.operations if o.action == "create" and o.instance is not None]
    if "places" not in case:
        assert [r.where for r in plan.refusals] == ["h/new"]
        assert not creates
        return
    assert not plan.refusals, plan.refusals
    (new,) = creates
    assert new.instance is not None
    assert [gpu.index for gpu in new.instance.gpus] == case["places"]
    assert new.instance.spec.n_gpu_layers == "all"
    assert list(new.needs) == case["after"]
    order = [o.id for o in plan.operations]
    assert all(order.index(first) < order.index(new.id) for first in case["after"])
    assert case.get("says", "") in "\n".join(new.notes)


# Of the host's 16 GiB `old` holds 12 by its engine's report, beside mapped weights, which count as
# available.
ON_THE_CPU = yaml.safe_load("""
- case: what is removed
  place: [{model: new}]
  context: 24064
- case: what stays
  place: [{model: new}, {model: old, n_ctx: 8192}]
- case: what a limit leaves alone
  place: [{model: new}]
  limits: [new]
""")


@pytest.mark.parametrize("case", ON_THE_CPU, ids=lambda c: c["case"])
def test_a_context_on_the_cpu(case: dict[str, Any], tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path, [], binaries={"llama": "/opt/llama-server"})
    models = {m: {"source": source("mistral-7b"), "n_ctx": "auto"} for m in ("old", "new")}
    fleet.applied(fleet.plan({"h": [{"model": "old", "n_ctx": 8192}]}, models=models).operations)
    fleet.reported("old", LoadReport(host_mib={"CPU": 12288.0, "CPU_Mapped": 4000.0}))
    fleet.ram, fleet.available = 16 << 10, 4 << 10
    plan = fleet.plan({"h": case["place"]}, *case.get("limits", ()), models=models)
    if "context" not in case:
        assert [r.where for r in plan.refusals] == ["h/new"]
        return
    assert not plan.refusals, plan.refusals
    (new,) = (o for o in plan.operations if o.instance is not None)
    assert new.instance is not None
    assert new.instance.spec.n_ctx == case["context"]
    assert new.needs == ("h/old",)
    assert "no GPU to give: it runs on the CPU" in "\n".join(new.notes)


def test_two_contexts_on_the_cpu_share_its_memory(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path, [], binaries={"llama": "/opt/llama-server"})
    fleet.ram = 16 << 10
    models = {m: {"source": source("mistral-7b"), "n_ctx": "auto"} for m in ("a", "b")}
    plan = fleet.plan({"h": [{"model": "a", "max_ctx": 24064}, {"model": "b"}]}, models=models)
    assert [r.where for r in plan.refusals] == ["h/b"]
