"""The connection is lost, or the tool killed, at every call of a command in turn: what worked is
never lost, the record says what is pending, and the same command finishes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite
from tests.fake_host.engine import EngineProcess
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite, Manifest
from tests.fake_host.systemd import UNIT_DIR

KEYED = {**MODEL, "api_key": {"env": "ENGINE_KEY"}}
BEHIND = {"gateway": GATEWAY, "models": {"q": KEYED}}


@dataclass(frozen=True)
class Scenario:
    """`change` is the edit before the command, `lost` the host whose connection goes; `killed`: the
    tool itself goes. The model answers all the while where it `serves`, and has a context of `ends`
    in the end (None: it is not there).
    """

    about: str
    change: Callable[[Manifest], object] = lambda _: None
    command: tuple[str, ...] = ("apply", "-y")
    manifest: dict[str, Any] = field(default_factory=dict)
    lost: str = "h"
    killed: bool = False
    serves: bool = True
    ends: int | None = 4096
    applied: bool = True


def larger(manifest: Manifest) -> None:
    manifest["models"]["q"]["n_ctx"] = 4096


def start_first(manifest: Manifest) -> None:
    larger(manifest)
    manifest["models"]["q"]["update"] = {"strategy": "start-first"}


SCENARIOS = (
    Scenario("create", serves=False, applied=False, ends=2048),
    Scenario("update", larger),
    Scenario("remove", lambda m: m["hosts"].update(h=[]), serves=False, ends=None),
    Scenario("start first", start_first, manifest=BEHIND),
    Scenario("start first, its gateway's host", start_first, manifest=BEHIND, lost="g"),
    Scenario("stop first, its gateway's host", larger, manifest=BEHIND, lost="g"),
    Scenario("update, killed", larger, killed=True),
    Scenario("start first, killed", start_first, manifest=BEHIND, killed=True),
    Scenario("restart", command=("restart", "q", "-y"), ends=2048, manifest=BEHIND),
    Scenario("destroy", command=("destroy", "-y"), serves=False, ends=None),
)


# Between two of these nothing changes on a host: to be lost at the first is to be lost at the next.
_READING = (
    "read ", "GET ", "POST ", "test ", "ls ", "journalctl", "systemctl show", "sh -c command",
    "ask-socket show",
    "python3 -I -c NAME = 'xgen_deploy.audit",
)  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.about)
def test_at_any_call(scenario: Scenario, make_site: MakeSite) -> None:
    site = make_site({"g": "cpu", "h": "cpu"}, **scenario.manifest)
    if scenario.applied:
        for host in site.hosts.values():
            host.memory_free_mb = 10_000
        site.apply()
        site.forget()
    site.change(scenario.change)
    before, units = site.saved(), _units(site.hosts["h"])
    calls = _calls(site, scenario)
    for number, call in enumerate(calls, 1):
        if call.startswith(_READING):
            continue
        site.restore(before)
        lost = site.hosts[scenario.lost]
        lost.lost_at, lost.killed = number, scenario.killed
        ran = site.run(*scenario.command)
        lost.lost_at = 0
        at = f"call {number} of {len(calls)}, {call}"
        assert ran.code == 130 if scenario.killed else ran.code in (0, 1, 4), (at, ran.said)
        if ran.code == 0:  # it was over but for its audit log
            _finished(site, scenario, at)
            continue
        _kept(site, scenario, units, at)
        again = site.run(*scenario.command)
        assert again.code == 0, (at, again.said)
        _finished(site, scenario, at)


def _calls(site: FakeSite, scenario: Scenario) -> list[str]:
    """Of the command where nothing is lost."""
    ran = site.run(*scenario.command)
    assert ran.code == 0, ran.said
    _finished(site, scenario, "nothing lost")
    return site.hosts[scenario.lost].calls


def _kept(site: FakeSite, scenario: Scenario, before: set[str], at: str) -> None:
    """What worked works. What runs is what is recorded, or what ran `before`, which the guard put
    back; anything else is pending."""
    if scenario.serves:
        assert _served(site), at
    host = site.hosts["h"]
    record = site.record() if LAYOUT.record in host.files else {"instances": {}, "pending": {}}
    if scenario.ends is not None and "q" not in record["pending"]:
        assert _units(host) <= {*_recorded(record), *before}, at


def _units(host: FakeHost) -> set[str]:
    """The digests of the units that run the model."""
    running = {name for name, p in host.systemd.running() if isinstance(p, EngineProcess)}
    return {hashlib.sha256(host.files[f"{UNIT_DIR}/{name}"]).hexdigest() for name in running}


def _recorded(record: dict[str, Any]) -> set[str]:
    return {d for one in record["instances"].values() for d in one["files"].values()}


def _served(site: FakeSite) -> bool:
    """A client's request to the model is answered."""
    gateway = site.hosts["g"].haproxy
    if gateway is not None:
        return gateway.request(b'{"model": "q"}', "sk-client").status == 200
    return any(p.healthy for p in site.hosts["h"].running())


def _finished(site: FakeSite, scenario: Scenario, at: str) -> None:
    contexts = [p.context for p in site.hosts["h"].running()]
    assert contexts == ([scenario.ends] if scenario.ends else []), at
    for name, host in site.hosts.items():
        assert not host.systemd.guards, at
        left = [p for p in host.files if ".next" in p or "/previous/" in p or "put-back." in p]
        # With nothing armed the unit does nothing, and the next change takes it away.
        assert set(left) <= {LAYOUT.put_back_script, LAYOUT.boot_unit("q")}, (at, left)
        assert "drain" not in host.server_states.values(), at
        if LAYOUT.record in host.files:
            record = site.record(name)
            assert record["pending"] == {}, at
    if scenario.command[0] == "destroy":
        assert _traces(site.hosts["h"]) == [], at
    elif scenario.serves:
        assert _served(site), at


def _traces(host: FakeHost) -> list[str]:
    return [p for p in host.files if "xgen" in p]
