"""Several instances of a host change at once, and the tool or its connection is lost meanwhile: the
host puts back each that was not proved, and one more apply finishes the rest.
"""

from __future__ import annotations

import json

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UnreachableError

NAMES = ("q", "r", "s")


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
