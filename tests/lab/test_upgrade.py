"""What 0.1.0 applied, planned, finished and changed by this version; and who did what, told."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab.conftest import Lab
from tests.lab.engine_site import place_models, tiny
from tests.lab.host import LabHost
from tests.lab.site import Site, alone, kill_at_start
from tests.upgrade.released import unpack

PROJECT = "up_site"
STATE = f"/var/lib/xgen-deploy/{PROJECT}"
OLDER = "of an older xgen-deploy"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, "lab-upgrade") as found:
        place_models(found)
        yield found


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two instances and a gateway, as 0.1.0 applied them."""
    found = Site(tmp_path_factory.mktemp("upgrade"), PROJECT, ports="8161-8168")
    found.models["plain"] = tiny()
    for name in ("a", "b"):
        found.serve(host.name, "plain", name=name)
    found.top["gateway"] = {"host": host.name, "port": 8096}
    released(found).apply()
    yield found
    assert found.run("destroy", "-y").code == 0
    assert PROJECT not in host.sh("find /etc /var/lib")
    told = [e for e in journal(host) if e["what"] == "destroy"]
    assert told[-1]["outcome"] == "ok"


def released(site: Site) -> Site:
    """The same, for 0.1.0 to work on."""
    return replace(site, env={**site.env, **unpack(site.folder / "code")})


def journal(host: LabHost) -> list[dict[str, str]]:
    lines = host.sh("journalctl --quiet --output=cat --identifier=xgen-deploy").splitlines()
    events = map(json.loads, lines)
    return [e for e in events if e["project"] == PROJECT]


def test_what_0_1_0_applied_is_left_alone(site: Site, host: LabHost) -> None:
    record = host.sh(f"cat {STATE}/record.json")
    plan = site.plan(0)
    assert plan.operations(host.name) == []
    (line,) = (w for w in plan.json()["warnings"] if OLDER in w)
    assert line.startswith("2 instances and the gateway run units")
    assert [m["status"] for m in site.run("status", "--json").json()["models"]] == ["running"] * 2
    done = site.run("verify")
    assert done.code == 0, done.said
    assert site.apply().said.count(OLDER) == 1
    assert host.sh(f"cat {STATE}/record.json") == record


def test_what_0_1_0_began_is_finished(site: Site, host: LabHost) -> None:
    site.models["plain"] = tiny(n_ctx=288, update={"strategy": "stop-first", "drain": "1s"})
    applying = released(site).start("apply", "-y", "--json")
    kill_at_start(applying)
    host.sh(f"flock --wait 60 {STATE}/lock true")
    assert "an earlier apply began it" in site.plan(2).causes(host.name)["a"]
    site.apply()
    site.plan(0)


def test_refresh_renews_every_unit_and_is_then_done(site: Site, host: LabHost) -> None:
    site.models["plain"] = tiny(n_ctx=288)
    site.apply("--refresh")
    again = site.plan(0, "--refresh")
    assert again.operations(host.name) == []
    assert OLDER not in again.said
    record = json.loads(host.sh(f"cat {STATE}/record.json"))
    assert record["format"] == 2
    assert {i["unit_version"] for i in record["instances"].values()} == {2}
    assert record["gateway"]["unit_version"] == 2


def test_0_1_0_keeps_away_from_then_on(site: Site, host: LabHost) -> None:
    done = released(site).run("apply", "-y")
    assert done.code == 1
    assert "has format 2, newer than this tool knows (1)" in done.said


def test_an_apply_of_0_1_0_can_be_gone_back_to_and_who_did_so_is_told(
    site: Site, host: LabHost, lab: Lab
) -> None:
    site.top["audit"] = {"file": "audit.jsonl"}
    job = {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/site", "CI_JOB_ID": "9"}
    done = replace(site, env={**site.env, **job}).run(
        "rollback", "-y", "--to", "1", "--accept-new-host-keys"
    )
    assert done.code == 0, done.said
    contexts = {m["context_length"] for m in site.run("status", "--json").json()["models"]}
    assert contexts == {256}

    listed = site.run("history", "--since", "1h", "--csv")
    assert listed.code == 0, listed.said
    rows = list(csv.DictReader(io.StringIO(listed.stdout)))
    (told,) = (r for r in rows if r["what"] == "rollback to #1" and r["instance"] == "a")
    key = subprocess.run(
        ["ssh-keygen", "-lf", str(lab.key)], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert told["ssh_key"].split()[1] == key
    assert (told["remote_login"], told["ci"]) == ("deploy", "gitlab acme/site job 9")
    assert (told["action"], told["outcome"]) == ("update", "ok")
    assert (told["overrides"], told["chain"]) == ("accept-new-host-keys", "ok")
    assert told["before"] != told["after"]
    here = [json.loads(line) for line in (site.folder / "audit.jsonl").read_text().splitlines()]
    for events in (journal(host), here):
        (same,) = (e for e in events if e["time"] == told["time"])
        assert same["ssh_key"] == told["ssh_key"]
    assert host.sh(f"stat -c %a {STATE}/audit.jsonl") == "600"


def test_a_refusal_is_told_and_an_edit_shows(site: Site, host: LabHost) -> None:
    site.models["plain"] = tiny(source="/srv/lab-models/nowhere.gguf")
    assert site.run("apply", "-y").code == 1
    site.models["plain"] = tiny()
    found = site.run("history", "--since", "1h", "--json").json()["events"]
    refused = [e for e in found if e["outcome"] == "refused"]
    assert {e["instance"] for e in refused} == {"a", "b"}
    assert "nowhere.gguf" in refused[-1]["reason"]
    host.sh(f"sed -i 2d {STATE}/audit.jsonl")
    done = site.run("history", "--since", "1h", "--csv")
    assert done.code == 1
    assert "edited or has a gap: line 2 does not follow" in done.stderr


def test_nothing_is_changed_without_the_file_that_the_manifest_wants(
    site: Site, host: LabHost
) -> None:
    site.top["audit"] = {"file": "/proc/nowhere/audit.jsonl"}
    site.models["plain"] = tiny(n_ctx=352)
    done = site.run("apply", "-y")
    assert done.code == 1
    assert "nothing was done" in done.said
    del site.top["audit"]
    site.models["plain"] = tiny()
    site.plan(0)
