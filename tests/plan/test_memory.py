"""What a plan says of memory, and what it refuses for want of it: see memory_cases.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan.memory_fleet import MemoryFleet, source
from xgen_deploy.plan.memory_text import memory_line
from xgen_deploy.state.plan import Plan

CASES = yaml.safe_load((Path(__file__).parent / "memory_cases.yaml").read_text())


def _models(stated: dict[str, Any]) -> dict[str, Any]:
    return {name: {**fields, "source": source(fields["source"])} for name, fields in stated.items()}


def _fleet(case: dict[str, Any], folder: Path) -> MemoryFleet:
    top = {"inventory": {"all": {"hosts": {"h": case.get("vars", {})}}}}
    fleet = MemoryFleet(folder, case["gpus"], **top)
    fleet.ram = case.get("ram", 256) << 10
    for used in map(dict, case.get("uses", ())):
        fleet.uses(used.pop("gpu"), used.pop("mib"), **used)
    before = case.get("before", {})
    fleet.applied(
        fleet.plan({"h": [{"model": n} for n in before]}, models=_models(before)).operations
    )
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
    assert [w for w in host.warnings if "GiB" in w] == case.get("warned", [])
    if "lines" in case:
        assert [memory_line(m) for m in host.memory if m.told] == case["lines"]
    refused = {r.instance for r in host.refusals}
    assert not refused & {o.name for o in host.operations}


@pytest.mark.parametrize("case", [c for c in CASES if c.get("ways")], ids=lambda c: c["case"])
def test_each_way_out_is_one(case: dict[str, Any], tmp_path: Path) -> None:
    for line in case["ways"]:
        (name,) = (where.partition("/")[2] for where in case["refused"])
        pasted = yaml.safe_load("{" + line + "}")
        place = [{**p, **pasted} if p["model"] == name else p for p in case["place"]]
        host = _plan({**case, "place": place}, tmp_path).hosts["h"]
        assert host.refusals == (), line
        assert not [w for w in host.warnings if "short" in w], line
