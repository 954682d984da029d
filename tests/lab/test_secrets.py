"""Secrets on a real host: once an apply, to the letter, and kept where they are not at hand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import ask, engine_site
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site

HOST = "lab-a"
VALUE = "first\n\tsecond 'x' \"y\" $z `w` \\"


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host(HOST)
    engine_site.place_models(found)
    return found


@pytest.fixture
def site(host: LabHost, tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, "ts_kept", ports="8441-8444", env={"TS_KEY": "sk-engine"})
    (tmp_path / "token").write_text(VALUE + "\n")
    (tmp_path / "door").write_text(f"#!/bin/sh\necho x >>{tmp_path}/runs; echo sk-door-$$\n")
    (tmp_path / "door").chmod(0o700)
    found.models["tiny"] = engine_site.tiny(
        api_key={"env": "TS_KEY"}, env={"TOKEN": {"file": "token"}}
    )
    found.serve(HOST, "tiny")
    found.top["gateway"] = {"host": HOST, "port": 8445, "api_key": {"command": f"{tmp_path}/door"}}
    yield found
    assert found.run("destroy", "-y").code == 0


def _token(host: LabHost) -> str:
    """Of the running engine's environment."""
    pid = host.sh("systemctl show --property MainPID --value xgen-ts_kept-tiny.service").strip()
    variables = host.sh(f"base64 -w0 /proc/{pid}/environ")
    found = dict(v.split("=", 1) for v in base64.b64decode(variables).decode().split("\0") if v)
    return found["TOKEN"]


def test_a_secret_is_looked_up_once_and_stays_where_it_is_not_at_hand(
    host: LabHost, site: Site, tmp_path: Path
) -> None:
    site.apply()
    assert (tmp_path / "runs").read_text() == "x\n"
    assert _token(host) == VALUE
    for name in ("token", "door"):
        (tmp_path / name).unlink()
    site.env.clear()
    unit = "/etc/systemd/system/xgen-ts_kept-tiny.service"
    config = "/etc/xgen-deploy/ts_kept/gateway/haproxy.cfg"
    before = host.sh("cat /etc/xgen-deploy/ts_kept/gateway/keys.cfg")
    host.sh(f"rm {unit}; echo '# by hand' >>{config}")
    done = site.apply()
    assert "secrets of 1 instance and the gateway: kept, not compared" in done.stdout
    assert _token(host) == VALUE
    assert host.sh("cat /etc/xgen-deploy/ts_kept/gateway/keys.cfg") == before
    assert engine_site.differences(site) == []
    assert "nothing to do" in site.apply().stdout
    site.placements[HOST].append({"model": "tiny", "gpus": [], "name": "second"})
    refused = site.run("apply", "-y")
    assert refused.code == 1
    assert f"{HOST}/second: the secret's variable TS_KEY is not set here" in refused.said
    assert site.run("history").stdout.count("\n#") == 2, "nothing was begun"


def test_an_instance_that_waits_for_its_new_reference_is_asked_with_the_key_that_it_has(
    host: LabHost, tmp_path: Path
) -> None:
    """The gateway changes meanwhile; the value that the old reference has by now is another one."""
    site = Site(tmp_path, "ts_waits", ports="8461-8464", env={"OLD": "sk-old", "NEW": "sk-new"})
    site.models |= {
        "tiny": engine_site.tiny(api_key={"env": "OLD"}),
        "more": engine_site.tiny(),
    }
    site.serve(HOST, "tiny")
    site.top["gateway"] = {"host": HOST, "port": 8465, "listen": "0.0.0.0"}
    try:
        site.apply()
        assert ask.completion(host, 8465, model="tiny")
        site.models["tiny"]["api_key"] = {"env": "NEW"}
        site.env["OLD"] = "sk-another"
        site.serve(HOST, "more")
        site.apply("--limit", "more")
        assert ask.completion(host, 8465, model="tiny")
        assert ask.completion(host, 8465, model="more")
        site.apply()
        assert ask.completion(host, 8465, model="tiny")
        assert "setenv XGEN_KEY_0 'sk-new'" in host.sh(
            "cat /etc/xgen-deploy/ts_waits/gateway/keys.cfg"
        )
        site.env["NEW"] = "sk-newer"
        assert "the value of its secret changed" in site.apply().stdout
        assert ask.completion(host, 8465, model="tiny")
    finally:
        assert site.run("destroy", "-y").code == 0
