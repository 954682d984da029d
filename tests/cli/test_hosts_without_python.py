"""A host without a usable Python: its GPUs are shown, all else is unknown, nothing is changed, and
every command says the same."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.test_odd_hosts import Site
from tests.plan.fleet import Fleet
from xgen_deploy.state.host_python import INSTALL_PYTHON

WHY = "/no/such/python3 was not found"
MANIFEST = {
    "project": "p",
    "inventory": {
        "all": {
            "hosts": {
                "bare": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "/no/such/python3",
                    "ansible_become": False,
                }
            }
        }
    },
    "models": {"m": {"source": "/srv/models/m.gguf"}},
    "hosts": {"bare": [{"model": "m", "gpus": []}]},
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(MANIFEST))
    return Site(tmp_path)


def run(site: Site, command: str) -> tuple[int, str]:
    return site.over(site.folder / "site.yaml", command)


EXIT = {
    "plan": 1,
    "plan --drift": 1,
    "apply -y": 1,
    "apply -y --skip-refused": 1,
    "destroy -y": 1,
    "restart -y": 1,
    "stop -y": 1,
    "render": 1,
    "status": 1,
    "verify": 1,
    "gpus": 0,
    "logs m": 4,
    "history": 4,
    "unlock": 4,
}


@pytest.mark.parametrize("command", EXIT)
def test_every_command_says_why_and_what_to_do(site: Site, command: str) -> None:
    code, said = run(site, command)
    assert WHY in said
    assert INSTALL_PYTHON in said
    assert code == EXIT[command]


def test_its_gpus_are_shown_with_the_plan(site: Site) -> None:
    _, said = run(site, "plan --json")
    host = json.loads(said)["hosts"]["bare"]
    assert (host["reachable"], host["operations"]) == (True, [])
    assert len(host["refusals"]) == 1
    _, said = run(site, "plan")
    assert "bare  no GPU, " in said


def test_gpus_claims_nothing_to_be_ready(site: Site) -> None:
    _, said = run(site, "gpus --json")
    host = json.loads(said)["hosts"]["bare"]
    assert host["probe"] == "sh"
    assert set(host["not_ready"]) == set(host["available_backends"])


def test_its_instances_are_unknown(site: Site) -> None:
    _, said = run(site, "status --json")
    found = json.loads(said)
    (row,) = found["models"]
    assert (row["status"], row["reason"]) == ("unknown", f"{WHY}. {INSTALL_PYTHON}")
    assert found["hosts"]["bare"] == {
        "reachable": True, "error": row["reason"], "lock": None, "watchdog": None, "cordons": None,
        "fetching": None,
    }  # fmt: skip


def test_others_are_changed_without_it(tmp_path: Path) -> None:
    """Its gateway routes and models stay as they were known, like an unreachable host's."""
    fleet = Fleet(tmp_path, {"a": "h100", "b": "h100"})
    fleet.bare.add("b")
    place = {"a": [{"model": "m", "gpus": [0]}], "b": [{"model": "m", "gpus": [0]}]}
    refused = fleet.plan(place)
    assert [(r.host, r.hint) for r in refused.refusals] == [("b", INSTALL_PYTHON)]
    assert "H100" in (refused.hosts["b"].headline or "")
    plan = fleet.plan(place, skip_refused=True)
    assert [o.host for o in plan.operations] == ["a"]
