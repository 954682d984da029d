"""What an apply leaves behind for the next one: the record, the history, what was stopped on
purpose; and nothing at all once the project was destroyed.
"""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite, Manifest


def _sized(manifest: Manifest, n_ctx: int) -> None:
    manifest["models"]["q"]["n_ctx"] = n_ctx


def contexts(site: FakeSite) -> list[int]:
    return [p.context for p in site.hosts["h"].running()]


@pytest.fixture
def thrice(site: FakeSite) -> FakeSite:
    """Applied with three contexts, one after the other."""
    for n_ctx in (1024, 2048, 4096):
        site.change(partial(_sized, n_ctx=n_ctx))
        site.apply()
    return site


def test_each_apply_is_an_entry(thrice: FakeSite) -> None:
    entries = [
        json.loads(content)
        for path, content in sorted(thrice.hosts["h"].files.items())
        if path.startswith(LAYOUT.history)
    ]
    assert [e["apply"]["number"] for e in entries] == [1, 2, 3]
    assert [e["declared"][0]["n_ctx"] for e in entries] == [1024, 2048, 4096]
    assert {e["apply"]["outcome"] for e in entries} == {"ok"}
    said = thrice.run("history").said
    assert all(f"#{number}" in said for number in (1, 2, 3))


@pytest.mark.parametrize(("words", "n_ctx"), [((), 2048), (("--to", "1"), 1024)])
def test_a_rollback_goes_back(words: tuple[str, ...], n_ctx: int, thrice: FakeSite) -> None:
    ran = thrice.run("rollback", "-y", *words)
    assert ran.code == 0, ran.said
    assert contexts(thrice) == [n_ctx]
    assert thrice.record()["last_apply"]["number"] == 4
    again = thrice.run("rollback", "-y")
    assert again.code == 0, again.said
    assert contexts(thrice) == [4096]


def test_a_rollback_that_fails_is_undone_too(thrice: FakeSite) -> None:
    thrice.hosts["h"].engines["--ctx-size 4096"] = Engine(health=503)
    ran = thrice.run("rollback", "-y")
    assert ran.code == 1
    assert "The previous version was put back and serves again" in ran.said
    assert contexts(thrice) == [4096]


def test_a_failed_apply_is_no_version_to_go_back_to(thrice: FakeSite) -> None:
    thrice.hosts["h"].engines["--ctx-size 16384"] = Engine(health=503)
    thrice.change(lambda m: m["models"]["q"].update(n_ctx=8192))
    thrice.apply(code=1)
    thrice.run("rollback", "-y")
    assert contexts(thrice) != [8192]


def test_what_was_stopped_on_purpose_stays_so_until_it_is_started(site: FakeSite) -> None:
    site.apply()
    for command, running in (("stop", []), ("apply", []), ("start", [2048]), ("restart", [2048])):
        words = () if command == "apply" else ("q",)
        ran = site.run(command, *words, "-y")
        assert ran.code == 0, ran.said
        assert contexts(site) == running, command
        assert ("stopped" in site.record()["instances"]["q"]) == (running == [])
        assert site.pending_operations() == []


def test_a_start_that_fails_says_so_and_leaves_it_to_its_supervisor(site: FakeSite) -> None:
    site.apply()
    site.run("stop", "q", "-y")
    site.hosts["h"].engines["/opt/engine"] = Engine(dies="at once")
    ran = site.run("start", "q", "-y")
    assert ran.code == 1
    assert "It is the version that ran before" in ran.said
    assert site.hosts["h"].systemd.unit("xgen-p-q.service").active


def test_what_somebody_changed_on_the_host_is_repaired(site: FakeSite) -> None:
    site.apply()
    path = LAYOUT.definition("q")
    host = site.hosts["h"]
    host.files[path] += b"# edited\n"
    assert site.pending_operations() == ["h/q repair"]
    site.apply()
    assert b"edited" not in host.files[path]
    host.systemd.run(("systemctl", "stop", "xgen-p-q.service"))
    assert site.pending_operations() == ["h/q repair"]
    site.apply()
    assert contexts(site) == [2048]


def test_a_second_apply_does_nothing(gateway_site: FakeSite) -> None:
    said = gateway_site.apply()
    assert "nothing to do" in said
    for host in gateway_site.hosts.values():
        assert host.touched == []


def test_destroy_leaves_nothing(gateway_site: FakeSite) -> None:
    ran = gateway_site.run("destroy", "-y")
    assert ran.code == 0, ran.said
    for host in gateway_site.hosts.values():
        assert [p for p in (*host.files, *host.folders) if "xgen" in p] == []
        assert host.running() == []
        assert host.haproxy is None
    assert gateway_site.run("destroy", "-y").code == 0


def test_a_lock_that_another_one_holds_is_no_failure_of_the_hosts(site: FakeSite) -> None:
    site.hosts["h"].locked_by = "locked by kim@laptop"
    ran = site.run("apply", "-y")
    assert ran.code == 5
    assert "kim@laptop" in ran.said
    assert site.hosts["h"].running() == []
