"""One door for models on two hosts: made, asked, changed under load, broken, mended, removed."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ask
from tests.lab.conftest import Lab, long
from tests.lab.host import LabHost
from tests.lab.site import Site, small_model
from tests.lab.traffic import traffic
from tests.transport.eventually import eventually

GATEWAY_PORT = 8080
KEYS = {"CLIENTS_KEY": "sk-door", "ENGINE_KEY": "sk-engine"}
IMAGE = "xgen-lab/haproxy:1"
# The host's own program and its libraries, as an image.
_IMPORT = f"""
docker image inspect {IMAGE} >/dev/null 2>&1 || {{
  tar -chf - /usr/sbin/haproxy $(ldd /usr/sbin/haproxy | grep -o '/[^ ]*') |
    docker import -c 'ENTRYPOINT ["/usr/sbin/haproxy"]' - {IMAGE}
}}
"""


@pytest.fixture
def gateway(lab: Lab) -> LabHost:
    return lab.hosts("lab-gateway", "lab-back")[0]


def _site(folder: Path, gateway: LabHost, back: LabHost, runtime: str) -> Site:
    site = Site(folder, f"t_door_{runtime}", runtime, env=KEYS)
    site.models["gemma"] = small_model(api_key={"env": "ENGINE_KEY"})
    site.models["spare"] = small_model(fallback=["gemma"])
    for host in (gateway, back):
        site.serve(host.name)
        site.hosts[host.name] = {"ansible_host": host.address}
    site.serve(back.name, "spare")
    site.top["gateway"] = {
        "host": gateway.name,
        "listen": "0.0.0.0",
        "port": GATEWAY_PORT,
        "api_key": {"env": "CLIENTS_KEY"},
    }
    if runtime == "docker":
        gateway.sh(_IMPORT)
        site.top["images"] = {"llama": "xgen-lab/llama-server:1", "haproxy": IMAGE}
    return site


def _status(site: Site) -> dict[str, Any]:
    (found,) = site.run("status", "--json").json()["gateways"]
    return dict(found)


def _models(gateway: LabHost) -> list[str]:
    request = urllib.request.Request(
        f"http://{gateway.address}:{GATEWAY_PORT}/v1/models",
        headers={"Authorization": "Bearer sk-door"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return [m["id"] for m in json.load(answer)["data"]]


@pytest.mark.parametrize("runtime", ["systemd", pytest.param("docker", marks=long)])
def test_the_whole_job(lab: Lab, gateway: LabHost, tmp_path: Path, runtime: str) -> None:
    back = lab.host("lab-back")
    site = _site(tmp_path, gateway, back, runtime)
    unit = f"xgen-{site.project}-gateway.service"
    before = [host.files() for host in (gateway, back)]
    try:
        planned = site.plan(2)
        assert planned.causes(gateway.name)["gateway"] == "create: 2 models on 3 servers"
        site.apply()
        site.plan(0)
        assert _models(gateway) == ["gemma", "spare"]
        assert ask.completion(gateway, GATEWAY_PORT, key="sk-door")
        assert ask.status_of(gateway, GATEWAY_PORT) == 401
        assert _status(site)["status"] == "up"
        _answers_and_tells(site, gateway, back)
        _is_stopped_and_started(site, gateway, unit)

        back.sh(f"systemctl stop xgen-{site.project}-spare")
        assert eventually(lambda: _status(site)["by_fallback"] == ["spare"])
        assert ask.completion(gateway, GATEWAY_PORT, model="spare", key="sk-door")
        site.apply()

        _more_and_fewer_under_load(site, gateway, back)
        _drift_is_mended(site, gateway, unit)

        del site.top["gateway"]
        site.models["spare"].pop("fallback")
        causes = site.plan(2).causes(gateway.name)
        assert causes["gateway"] == "remove: no longer in the manifest"
        site.apply()
        site.plan(0)
        assert ask.status_of(gateway, GATEWAY_PORT) == 0
    finally:
        destroyed = site.run("destroy", "-y")
    assert destroyed.code == 0, destroyed.said
    for host, files in zip((gateway, back), before, strict=True):
        assert sorted(host.files() ^ files) == []
    assert unit not in gateway.sh("systemctl list-units --all --full --plain")


def _answers_and_tells(site: Site, gateway: LabHost, back: LabHost) -> None:
    """One question from here goes through the gateway, one to an instance itself; every log is
    read, the gateway's too."""
    asked = site.run("ask", "gemma", "Write one word.", "--max-tokens", "8")
    assert asked.code == 0, asked.said
    assert asked.stdout.strip()
    assert f"through the gateway on {gateway.name}, over SSH" in asked.stderr
    document = site.run("ask", "gemma", "Hi", "--max-tokens", "4", "--json").json()
    assert (document["way"], document["host"]) == ("gateway over ssh", gateway.name)
    assert document["answer"]
    said = site.run("logs", "--since", "10m").stdout
    for place in (f"{gateway.name}/gemma", f"{back.name}/spare", f"{gateway.name}/gateway"):
        assert f" {place} " in said, place
    found = site.run("logs", "gemma", "spare", "--grep", "listening|server is").stdout
    assert f"{back.name}/spare" in found
    assert f"{gateway.name}/gateway" not in found
    assert all(secret not in asked.said + said for secret in KEYS.values())


