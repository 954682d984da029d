"""Where `parallel` is left out every slot has a whole context; what an older version applied keeps
the one that its slots share until a field of it changes.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apply.conftest import MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.backends.llama_server import LlamaServer

MODEL = {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 1024}
UNIT = LAYOUT.definition("q")


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    return make_site(
        {"g": "cpu", "h": "cpu"}, models={"q": MODEL}, gateway={"host": "g", "port": 9000}
    )


@pytest.fixture
def older(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """As a version applied it that left the slots to the engine."""
    with monkeypatch.context() as patched:
        patched.setattr(LlamaServer, "completed", lambda _, spec: spec)
        patched.setattr(LlamaServer, "slots", lambda _, spec: spec.llama.parallel or 4)
        site.apply()
    assert "maxconn 4" in haproxy(site)
    site.forget()
    return site


def unit(site: FakeSite) -> str:
    return site.hosts["h"].files[UNIT].decode()


def haproxy(site: FakeSite) -> str:
    (config,) = (c for p, c in site.hosts["g"].files.items() if p.endswith("haproxy.cfg"))
    (server,) = (
        line for line in config.decode().splitlines() if line.strip().startswith("server h")
    )
    return server


def row(site: FakeSite) -> dict[str, Any]:
    (found,) = json.loads(site.run("status", "--json").out)["models"]
    return {k: found[k] for k in ("context_length", "slots", "shared_context")}


def test_each_slot_has_the_whole_context(site: FakeSite) -> None:
    assert "4 slots x 1024" in site.run("plan").out
    site.apply()
    assert "--ctx-size 4096 --parallel 4 " in unit(site)
    assert site.record()["instances"]["q"]["spec"]["llama"] == {"parallel": 4}
    assert row(site) == {"context_length": 1024, "slots": 4, "shared_context": False}
    assert "1024x4" in site.run("status").out
    assert "maxconn 4" in haproxy(site)
    assert site.pending_operations() == []


def test_what_an_older_version_applied_goes_on_as_it_is(older: FakeSite) -> None:
    """Its slots could take each other's context: the gateway alone changes, by a reload."""
    assert "--ctx-size 1024 --device" in unit(older)
    assert older.pending_operations() == ["g/gateway update"]
    said = older.run("plan").out
    assert "1 server changed, 1 of them asked one request at a time now" in said, said
    before = older.hosts["h"].files[UNIT]
    older.apply()
    assert older.hosts["h"].files[UNIT] == before
    assert "maxconn 1" in haproxy(older)
    assert row(older) == {"context_length": 1024, "slots": 4, "shared_context": True}
    assert "1024 shared by 4" in older.run("status").out
    assert older.run("verify").code == 0
    assert older.pending_operations() == []
    assert older.run("plan", "--drift", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("again", [("apply", "-y", "--refresh"), ("restart", "q", "-y")])
def test_neither_a_restart_nor_a_refresh_is_a_change_of_it(
    older: FakeSite, again: tuple[str, ...]
) -> None:
    older.apply()
    assert older.run(*again).code == 0
    assert "--ctx-size 1024 --device" in unit(older)
    assert row(older)["shared_context"]


def test_its_next_change_gives_each_slot_its_own_and_says_what_that_takes(older: FakeSite) -> None:
    older.change(lambda m: m["models"]["q"].update(sampling={"temperature": 0.5}))
    said = older.run("plan").out
    assert "llama.parallel" in said
    assert "(not set) -> 4" in said
    assert "its cache: 1024 shared by 4 slots -> 4 slots x 1024, 4 times as large" in said
    older.apply()
    assert "--ctx-size 4096 --parallel 4 " in unit(older)
    assert "maxconn 4" in haproxy(older)
    assert row(older) == {"context_length": 1024, "slots": 4, "shared_context": False}


def test_a_change_that_fails_leaves_it_sharing(older: FakeSite) -> None:
    older.hosts["h"].engines["--ctx-size 8192"] = Engine(health=503)
    older.change(lambda m: m["models"]["q"].update(n_ctx=2048))
    older.apply(code=1)
    assert "--ctx-size 1024 --device" in unit(older)
    older.change(lambda m: m["models"]["q"].update(n_ctx=1024))
    assert all(not o.startswith("h/") for o in older.pending_operations())


def test_one_that_is_stopped_keeps_its_place_at_the_gateway(site: FakeSite) -> None:
    site.apply()
    assert site.run("stop", "q", "-y").code == 0
    assert site.pending_operations() == []
