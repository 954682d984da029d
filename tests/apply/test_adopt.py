"""What was started by hand is taken over where the manifest says so: it serves until it has to make
room, comes back where the new one fails, and is left stopped once that is proved.
"""

from __future__ import annotations

import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from tests.fake_host.systemd import UNIT_DIR
from xgen_deploy.errors import UnreachableError

BY_HAND = "llama.service"
OURS = "xgen-p-q.service"


def _by_hand(host: FakeHost, port: int = 8001) -> None:
    host.put(f"{UNIT_DIR}/{BY_HAND}", b"[Service]\nExecStart=/opt/mine --port %d\n" % port, 0o644)
    host.systemd.run(("systemctl", "enable", BY_HAND))
    host.systemd.run(("systemctl", "start", BY_HAND))


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """The model serves on the host from a unit of somebody's own."""
    made = make_site()
    _by_hand(made.hosts["h"])
    made.change(lambda m: m.update(hosts={"h": [q(port=8001, adopt={"unit": BY_HAND})]}))
    return made


def _running(host: FakeHost) -> list[str]:
    return [n for n, _ in host.systemd.running() if n.endswith(".service")]


def test_without_being_asked_for_nothing_is_taken_over(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"]["h"][0].pop("adopt"))
    ran = site.run("plan")
    assert ran.code == 1
    assert f"take it over with `adopt: {{unit: {BY_HAND}}}`" in ran.said
    site.apply(code=1)
    assert _running(site.hosts["h"]) == [BY_HAND]


def test_the_plan_says_that_it_must_start_anew(site: FakeSite) -> None:
    said = site.run("plan").said
    assert f"takes over from unit {BY_HAND}, which listens on its port 8001" in said
    assert f"it starts anew under {OURS}" in said
    assert "1 INTERRUPTION: q" in said
    assert _running(site.hosts["h"]) == [BY_HAND]


def test_a_slip_in_its_name_is_said(site: FakeSite) -> None:
    site.change(lambda m: m.update(hosts={"h": [q(port=8002, adopt={"unit": "lama.service"})]}))
    said = site.run("plan").said
    assert "q takes nobody's place: `adopt` names unit lama.service, which is not on this" in said
    site.apply()
    assert "takes nobody's place" not in site.run("plan").said


def test_it_is_left_stopped_once_the_new_one_is_proved(site: FakeSite) -> None:
    host = site.hosts["h"]
    site.apply()
    assert _running(host) == [OURS]
    assert host.systemd.unit(BY_HAND).enabled is False
    assert f"{UNIT_DIR}/{BY_HAND}" in host.files
    assert not host.systemd.guards
    assert site.pending_operations() == []
    site.change(lambda m: m["hosts"]["h"][0].pop("adopt"))
    assert site.pending_operations() == []


def test_a_port_that_is_not_stated_is_the_one_that_clients_know(site: FakeSite) -> None:
    host = site.hosts["h"]
    _by_hand(host, port=8007)
    host.systemd.restart(BY_HAND)
    host.systemd.run(("systemctl", "daemon-reload"))
    host.systemd.restart(BY_HAND)
    site.change(lambda m: m["hosts"]["h"][0].pop("port"))
    site.apply()
    assert [p.port for p in host.running()] == [8007]


def test_it_serves_again_where_the_new_one_fails(site: FakeSite) -> None:
    host = site.hosts["h"]
    host.engines["/opt/engine"] = Engine(dies="at once")
    said = site.apply(code=1)
    assert f"unit {BY_HAND} was started again" in said
    assert _running(host) == [BY_HAND]
    assert host.systemd.unit(BY_HAND).enabled
    assert not host.systemd.guards
    assert LAYOUT.definition("q") not in host.files


def test_the_host_starts_it_again_by_itself_where_the_tool_is_gone(site: FakeSite) -> None:
    host = site.hosts["h"]

    def lost(argv: tuple[str, ...], _: str) -> None:
        if argv == ("systemctl", "restart", OURS):
            host.systemd.run(argv)
            raise UnreachableError("h", "the connection was lost")

    host.before = lost
    site.apply(code=1)
    assert _running(host) == [BY_HAND]
    host.before = lambda *_: None
    site.apply()
    assert _running(host) == [OURS]


def test_what_listens_elsewhere_is_refused(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"]["h"][0].update(port=8003))
    ran = site.run("plan")
    assert ran.code == 1
    assert f"unit {BY_HAND} cannot be adopted: it listens on 8001, not on port 8003" in ran.said


def test_what_could_not_be_put_back_is_not_stopped(site: FakeSite) -> None:
    host = site.hosts["h"]
    host.transient = {BY_HAND}
    ran = site.run("plan")
    assert ran.code == 1
    assert f"unit {BY_HAND} cannot be adopted: it was started by `systemd-run`" in ran.said
    site.apply(code=1)
    assert _running(host) == [BY_HAND]


def test_what_still_starts_at_boot_is_said(site: FakeSite) -> None:
    """The connection was lost after the new one was recorded, before the old one was disabled."""
    host = site.hosts["h"]

    def lost(argv: tuple[str, ...], _: str) -> None:
        if argv[:2] == ("systemctl", "disable") and argv[-1] == BY_HAND:
            raise UnreachableError("h", "the connection was lost")

    host.before = lost
    site.run("apply", "-y")
    host.before = lambda *_: None
    assert _running(host) == [OURS]
    assert host.systemd.unit(BY_HAND).enabled
    assert f"`systemctl disable {BY_HAND}` ends that" in site.run("plan").said
    host.systemd.run(("systemctl", "disable", BY_HAND))
    assert "ends that" not in site.run("plan").said


@pytest.mark.parametrize(
    "adopt", [{"unit": "sshd"}, {"container": "-x"}, {"unit": "xgen-o-m.service"}, {}]
)
def test_only_a_name_is_taken(adopt: dict[str, str], site: FakeSite) -> None:
    site.change(lambda m: m["hosts"]["h"][0].update(adopt=adopt))
    assert site.run("validate").code == 1


def test_one_instance_takes_its_place(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"]["h"][0].update(replicas=2, port=None))
    ran = site.run("validate")
    assert ran.code == 1
    assert f"unit {BY_HAND} of h is taken over by `q` already" in ran.said


def test_a_rollback_takes_nothing_over(site: FakeSite) -> None:
    """What a host's history names is no order to stop it."""
    host = site.hosts["h"]
    site.apply()
    site.change(lambda m: m.update(hosts={"h": []}))
    site.apply()
    host.systemd.run(("systemctl", "start", BY_HAND))
    site.change(lambda m: m.update(hosts={"h": [q(port=8001, adopt={"unit": BY_HAND})]}))
    ran = site.run("rollback", "-y", "--to", "1")
    assert ran.code == 1
    assert "port 8001 is held by" in ran.said
    assert _running(host) == [BY_HAND]
