"""From nothing to a model that answers, over what people do to a host by hand, to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import ask
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, small_model

RUNTIMES = ("docker", "systemd")
PORT = 8101


def _site(folder: Path, host: LabHost, runtime: str, project: str, port: int) -> Site:
    site = Site(folder, project, runtime, ports=f"{port}-{port + 1}")
    site.serve(host.name, listen=host.address)
    return site


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_whole_job(lab: Lab, tmp_path: Path, runtime: str) -> None:
    host = lab.host("lab-spare")
    site = _site(tmp_path, host, runtime, f"t_main_{runtime}", PORT)
    unit = f"xgen-t_main_{runtime}-gemma.service"
    before = host.files()
    try:
        assert site.plan(2).causes(host.name) == {"gemma": "create: not on this host yet"}
        assert host.files() == before

        site.apply()
        assert ask.completion(host, PORT)
        again = site.plan(0)
        assert again.operations(host.name) == []
        assert again.json()["summary"]["unchanged"] == 1

        site.models["gemma"] = small_model(n_ctx=768)
        (operation,) = site.plan(2).operations(host.name)
        assert operation["action"] == "update"
        assert operation["diff"] == [{"path": "n_ctx", "before": 512, "after": 768}]
        site.apply()
        assert _context(site) == 768
        site.plan(0)

        host.run(["systemctl", "stop", unit])
        stopped = site.plan(3).causes(host.name)
        assert stopped["gemma"].startswith("repair: it was stopped by hand")
        site.apply()
        assert ask.completion(host, PORT)

        site.placements[host.name] = []
        assert site.plan(2).causes(host.name) == {"gemma": "remove: no longer in the manifest"}
        site.apply()
        assert ask.status_of(host, PORT) == 0
        site.plan(0)
    finally:
        destroyed = site.run("destroy", "-y")
    assert destroyed.code == 0, destroyed.said
    assert sorted(host.files() ^ before) == []
    assert host.sh("docker ps -aq") == ""
    assert unit not in host.sh("systemctl list-units --all --full --plain")


def _context(site: Site) -> int:
    (row,) = site.run("status", "--json").json()["models"]
    context: int = row["context_length"]
    return context


@pytest.fixture(scope="module", params=RUNTIMES)
def deployed(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Site, LabHost]]:
    """Applied once for all the tests below; each leaves it as it was applied."""
    host = lab.host("lab-b")
    folder = tmp_path_factory.mktemp("drift")
    site = _site(folder, host, request.param, f"t_drift_{request.param}", 8103)
    site.apply()
    yield site, host
    site.run("destroy", "-y")


Deployed = tuple[Site, LabHost]


def _service(site: Site) -> str:
    return f"xgen-{site.project}-gemma"


def test_what_lies_on_the_host(lab: Lab, deployed: Deployed) -> None:
    site, lab_host = deployed
    host = lab.testinfra(lab_host.name, sudo=True)
    service = host.service(_service(site))
    assert service.is_enabled
    assert service.is_running
    unit = host.file(f"/etc/systemd/system/{_service(site)}.service")
    assert (unit.mode, unit.user) == (0o644, "root")
    for folder in (f"/etc/xgen-deploy/{site.project}", f"/var/lib/xgen-deploy/{site.project}"):
        assert (host.file(folder).mode, host.file(folder).user) == (0o700, "root")
    record = host.file(f"/var/lib/xgen-deploy/{site.project}/record.json")
    assert record.mode == 0o600
    entry = json.loads(record.content_string)["instances"]["gemma"]
    if site.runtime == "docker":
        assert host.file(f"/etc/xgen-deploy/{site.project}/gemma/env").mode == 0o600
        (box,) = json.loads(host.check_output(f"docker inspect {_service(site)}"))
        labels = box["Config"]["Labels"]
        assert labels["xgen.project"] == site.project
        assert labels["xgen.instance"] == "gemma"
        assert labels["xgen.digest"] == entry["digest"]
        assert box["HostConfig"]["CapDrop"] == ["ALL"]
        assert box["HostConfig"]["ReadonlyRootfs"]
        assert not box["HostConfig"]["Privileged"]
    process = int(lab_host.sh("pgrep -x llama-server | head -n 1"))
    status = lab_host.sh(f"cat /proc/{process}/status")
    assert "\nUid:\t0\t" not in status
    assert "\nCapEff:\t0000000000000000" in status
    assert "\nNoNewPrivs:\t1" in status


def _stop(host: LabHost, service: str) -> None:
    host.run(["systemctl", "stop", f"{service}.service"])


def _disable(host: LabHost, service: str) -> None:
    host.run(["systemctl", "disable", f"{service}.service"])


def _edit(host: LabHost, service: str) -> None:
    host.sh(f"sed -i 's/^RestartSec=.*/RestartSec=77/' /etc/systemd/system/{service}.service")
    host.run(["systemctl", "daemon-reload"])


def _delete(host: LabHost, service: str) -> None:
    host.sh(f"rm /etc/systemd/system/{service}.service; systemctl daemon-reload")


def _drop_in(host: LabHost, service: str) -> None:
    folder = f"/etc/systemd/system/{service}.service.d"
    host.sh(f"mkdir -p {folder}; printf '[Service]\\nNice=5\\n' > {folder}/nice.conf")
    host.run(["systemctl", "daemon-reload"])


def _kill_for_good(host: LabHost, service: str) -> None:
    """Until systemd gives up starting it again."""
    host.sh(
        f"mkdir -p /run/systemd/system/{service}.service.d;"
        f" printf '[Service]\\nRestart=no\\n' > /run/systemd/system/{service}.service.d/no.conf;"
        " systemctl daemon-reload;"
        f" systemctl kill --signal=KILL --kill-whom=all {service}.service;"
        f" while systemctl is-active --quiet {service}.service; do sleep 0.1; done;"
        f" rm -r /run/systemd/system/{service}.service.d; systemctl daemon-reload"
    )


def _replace_container(host: LabHost, service: str) -> None:
    """As a helpful colleague does: the same name, none of our labels; the unit goes with it."""
    host.sh(
        f"image=$(docker inspect -f '{{{{.Config.Image}}}}' {service});"
        f" systemctl stop {service}.service; docker rm -f {service} 2>/dev/null || true;"
        f" docker run -d --name {service} --entrypoint sleep $image infinity"
    )


def _remove_container(host: LabHost, service: str) -> None:
    """Between two starts: the unit waits 5 s after the container that it ran is gone."""
    host.run(["docker", "rm", "-f", service])


HARMS: list[tuple[Callable[[LabHost, str], None], str, tuple[str, ...]]] = [
    (_stop, "stopped by hand", RUNTIMES),
    (_disable, "disabled", RUNTIMES),
    (_edit, "edited by hand", RUNTIMES),
    (_delete, "is gone", RUNTIMES),
    (_drop_in, "drop-ins change the unit", RUNTIMES),
    (_kill_for_good, "it failed", RUNTIMES),
    (_replace_container, "stopped by hand", ("docker",)),
    (_remove_container, "", ("docker",)),
]


@pytest.mark.parametrize(("harm", "cause", "where"), HARMS, ids=lambda v: getattr(v, "__name__", ""))
def test_what_is_done_by_hand_is_seen_and_repaired(
    deployed: Deployed,
    harm: Callable[[LabHost, str], None],
    cause: str,
    where: tuple[str, ...],
) -> None:
    site, host = deployed
    if site.runtime not in where:
        return
    harm(host, _service(site))
    found = site.plan(3).causes(host.name)["gemma"]
    assert found.startswith("repair: ")
    assert cause in found
    site.apply()
    assert ask.completion(host, 8103)
    assert site.plan(0).operations(host.name) == []




def test_a_killed_engine_is_started_again_without_us(deployed: Deployed) -> None:
    site, host = deployed
    (row,) = site.run("status", "--json").json()["models"]
    before = row["restarts"]
    host.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=all", f"{_service(site)}.service"])
    if site.runtime == "docker":
        host.run(["docker", "kill", _service(site)], check=False)
    host.sh(
        f"until [ $(systemctl show -P NRestarts {_service(site)}) -gt {before} ]; do sleep 0.2; done;"
        f" until curl -sf http://{host.address}:8103/health; do sleep 0.2; done"
    )
    site.plan(0)
    assert site.run("status").code == 0
