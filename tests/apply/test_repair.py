"""What was done by hand on a host is put right: where what runs is what was applied, its files
alone; where it is not, as a change like any other, announced and without a lost request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.apply.conftest import GATEWAY as DOOR
from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from tests.fake_host.systemd import UNIT_DIR
from xgen_deploy.state.gateway_paths import config_file

UNIT = LAYOUT.definition("q")
ENV = f"{LAYOUT.settings('q')}/env"
DROP_IN = f"{UNIT_DIR}/xgen-p-q.service.d/x.conf"
GATEWAY = LAYOUT.definition("gateway")


def _edit(path: str, old: bytes = b"", new: bytes = b"# mine\n") -> Callable[[FakeHost], None]:
    def edit(host: FakeHost) -> None:
        content = host.files[path]
        host.files[path] = content.replace(old, new) if old else content + new

    return edit


def _lose(path: str) -> Callable[[FakeHost], None]:
    def lose(host: FakeHost) -> None:
        host.take_away(path)

    return lose


def _opened(host: FakeHost) -> None:
    host.modes[ENV] = 0o644


def _disabled(host: FakeHost) -> None:
    host.systemd.run(("systemctl", "disable", "xgen-p-q.service"))


def _drop_in(host: FakeHost) -> None:
    host.put(DROP_IN, b"[Service]\nRestartSec=99\n", 0o644)
    host.systemd.run(("systemctl", "daemon-reload"))


@dataclass(frozen=True)
class ByHand:
    about: str
    harm: Callable[[FakeHost], None]
    says: str


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """Host `h` runs the model, with a variable and a key, host `g` the gateway; applied."""
    models = {"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}, "env": {"A": "b"}}}
    made = make_site({"g": "cpu", "h": "cpu"}, gateway=DOOR, models=models)
    made.apply()
    made.forget()
    return made


FILES = (
    ByHand("a comment", _edit(UNIT), "xgen-p-q.service:"),
    ByHand("an option", _edit(UNIT, b"--ctx-size 4096", b"--ctx-size 9"), "--ctx-size 9 "),
    ByHand("no unit", _lose(UNIT), f"{UNIT} is missing"),
    ByHand("no variables", _lose(ENV), f"{ENV} is missing"),
    ByHand("a variable", _edit(ENV), f"{ENV} was edited by hand"),
    ByHand("an open file", _opened, "env has mode 0644 instead of 0600"),
    ByHand("not at boot", _disabled, "the unit is disabled"),
    ByHand("a drop-in", _drop_in, "x.conf:2"),
)


@pytest.mark.parametrize("by_hand", FILES, ids=lambda b: b.about)
def test_files_are_put_right_and_what_runs_is_left_alone(by_hand: ByHand, site: FakeSite) -> None:
    host = site.hosts["h"]
    before, content = host.running()[0].run, dict(host.files)
    by_hand.harm(host)
    plan = site.run("plan")
    assert by_hand.says in plan.said
    assert "INTERRUPT" not in plan.said
    site.apply()
    assert host.running()[0].run == before
    assert [p for p in content if p.startswith("/etc/") and host.files.get(p) != content[p]] == []
    assert DROP_IN not in host.files
    assert site.pending_operations() == []
    assert site.hosts["g"].gateway_starts == 1
    host.systemd.run(("systemctl", "restart", "xgen-p-q.service"))
    assert host.running()[0].context == 2048


def test_a_secret_that_is_gone_is_delivered_by_a_change(site: FakeSite) -> None:
    """What runs may have another value than the one that is at hand now."""
    host, key = site.hosts["h"], f"{LAYOUT.settings('q')}/api-key"
    before = host.running()[0].run
    _lose(key)(host)
    plan = site.run("plan").said
    assert f"{key} is missing" in plan
    assert "INTERRUPTS" in plan
    assert f"{key} is missing" in site.apply()
    assert key in host.files
    assert host.running()[0].run != before
    assert site.pending_operations() == []


@pytest.mark.parametrize("strategy", ["start-first", "stop-first"])
def test_what_was_started_from_an_edited_unit_is_replaced_as_an_update_would(
    strategy: str, site: FakeSite
) -> None:
    host = site.hosts["h"]
    host.memory_free_mb = 100_000
    site.change(lambda m: m["models"]["q"].update(update={"strategy": strategy}))
    site.apply()
    _edit(UNIT, b"--ctx-size 4096", b"--ctx-size 9000")(host)
    host.systemd.run(("systemctl", "daemon-reload"))
    host.systemd.run(("systemctl", "restart", "xgen-p-q.service"))
    plan = site.run("plan", "--json")
    (operation,) = json.loads(plan.said)["hosts"]["h"]["operations"]
    assert (operation["action"], operation["strategy"]) == ("repair", strategy)
    assert operation["interrupts"] == (strategy == "stop-first")
    assert any(note.startswith("it was started since") for note in operation["notes"])
    refused = _requests_during_the_apply(site)
    assert [p.context for p in host.running()] == [2048]
    assert site.pending_operations() == []
    assert strategy == "stop-first" or refused == []


def _requests_during_the_apply(site: FakeSite) -> list[int]:
    """The statuses other than 200 of a request through the gateway before each step there."""
    gateway, seen = site.hosts["g"], []
    body = json.dumps({"model": "q"}).encode()

    def ask(_argv: tuple[str, ...], _stdin: str) -> None:
        if gateway.haproxy is not None:
            seen.append(gateway.haproxy.request(body, "sk-client").status)

    site.hosts["h"].before = ask
    site.apply()
    site.hosts["h"].before = lambda *_: None
    assert seen
    return [status for status in seen if status != 200]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_edit(GATEWAY), f"{GATEWAY} was edited by hand"),
        (_lose(GATEWAY), f"{GATEWAY} is missing"),
        (_edit(config_file(LAYOUT)), "haproxy.cfg was edited by hand"),
        (_lose(f"{LAYOUT.settings('gateway')}/keys.cfg"), "keys.cfg is missing"),
    ],
)
def test_a_gateway_keeps_its_process(
    harm: Callable[[FakeHost], None], says: str, site: FakeSite
) -> None:
    host = site.hosts["g"]
    content = dict(host.files)
    harm(host)
    plan = site.run("plan")
    assert says in plan.said
    assert "INTERRUPT" not in plan.said
    site.apply()
    assert ("systemctl", "restart", "xgen-p-gateway.service") not in host.ran
    assert [p for p in content if p.startswith("/etc/") and host.files.get(p) != content[p]] == []
    assert site.pending_operations() == []


def test_it_keeps_its_process_while_it_is_updated_too(site: FakeSite) -> None:
    host = site.hosts["g"]
    _edit(GATEWAY)(host)
    site.change(lambda m: m["gateway"].update(queue_timeout="33s"))
    plan = site.run("plan").said
    assert f"{GATEWAY} was edited by hand" in plan
    assert "INTERRUPT" not in plan
    site.apply()
    assert host.gateway_starts == 2
    assert ("systemctl", "restart", "xgen-p-gateway.service") not in host.ran
    assert b"mine" not in host.files[GATEWAY]
    assert site.pending_operations() == []


def test_secrets_typed_into_a_unit_are_not_shown(site: FakeSite) -> None:
    lines = (
        b"Environment=HF_TOKEN=hf_abc",
        b"Environment=P=http://u:pw@h/",
        b"ExecStartPre=curl -H 'Authorization: Bearer typed-1' h",
        b'Environment="DB_PASSWORD=typed two"',
    )
    _edit(UNIT, new=b"\n".join((*lines, b"")))(site.hosts["h"])
    said = site.run("plan").said
    assert "HF_TOKEN=***" in said
    for secret in ("hf_abc", "u:pw", "typed-1", "two"):
        assert secret not in said


def _timer_stopped(host: FakeHost) -> None:
    host.systemd.run(("systemctl", "stop", "xgen-p.timer"))


def _timer_disabled(host: FakeHost) -> None:
    host.systemd.run(("systemctl", "disable", "xgen-p.timer"))


@pytest.mark.parametrize(
    "harm",
    [
        _timer_stopped,
        _timer_disabled,
        *(_lose(path) for path in LAYOUT.watchdog_files),
    ],
)
def test_the_watchdog_is_put_right(harm: Callable[[FakeHost], None], site: FakeSite) -> None:
    host = site.hosts["h"]
    host.watchdog = {"timer": "active", "enabled": True}  # it has a Python for it
    site.change(lambda m: m["models"]["q"].update(n_ctx=1024))
    site.apply()
    before = host.running()[0].run
    harm(host)
    assert site.pending_operations() == ["h/xgen-p.timer repair"]
    assert "INTERRUPT" not in site.run("plan").said
    site.apply()
    timer = host.systemd.unit("xgen-p.timer")
    assert (timer.active, timer.enabled) == (True, True)
    assert {*LAYOUT.watchdog_files} <= {*host.files}
    assert host.running()[0].run == before
    assert site.pending_operations() == []


def test_a_saved_plan_that_interrupted_nothing_does_not_interrupt(site: FakeSite) -> None:
    host, saved = site.hosts["h"], site.folder / "plan.json"
    _edit(UNIT)(host)
    assert site.run("plan", "-o", str(saved)).code == 0
    host.systemd.run(("systemctl", "daemon-reload"))
    host.systemd.run(("systemctl", "restart", "xgen-p-q.service"))
    before = host.running()[0].run
    ran = site.run_on(saved, "apply")
    assert ran.code == 1
    assert "the saved plan no longer holds" in ran.said
    assert host.running()[0].run == before
