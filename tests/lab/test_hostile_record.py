"""What somebody with root on one host writes into our files there: it stays that host's affair."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import engine_site
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site
from xgen_deploy.state.instance import Spec

HOST = "lab-a"
STATE = "/var/lib/xgen-deploy/ts_hostile"
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host(HOST)
    engine_site.place_models(found)
    return found


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file here, which only a command of the host's would make."""
    return tmp_path / "marker"


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Applied twice, so that there is something to go back to."""
    folder = tmp_path_factory.mktemp("hostile")
    found = Site(folder, "ts_hostile", ports="8451-8454", env={"TS_KEY": "sk-x"})
    found.models["tiny"] = engine_site.tiny(api_key={"env": "TS_KEY"})
    found.serve(HOST, "tiny")
    found.top["gateway"] = {"host": HOST, "port": 8455}
    found.apply()
    found.models["tiny"]["n_ctx"] = 128
    found.apply()
    host.sh(f"cp -a {STATE}/record.json {STATE}/record.kept")
    yield found
    host.sh(f"cp -a {STATE}/record.kept {STATE}/record.json")
    assert found.run("destroy", "-y").code == 0


def edit(host: LabHost, path: str, change: Edit) -> None:
    """As root on the host would."""
    found = json.loads(host.sh(f"cat {path}"))
    change(found)
    (host.rootfs / path.lstrip("/")).write_text(json.dumps(found))


def test_a_record_that_asks_for_a_command_gets_none(
    host: LabHost, site: Site, marker: Path
) -> None:
    command = {"command": f"sh -c 'touch {marker}; echo key'"}

    def ask(record: dict[str, Any]) -> None:
        record["instances"]["tiny"]["spec"]["api_key"] = command

    def ask_well(record: dict[str, Any]) -> None:
        """With a digest that is right, and so that its own change is not planned."""
        one = record["instances"]["tiny"]
        ask(record)
        one["digest"] = Spec.model_validate(one["spec"]).digest
        one["stopped"] = {"by": "somebody", "at": 1.0}

    edit(host, f"{STATE}/record.json", ask)
    for command_line in (("plan",), ("apply", "-y"), ("verify",)):
        done = site.run(*command_line)
        assert done.code == 1, done.said
        assert "what it says of tiny is not what was applied" in done.said
    edit(host, f"{STATE}/record.json", ask_well)
    assert site.run("plan").code == 0
    site.apply()
    assert "'sk-x'" in host.sh("cat /etc/xgen-deploy/ts_hostile/gateway/keys.cfg")
    assert not marker.exists()
    host.sh(f"cp -a {STATE}/record.kept {STATE}/record.json")


def test_history_gives_a_host_nothing_that_the_manifest_does_not(
    host: LabHost, site: Site, marker: Path
) -> None:
    first = f"{STATE}/history/1.json"
    host.sh(f"cp {first} {STATE}/1.kept")
    command = {"command": f"sh -c 'touch {marker}; echo key'"}
    evil = {"args": ["--privileged", "-v", "/:/host"]}

    def now(**fields: Any) -> Edit:
        return lambda entry: entry["declared"][0].update(fields)

    cases: list[tuple[Edit, str]] = [
        (now(api_key=command), "api_key: secret from command sh -c"),
        (now(env={"X": {"file": "/etc/passwd"}}), "env.X: secret from file /etc/passwd"),
        (now(container=evil), "container.args: --privileged -v /:/host"),
        (now(host="lab-b", container=evil), "it is for another host"),
        (now(name="../../../srv/victim"), "history of a host was edited"),
    ]
    before = host.sh("ls /etc/systemd/system /srv")
    for change, said in cases:
        host.sh(f"cp {STATE}/1.kept {first}")
        edit(host, first, change)
        done = site.run("rollback", "-y", "--to", "1")
        assert done.code == 1, done.said
        assert said in done.said
    assert host.sh("ls /etc/systemd/system /srv") == before
    host.sh(f"cp {STATE}/1.kept {first}")
    edit(host, first, now(api_key=command))
    assert "Carry out" in _answered_no(site, "rollback", "--to", "1", "--trust-history")
    assert not marker.exists()
    host.sh(f"cp {STATE}/1.kept {first}; rm {STATE}/1.kept")
    assert site.run("rollback", "-y", "--to", "1").code == 0
    host.sh(f"cp -a {STATE}/record.json {STATE}/record.kept")


def _answered_no(site: Site, *words: str) -> str:
    """At a terminal, with `n` for an answer; what was said."""
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        site.argv(*words), stdin=theirs, stdout=theirs, stderr=theirs, env=site.environment()
    )
    os.close(theirs)
    os.write(ours, b"n\n")
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # Linux: the other end is closed
        pass
    assert started.wait(60) == 1
    os.close(ours)
    return said.decode()
