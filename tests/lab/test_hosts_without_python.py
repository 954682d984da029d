"""Hosts without Python, or with half of one, are seen and planned for, and left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Fields, Site
from xgen_deploy.probe.observe import observe
from xgen_deploy.state.facts import EngineRequest, HostFacts, ModelRequest, ProbeRequest
from xgen_deploy.state.host import Host
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options

REASONS = {
    "lab-nopython": "no python3 was found on it",
    "lab-minimal": "is incomplete: the module",
}
NOWHERE = {"ansible_python_interpreter": "/no/such/python3"}
# What differs from one moment or one probe to the next.
OTHER = {
    "probe", "python", "python_path", "now", "timings", "errors", "gpu", "memory_available_mb",
    "engines",
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
def test_it_is_seen_and_planned_for_and_not_changed(lab: Lab, tmp_path: Path, name: str) -> None:
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
    assert one["not_ready"].get("llama-server-cpu") is None

    plan = site.plan(1)
    assert plan.causes(name) == {"gemma": "create: not on this host yet"}
    assert "needs python3 (3.8 or newer, the full package)" in plan.refusals(name)
    assert REASONS[name] in plan.refusals(name)
    assert "apt-get install python3" in plan.refusals(name)

    assert "--ctx-size" in site.run("render").stdout
    assert site.run("status", "--json").json()["hosts"][name]["reachable"] is True

    applied = site.run("apply", "-y")
    assert applied.code == 1
    assert "changing this host needs python3" in applied.said
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


def test_losing_python_changes_nothing(served: tuple[Site, LabHost]) -> None:
    site, host = served
    site.hosts[host.name] = NOWHERE
    (seen,) = site.run("gpus", "--json").json()["hosts"].values()
    assert seen["probe"] == "sh"
    assert site.plan(0).operations(host.name) == []
    (row,) = site.run("status", "--json").json()["models"]
    assert (row["status"], row["context_length"]) == ("running", 512)


def test_both_probes_tell_the_same(lab: Lab, served: tuple[Site, LabHost]) -> None:
    site, host = served
    asked = _request(site)
    connector = Connector(Options(ssh_config=str(lab.ssh_config)))
    try:
        by_python = observe(connector.connect(Host(name=host.name)), asked)
        by_shell = observe(
            connector.connect(Host(name=host.name, python="/no/such/python3")), asked
        )
    finally:
        connector.close()
    assert (by_python.probe, by_shell.probe) == ("python", "sh")
    assert by_shell.errors == {"python": "there is no /no/such/python3 on it"}
    assert _steady(by_python) == _steady(by_shell)
    assert by_shell.services
    for one, other in zip(by_python.engines, by_shell.engines, strict=True):
        assert one.model_copy(update={"cached": False}) == other


def _request(site: Site) -> ProbeRequest:
    model = ModelRequest(
        key="m",
        source=str(next(iter(site.models.values()))["source"]),
        model_dir="/srv/models",
        hf_home="/srv/models/hf",
    )
    engines = (
        EngineRequest(backend="llama-server-cpu", image="xgen-lab/llama-server:1"),
        EngineRequest(backend="llama-server-vulkan", image="xgen-lab/llama-server:1"),
        EngineRequest(backend="llama-server-cpu", binary="/opt/llama/llama-server"),
        EngineRequest(backend="llama-server-cpu", image="xgen-lab/nothing:1"),
    )
    return ProbeRequest(
        project=site.project,
        state_dir=f"/var/lib/xgen-deploy/{site.project}",
        etc_dir=f"/etc/xgen-deploy/{site.project}",
        models=(model,),
        engines=engines,
        files=("/opt/llama/llama-server", "/etc", "/no/such"),
        health=True,
        units={p["model"]: _units(site, p["model"]) for p in _placements(site)},
        watchdog=f"xgen-{site.project}",
        deadline=60.0,
    )


def _placements(site: Site) -> list[Fields]:
    return [placement for placements in site.placements.values() for placement in placements]


def _units(site: Site, instance: str) -> tuple[str, str]:
    unit = f"xgen-{site.project}-{instance}"
    return f"{unit}.service", f"{unit}.b.service"


def _steady(facts: HostFacts) -> dict[str, object]:
    """Times to the second, and no order where there is none."""
    found = facts.model_dump(exclude=OTHER)
    for service in found["services"]:
        service["since"] = service["since"] and round(service["since"] / 10)
    if found["watchdog"] is not None:
        found["watchdog"].pop("last_run")
    for model in found["models"]:
        model["cached"] = False
    for listed in ("ports", "etc_files"):
        found[listed] = sorted(found[listed], key=str)
    return found