def _is_stopped_and_started(site: Site, gateway: LabHost, unit: str) -> None:
    assert site.run("stop", "gateway", "-y").code == 0
    assert ask.status_of(gateway, GATEWAY_PORT) == 0
    assert _status(site)["status"] == "stopped"
    site.plan(0)
    straight = site.run("ask", "gemma", "Hi", "--max-tokens", "4", "--json").json()
    assert (straight["way"], straight["instance"]) == ("ssh", "gemma")
    assert site.run("start", "gateway", "-y").code == 0
    before = gateway.sh(f"systemctl show --property=MainPID {unit}")
    assert site.run("restart", "gateway", "-y").code == 0
    assert gateway.sh(f"systemctl show --property=MainPID {unit}") != before
    assert ask.completion(gateway, GATEWAY_PORT, key="sk-door")
    site.plan(0)


def _more_and_fewer_under_load(site: Site, gateway: LabHost, back: LabHost) -> None:
    """Instances come and go behind the door, and no request fails."""
    with traffic(gateway.address, GATEWAY_PORT, "gemma", "sk-door", clients=4) as clients:
        clients.more(20)
        site.serve(back.name)
        site.placements[back.name][-1]["name"] = "gemma-more"
        planned = site.plan(2)
        assert planned.causes(gateway.name)["gateway"].startswith("update: +1 server; no inter")
        assert "no reload" in site.apply().said
        clients.more(20)
        site.top["gateway"]["queue_timeout"] = "90s"
        site.apply()
        clients.more(20)
        site.placements[back.name].pop()
        assert "no reload" in site.apply().said
        clients.more(20)
    assert clients.failed == []
    assert len(_status(site)["servers"]) == 3


def _drift_is_mended(site: Site, gateway: LabHost, unit: str) -> None:
    config = f"/etc/xgen-deploy/{site.project}/gateway/haproxy.cfg"
    for broken, cause in (
        (f"systemctl stop {unit}", "repair: it was stopped by hand"),
        (f"echo '# mine' >> {config}", f"repair: {config} was edited by hand"),
        (f"rm {config}", f"repair: {config} is missing"),
        (f"systemctl disable {unit}", "repair: the unit is disabled"),
    ):
        gateway.sh(broken)
        assert site.plan(3).causes(gateway.name)["gateway"].startswith(cause)
        site.apply()
        site.plan(0)
    assert ask.completion(gateway, GATEWAY_PORT, key="sk-door")


def test_a_gateway_that_cannot_start_changes_nothing(
    lab: Lab, gateway: LabHost, tmp_path: Path
) -> None:
    """A certificate that is none: the gateway from before goes on."""
    site = _site(tmp_path, gateway, lab.host("lab-back"), "systemd")
    site.project = "t_door_bad"
    gateway.sh("echo nonsense > /root/bad.pem")
    try:
        site.apply()
        site.top["gateway"]["tls"] = {"cert": "/root/bad.pem", "key": "/root/bad.pem"}
        failed = site.run("apply", "-y")
        assert failed.code == 1
        assert "The previous one serves" in failed.said
        assert ask.completion(gateway, GATEWAY_PORT, key="sk-door")
        site.top["gateway"]["tls"] = {"cert": "/root/none.pem", "key": "/root/none.pem"}
        assert "/root/none.pem does not exist" in site.plan(1).refusals(gateway.name)
    finally:
        site.run("destroy", "-y")
        gateway.sh("rm -f /root/bad.pem")


def test_a_host_without_haproxy_is_told_what_to_do(
    lab: Lab, gateway: LabHost, tmp_path: Path
) -> None:
    site = _site(tmp_path, gateway, lab.host("lab-back"), "systemd")
    site.top["binaries"] = {"llama": "/opt/llama/llama-server", "haproxy": "/opt/none"}
    said = site.plan(1).refusals(gateway.name)
    assert "HAProxy is not installed on this host (looked for /opt/none)" in said
    assert "apt-get install haproxy" in said
