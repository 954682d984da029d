"""`projects`: whose instances, ports and GPUs are on a host, without a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, make_site, q  # noqa: F401 - a fixture
from tests.cli.test_json import values
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.run.named_hosts import named_hosts

INVENTORY = """
all:
  children:
    gpus:
      hosts:
        h: {ansible_user: deploy, ansible_port: 2222}
"""


@pytest.fixture
def applied(make_site: MakeSite) -> FakeSite:  # noqa: F811
    """The model on a card of `h`, stopped, and on its CPU; the gateway on `g`."""
    place = [q(gpus=[0]), q(name="r", port=8010)]
    site: FakeSite = make_site(
        {"g": "cpu", "h": "h100"}, gateway=GATEWAY, models={"q": MODEL}, hosts={"h": place}
    )
    site.apply()
    assert site.run("stop", "-y", "q").code == 0
    return site


def test_all_that_is_there_is_listed(applied: FakeSite) -> None:
    ran = applied.call("projects", "h", "g")
    assert ran.code == 0, ran.said
    lines = [line.strip() for line in ran.out.splitlines()]
    assert lines[0] == "h"
    assert lines[1].startswith("p  stop #2 ")
    assert lines[2].endswith("/manifest.yaml")
    assert [line.split() for line in lines[3:5]] == [
        ["q", "llama-cuda", ":8001", "GPU", "0", "stopped"],
        ["r", "llama-cpu", ":8010", "CPU"],
    ]
    assert lines[-1].split() == ["gateway", "haproxy", ":9000"]


def test_its_json_says_the_same(applied: FakeSite) -> None:
    (document,) = values(applied.call("projects", "h", "--json"), "projects")
    (project,) = document["hosts"]["h"]["projects"]
    assert project["origin"] == {"repository": None, "path": "manifest.yaml"}
    assert project["hosts"] == ["h", "g"]
    assert [(i["instance"], i["gpus"], i["stopped"]) for i in project["instances"]] == [
        ("q", [0], True),
        ("r", [], False),
    ]


def test_a_host_without_any_and_one_that_is_not_reached(applied: FakeSite) -> None:
    applied.hosts["g"].files.clear()
    applied.hosts["h"].unreachable = "no route to host"
    ran = applied.call("projects", "g", "h")
    assert (ran.code, ran.out.splitlines()) == (
        4,
        ["g  no project", "h  UNREACHABLE  no route to host"],
    )


def test_a_damaged_record_is_said_and_hides_no_other(applied: FakeSite) -> None:
    host = applied.hosts["h"]
    record = host.files[LAYOUT.record].replace(b'"project": "p"', b'"project": "other"')
    host.put(LAYOUT.record.replace("/p/", "/other/"), record, 0o600)
    host.folders |= {f"/var/lib/xgen-deploy/{name}" for name in ("other", "A b", "empty")}
    host.put(LAYOUT.record, b"{", 0o600)
    (document,) = values(applied.call("projects", "h", "--json"), "projects")
    other, damaged = document["hosts"]["h"]["projects"]
    assert (other["project"], len(other["instances"])) == ("other", 2)
    assert damaged["error"].startswith("the record of project p is damaged")


def test_nothing_is_written(applied: FakeSite) -> None:
    applied.forget()
    before = {name: dict(host.files) for name, host in applied.hosts.items()}
    assert applied.call("projects", "h", "g").code == 0
    assert {name: dict(host.files) for name, host in applied.hosts.items()} == before
    assert all(argv[0] == "ls" for host in applied.hosts.values() for argv in host.ran)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("gpu-a", ("gpu-a", None, None)),
        ("kim@gpu-a:2222", ("gpu-a", "kim", 2222)),
        ("ssh://kim@gpu-a", ("gpu-a", "kim", None)),
        ("[::1]:22", ("::1", None, 22)),
    ],
)
def test_a_host_is_named_as_ssh_takes_it(
    name: str, host: tuple[str, str | None, int | None]
) -> None:
    (named,) = named_hosts((name,), (), engine_words()).values()
    assert (named.name, named.user, named.port) == host


@pytest.mark.parametrize("name", ["", "a:b", "kim@", "-oProxyCommand=x", "a b"])
def test_what_is_no_host_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a host"):
        named_hosts((name,), (), engine_words())


def test_an_inventory_s_hosts_and_groups(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY)
    (host,) = named_hosts(("gpus", "h"), (str(path),), engine_words()).values()
    assert (host.name, host.user, host.port) == ("h", "deploy", 2222)
    with pytest.raises(XgenError, match="no host or group `i` in the inventory"):
        named_hosts(("i",), (str(path),), engine_words())


def test_this_machine_has_those_of_the_process_runtime_too(
    applied: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/kim/state")
    (tmp_path / "local.yaml").write_text("all: {hosts: {h: {ansible_connection: local}}}")
    host, folder = applied.hosts["h"], "/home/kim/state/xgen-deploy/own"
    record = host.files[LAYOUT.record].replace(b'"project": "p"', b'"project": "own"')
    host.put(f"{folder}/record.json", record, 0o600)
    host.folders.add(folder)
    ran = applied.call("projects", "h", "-i", str(tmp_path / "local.yaml"), "--json")
    (document,) = values(ran, "projects")
    assert [p["project"] for p in document["hosts"]["h"]["projects"]] == ["p", "own"]
    over_ssh = applied.call("projects", "h", "--json")
    assert "own" not in over_ssh.out
