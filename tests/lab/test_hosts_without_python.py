"""Of hosts without Python, or with half of one, the GPUs are told; they are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site
from xgen_deploy.probe.observe import observe
from xgen_deploy.state.facts import ProbeRequest
from xgen_deploy.state.host import Host
from xgen_deploy.state.host_python import INSTALL_PYTHON
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options

REASONS = {
    "lab-nopython": "no python3 was found",
    "lab-minimal": "lacks the module",
}
NOWHERE = {"ansible_python_interpreter": "/no/such/python3"}


@pytest.mark.parametrize("name", REASONS)
def test_its_gpus_are_told_and_nothing_is_changed(lab: Lab, tmp_path: Path, name: str) -> None:
    host = lab.host(name)
    site = Site(tmp_path, "t_nopython")
    site.serve(name)
    before = host.files()

    seen = site.run("gpus", "--json")
    assert seen.code == 0, seen.said
    one = seen.json()["hosts"][name]
    assert (one["reachable"], one["probe"]) == (True, "sh")
    assert one["detection_method"] == "cpu_fallback"
    assert "llama-server-cpu" in one["available_backends"]
    assert REASONS[name] in one["not_ready"]["llama-server-cpu"]

    plan = site.plan(1)
    assert plan.operations(name) == []
    assert REASONS[name] in plan.refusals(name)
    assert INSTALL_PYTHON in plan.refusals(name)

    status = site.run("status", "--json")
    assert status.code == 1
    assert status.json()["hosts"][name]["reachable"] is True
    assert {row["status"] for row in status.json()["models"]} == {"unknown"}

    applied = site.run("apply", "-y")
    assert applied.code == 1
    assert INSTALL_PYTHON in applied.said
    assert host.files() == before


def test_sudo_that_asks(lab: Lab, tmp_path: Path) -> None:
    lab.host("lab-nopython")
    site = Site(tmp_path, "t_nopython", hosts={"lab-nopython": {"ansible_user": "askpass"}})
    assert "asks askpass for a password" in site.run("gpus").said
    connector = Connector(
        Options(ssh_config=str(lab.ssh_config), become_password=places.ASKPASS_PASSWORD)
    )
    asked = ProbeRequest(project="t_nopython", state_dir="/no/such", etc_dir="/no/such")
    host = Host(name="lab-nopython", user="askpass")
    try:
        found = observe(connector.connect(host), asked)
    finally:
        connector.close()
    assert (found.probe, found.uid) == ("sh", 0)


@pytest.fixture(scope="module", params=["docker", "systemd"])
def served(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Site, LabHost]]:
    """A model that was applied with Python."""
    host = lab.host("lab-spare")
    folder = tmp_path_factory.mktemp("served")
    site = Site(folder, f"t_sh_{request.param}", request.param, ports="8131-8132")
    site.serve(host.name)
    site.apply()
    yield site, host
    site.hosts[host.name] = {}
    destroyed = site.run("destroy", "-y")
    assert destroyed.code == 0, destroyed.said


def test_losing_python_makes_it_unknown_and_touches_nothing(served: tuple[Site, LabHost]) -> None:
    site, host = served
    before = host.files()
    site.hosts[host.name] = NOWHERE
    (seen,) = site.run("gpus", "--json").json()["hosts"].values()
    assert seen["probe"] == "sh"
    assert f"{NOWHERE['ansible_python_interpreter']} was not found" in site.plan(1).refusals(
        host.name
    )
    status = site.run("status", "--json")
    (row,) = status.json()["models"]
    assert (status.code, row["status"]) == (1, "unknown")
    assert site.run("destroy", "-y").code == 1
    assert host.files() == before
