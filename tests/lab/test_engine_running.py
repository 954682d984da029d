"""An engine as it goes on: looked at, restarted, changed by hand, killed; and where its key is."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator

import pytest

from tests.lab import ask
from tests.lab.conftest import Lab
from tests.lab.engine_site import differences, place_models, status, tiny
from tests.lab.host import LabHost
from tests.lab.site import Site

RUNTIMES = {"systemd": 8505, "docker": 8507}
CONTEXT = 512
KEY = "k-5b1f0e7a9c3d"


@pytest.fixture(scope="module", params=RUNTIMES)
def deployed(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Site, LabHost]]:
    """Applied once; a test that harms it has it repaired."""
    host = lab.host("lab-engines")
    place_models(host)
    folder, port = tmp_path_factory.mktemp("running"), RUNTIMES[request.param]
    (folder / "key").write_text(f"{KEY}\n")
    site = Site(folder, f"t_run_{request.param}", request.param, ports=f"{port}-{port + 1}")
    site.models["tiny"] = tiny(
        n_ctx=CONTEXT,
        sampling={"temperature": 0.5, "top_k": 7},
        llama={"mlock": request.param == "systemd" or _may_lock(host)},
        api_key={"file": str(folder / "key")},
    )
    site.serve(host.name, "tiny", listen=host.address)
    site.apply()
    yield site, host
    site.run("destroy", "-y")


Deployed = tuple[Site, LabHost]


def _may_lock(host: LabHost) -> bool:
    """Root of a machine that is itself a guest need not be able to raise the limit; where it is
    not, Docker starts no container that wants it raised.
    """
    return host.run(["sh", "-c", "ulimit -l unlimited"], check=False).returncode == 0


def _unit(site: Site) -> str:
    return f"xgen-{site.project}-tiny.service"


def _until_it_serves(site: Site, host: LabHost) -> None:
    port = RUNTIMES[site.runtime]
    host.sh(f"until curl -sf http://{host.address}:{port}/health; do sleep 0.2; done")


def test_the_key_opens_and_nothing_else_does(deployed: Deployed) -> None:
    site, host = deployed
    port = RUNTIMES[site.runtime]
    assert ask.completion(host, port, model="tiny", key=KEY)
    assert ask.status_of(host, port) == 401
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask.completion(host, port, model="tiny", key=KEY[:-1])


def test_the_key_is_nowhere_to_be_read(deployed: Deployed) -> None:
    site, host = deployed
    told = [site.run(c, "--json").stdout for c in ("plan", "render", "status", "history")]
    told.append(site.run("logs", "tiny").said)
    told.append(host.sh("ps -eww -o args; ps -eww e; journalctl --no-pager --output=verbose"))
    told.append(host.sh(f"systemctl show {_unit(site)}; cat /etc/systemd/system/{_unit(site)}"))
    told.append(host.sh("docker ps -aq | xargs -r docker inspect"))
    assert [text for text in told if KEY in text] == []
    holders = host.sh(f"grep -rlsF {KEY} /etc /var/lib/xgen-deploy /var/log /srv || true")
    for path in holders.splitlines():
        assert path.startswith(f"/etc/xgen-deploy/{site.project}/tiny/")
        assert host.sh(f"stat -c %a {path}") in ("400", "600")
    assert holders


@pytest.mark.parametrize("words", [(), ("--deep",)], ids=["verify", "verify --deep"])
def test_what_was_applied_is_proved(deployed: Deployed, words: tuple[str, ...]) -> None:
    assert differences(deployed[0], *words) == []


def test_the_model_is_held_in_memory(deployed: Deployed) -> None:
    site, host = deployed
    raised = _may_lock(host)
    if site.runtime == "docker" and not raised:
        pytest.skip("optional: root of this machine may not raise the limit on locked memory")
    process = host.sh(f"pgrep -x -u {_user(site, host)} llama-server")
    held = host.sh(f"grep VmLck /proc/{process}/status").split()[1]
    assert int(held) > 1800  # KiB
    limit = host.sh(f"grep 'Max locked memory' /proc/{process}/limits").split()[3]
    assert limit == "unlimited" or not raised
    assert "failed to mlock" not in host.sh(f"journalctl --no-pager -u {_unit(site)}")


def _user(site: Site, host: LabHost) -> str:
    """The number of the user that the engine runs as."""
    if site.runtime == "docker":
        box = f"xgen-{site.project}-tiny"
        return host.sh(f"docker inspect -f '{{{{.Config.User}}}}' {box}").split(":")[0]
    return host.sh(f"stat -c %u /proc/$(systemctl show -P MainPID {_unit(site)})")


@pytest.mark.parametrize("deployed", ["docker"], indirect=True)
def test_a_container_keeps_little_of_its_log(deployed: Deployed) -> None:
    site, host = deployed
    (box,) = json.loads(host.sh(f"docker inspect xgen-{site.project}-tiny"))
    kept = box["HostConfig"]["LogConfig"]
    assert kept == {"Type": "json-file", "Config": {"max-file": "2", "max-size": "10m"}}


def test_a_restart_by_hand_changes_nothing(deployed: Deployed) -> None:
    site, host = deployed
    host.run(["systemctl", "restart", _unit(site)])
    _until_it_serves(site, host)
    assert differences(site) == []
    row = status(site)
    assert (row["status"], row["context_length"]) == ("running", CONTEXT)
    site.plan(0)


def test_what_the_engine_was_given_by_hand_is_found(deployed: Deployed) -> None:
    site, host = deployed
    unit = f"/etc/systemd/system/{_unit(site)}"
    change = "s/--ctx-size\\(\\W*\\)512/--ctx-size\\1256/; s/--temp\\(\\W*\\)0.5/--temp\\10.9/"
    host.sh(f"sed -i '{change}' {unit}; systemctl daemon-reload; systemctl restart {_unit(site)}")
    _until_it_serves(site, host)
    assert sorted(differences(site)) == [
        "engine report: asked for a context of 512; a slot has 256",
        "engine report: asked for sampling.temperature 0.5; the engine's default is 0.9",
        f"unit and container: {unit} was edited by hand",
    ]
    site.apply()
    assert differences(site) == []


def test_a_killed_engine_is_back_and_said_so(deployed: Deployed) -> None:
    site, host = deployed
    slow = f"/run/systemd/system/{_unit(site)}.d"
    # Time to look between its end and its next start.
    host.sh(f"mkdir -p {slow}; printf '[Service]\\nRestartSec=30\\n' > {slow}/slow.conf")
    host.run(["systemctl", "daemon-reload"])
    before = status(site)["restarts"]
    host.run(["pkill", "-KILL", "-u", _user(site, host)])
    dead = status(site)
    assert dead["status"] == "loading"
    assert dead["reason"].startswith("it exited (")
    assert dead["reason"].endswith("is being restarted")
    host.sh(f"rm -r {slow}; systemctl daemon-reload")
    _until_it_serves(site, host)
    row = status(site)
    assert (row["status"], row["context_length"]) == ("running", CONTEXT)
    assert row["restarts"] == before + 1
    assert differences(site) == []
