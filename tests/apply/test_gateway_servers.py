"""Servers that come and go: told to the gateway's process, which is reloaded where that is not
enough."""

from __future__ import annotations

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.state.gateway_paths import config_file


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """One server behind the gateway of its host, and a second that is to come."""
    made = make_site(
        {"g": "cpu", "h": "cpu"},
        models={"q": MODEL},
        gateway=GATEWAY,
        hosts={"g": [q()], "h": []},
    )
    made.apply()
    made.forget()
    made.change(lambda m: m["hosts"]["g"].append(q(name="q-2")))
    return made


def servers(gateway: FakeHost) -> set[str]:
    assert gateway.haproxy is not None
    return set(gateway.haproxy.pools["q"].servers)


def test_one_that_comes_and_goes_is_no_reload(site: FakeSite) -> None:
    gateway = site.hosts["g"]
    said = site.apply()
    assert "+1 server; no interruption" in said
    assert "2 of 2 servers up; no reload" in said
    assert servers(gateway) == {"g.q", "g.q-2"}
    assert b"server g.q-2 " in gateway.files[config_file(LAYOUT)]
    site.change(lambda m: m["hosts"]["g"].pop(0))
    assert "1 of 1 servers up; no reload" in site.apply()
    assert (servers(gateway), gateway.gateway_starts) == ({"g.q-2"}, 1)
    assert site.pending_operations() == []


def test_what_the_socket_refuses_is_a_reload_and_said(site: FakeSite) -> None:
    gateway = site.hosts["g"]
    gateway.before = lambda _, asked: "Out of memory.\n" if asked.startswith("add ") else None
    said = site.apply()
    assert "reloaded: HAProxy did not take the change (Out of memory.)" in said
    assert (servers(gateway), gateway.gateway_starts) == ({"g.q", "g.q-2"}, 2)


def test_a_process_that_may_run_an_edited_configuration_is_reloaded(site: FakeSite) -> None:
    gateway = site.hosts["g"]
    gateway.files[config_file(LAYOUT)] += b"# mine\n"
    said = site.apply()
    assert "no reload" not in said
    assert (servers(gateway), gateway.gateway_starts) == ({"g.q", "g.q-2"}, 2)


def test_an_older_haproxy_is_reloaded(site: FakeSite) -> None:
    gateway = site.hosts["g"]
    assert gateway.haproxy is not None
    gateway.haproxy.version = "2.4.22"
    assert "no reload" not in site.apply()
    assert (servers(gateway), gateway.gateway_starts) == ({"g.q", "g.q-2"}, 2)


def test_a_new_address_that_is_a_name_is_a_reload_and_said(site: FakeSite) -> None:
    """Only a reload looks it up."""
    gateway = site.hosts["g"]
    site.change(lambda m: m["hosts"].update(h=[q()]))
    assert "reloaded: the address of h.q is a name (h)" in site.apply()
    assert (servers(gateway), gateway.gateway_starts) == ({"g.q", "g.q-2", "h.q"}, 2)
