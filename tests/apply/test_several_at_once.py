"""Several instances of a host change at once, and the tool or its connection is lost meanwhile: the
host puts back each that was not proved, and one more apply finishes the rest.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UnreachableError

NAMES = ("q", "r", "s")
_PATIENCE = 20.0
UNITS = {f"xgen-p-{name}.service" for name in NAMES}


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """Three models on the CPU of one host; the next apply changes all of them."""
    place = [{"model": name, "gpus": []} for name in NAMES]
    made = make_site(models={name: dict(MODEL) for name in NAMES}, hosts={"h": place})
    made.apply()
    made.change(lambda m: [m["models"][name].update(n_ctx=4096) for name in NAMES])
    return made


def _contexts(host: FakeHost) -> list[int]:
    return sorted(process.context for process in host.running())


def _left(host: FakeHost) -> list[str]:
    return [*host.systemd.guards, *(p for p in host.files if "/previous/" in p or ".next" in p)]


def test_all_change(site: FakeSite) -> None:
    site.apply()
    assert (_contexts(site.hosts["h"]), _left(site.hosts["h"])) == ([4096] * 3, [])


def test_the_one_that_fails_comes_back_and_the_others_go_on(site: FakeSite) -> None:
    site.change(lambda m: m["models"]["r"].update(n_ctx=6144))
    host = site.hosts["h"]
    host.engines["--ctx-size 12288"] = Engine(dies="at once")
    ran = site.run("apply", "-y", "--json")
    end = json.loads(ran.out.splitlines()[-1])
    assert (ran.code, end["done"], end["failed"]) == (1, 2, 1)
    assert (_contexts(host), _left(host)) == ([2048, 4096, 4096], [])
    record = site.record()
    assert record["pending"] == {}
    assert record["last_apply"]["outcome"] == "failed"
    assert list(record["last_apply"]["failures"]) == ["r"]


def _interrupted_at(host: FakeHost, restart: int) -> list[str]:
    """Ctrl-C, at a restart of so many; the worker goes on once the session is closed. Returns the
    units that were restarted until then."""
    restarted: list[str] = []
    closed, real = threading.Event(), host.lock_was_freed

    def lock_was_freed() -> None:
        real()
        closed.set()

    def before(argv: tuple[str, ...], _: str) -> None:
        if argv[:2] != ("systemctl", "restart") or argv[2] not in UNITS or closed.is_set():
            return
        restarted.append(argv[2])
        if len(restarted) == restart:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
            assert closed.wait(_PATIENCE)
            raise UnreachableError("h", "the connection was lost")

    host.lock_was_freed = lock_was_freed  # type: ignore[method-assign]
    host.before = before
    return restarted


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """What a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
@pytest.mark.parametrize("restart", [1, 2, 3])
def test_after_ctrl_c_each_that_was_being_changed_is_put_back_and_told(
    restart: int, site: FakeSite
) -> None:
    host = site.hosts["h"]
    restarted = _interrupted_at(host, restart)
    before = set(threading.enumerate())
    ran = site.run("apply", "-y")
    for worker in set(threading.enumerate()) - before:
        worker.join(_PATIENCE)
    assert ran.code == 130, ran.said
    assert len(restarted) == restart
    pending = site.record()["pending"]
    assert restarted[-1] in {f"xgen-p-{name}.service" for name in pending}
    assert pending.keys() == {name for name in NAMES if f"h/{name}  interrupted. " in ran.said}
    assert "Traceback" not in ran.said
    assert "FAILED  h  " not in ran.said
    assert (len(_contexts(host)), host.systemd.guards) == (3, {})
    site.apply()
    assert (_contexts(host), _left(host)) == ([4096] * 3, [])


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_proved_is_put_back_by_the_host(name: str, site: FakeSite) -> None:
    host = site.hosts["h"]

    def lost(argv: tuple[str, ...], _: str) -> None:
        if argv == ("systemctl", "restart", f"xgen-p-{name}.service"):
            host.systemd.run(argv)
            raise UnreachableError("h", "the connection was lost")

    host.before = lost
    site.apply(code=1)
    contexts = _contexts(host)
    assert len(contexts) == 3
    assert contexts[0] == 2048, "the one that was being started"
    assert set(contexts) <= {2048, 4096}
    host.before = lambda *_: None
    site.apply()
    assert (_contexts(host), _left(host)) == ([4096] * 3, [])
    assert site.pending_operations() == []
