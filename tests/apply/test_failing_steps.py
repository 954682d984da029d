"""Each step of an update fails in turn. Before the stop the version that works is left alone, after
it that version is put back; and once the reason is gone, another apply brings the new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT, Before, FakeHost
from tests.fake_host.site import FakeSite, Manifest
from xgen_deploy.transport.base import Completed

NEW = "--ctx-size 8192"
FAILED = Completed(1, "", "it broke")
# Whether these work is seen afterwards, or does not matter.
_ASKING = ("ls", "test", "journalctl", "python3")


def larger(manifest: Manifest) -> None:
    manifest["models"]["q"]["n_ctx"] = 4096


def start_first(manifest: Manifest) -> None:
    larger(manifest)
    manifest["models"]["q"]["update"] = {"strategy": "start-first"}


@pytest.fixture
def applied(make_site: MakeSite) -> FakeSite:
    models = {"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}}
    site = make_site({"g": "cpu", "h": "cpu"}, models=models, gateway=GATEWAY)
    site.hosts["h"].memory_free_mb = 10_000
    site.apply()
    site.forget()
    return site


def served(host: FakeHost) -> list[int]:
    return [p.context for p in host.running() if p.healthy]


def test_a_disk_that_fills_up_at_any_write(applied: FakeSite) -> None:
    applied.change(lambda m: m["models"]["q"].update(n_ctx=4096, update={"strategy": "stop-first"}))
    before, endings = applied.saved(), set()
    for room in range(60):
        applied.restore(before)
        host = applied.hosts["h"]
        host.disk_left = room
        ran = applied.run("apply", "-y")
        assert len(served(host)) == 1, (room, ran.said)
        if ran.code == 0:
            break
        if served(host) == [2048]:
            assert "drain" not in applied.hosts["g"].server_states.values(), room
        put_back = any(argv[:2] == ("sh", LAYOUT.put_back_script) for argv in host.ran)
        assert put_back == ("was put back and serves again" in ran.said), ran.said
        endings.add(put_back)
        host.disk_left = None
        applied.apply()
        assert served(host) == [4096], room
        assert applied.pending_operations() == [], room
    else:
        pytest.fail("it never comes to an end")
    assert endings == {True, False}


@pytest.mark.parametrize("change", [larger, start_first], ids=["stop first", "start first"])
def test_any_command_fails(change: Callable[[Manifest], object], applied: FakeSite) -> None:
    applied.change(change)
    before = applied.saved()
    applied.apply()
    commands = applied.hosts["h"].ran
    for number, command in enumerate(commands):
        if command[0] in _ASKING or command[:2] == ("systemctl", "show"):
            continue
        applied.restore(before)
        host = applied.hosts["h"]
        host.before = _fails_at(host, number)
        ran = applied.run("apply", "-y")
        at = f"{command}: {ran.said}"
        assert len(set(served(host))) >= 1, at
        assert "drain" not in applied.hosts["g"].server_states.values(), at
        host.before = lambda *_: None
        applied.apply()
        assert served(host) == [4096], at
        assert applied.pending_operations() == [], at


def _fails_at(host: FakeHost, number: int) -> Before:
    return lambda *_: FAILED if len(host.ran) == number + 1 else None


@dataclass(frozen=True)
class WayBack:
    """What else fails once the new version has; `said` of that."""

    about: str
    command: tuple[str, ...]
    said: str
    serves: tuple[int, ...]


@pytest.mark.parametrize(
    "case",
    [
        WayBack("the put-back", ("sh", LAYOUT.put_back_script), "back failed too: it broke", ()),
        WayBack("its guard", ("systemctl", "stop"), "put back and serves again", (2048,)),
    ],
    ids=lambda c: c.about,
)
def test_the_way_back_fails_too(case: WayBack, applied: FakeSite) -> None:
    host = applied.hosts["h"]
    host.engines[NEW] = Engine(dies="at once")
    host.before = lambda argv, _: FAILED if argv[: len(case.command)] == case.command else None
    applied.change(lambda m: m["models"]["q"].update(n_ctx=4096, update={"strategy": "stop-first"}))
    said = applied.apply(code=1)
    assert case.said in said, said
    assert tuple(served(host)) == case.serves
    host.before = lambda *_: None
    host.engines.clear()
    applied.apply()
    assert served(host) == [4096]
    assert applied.pending_operations() == []
