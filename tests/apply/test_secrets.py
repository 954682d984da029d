"""Secrets reach a host as files that root alone reads, and nothing else shows them (FakeSite looks
at every command, file and line of every run).
"""

from __future__ import annotations

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite

SETTINGS = LAYOUT.settings("q")


@pytest.fixture
def keyed(make_site: MakeSite) -> FakeSite:
    """Applied with an API key and a secret variable."""
    secret = {"api_key": {"env": "ENGINE_KEY"}, "env": {"TOKEN": {"env": "OTHER_KEY"}}}
    site = make_site(models={"q": {**MODEL, **secret}})
    site.apply()
    site.forget()
    return site


def test_they_are_delivered(keyed: FakeSite) -> None:
    host = keyed.hosts["h"]
    assert host.files[f"{SETTINGS}/api-key"] == b"sk-engine\n"
    assert b'TOKEN="sk-other"' in host.files[f"{SETTINGS}/env"]
    (engine,) = host.running()
    assert engine.key == "sk-engine"


def test_one_that_is_not_at_hand_stays_as_it_was(
    keyed: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENGINE_KEY")
    keyed.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    keyed.apply()
    (engine,) = keyed.hosts["h"].running()
    assert (engine.key, engine.context) == ("sk-engine", 4096)


def test_one_that_was_never_delivered_is_missed_before_anything_is_touched(
    keyed: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed.change(lambda m: m["models"]["q"].update(api_key={"env": "NEVER_SET"}))
    monkeypatch.delenv("NEVER_SET", raising=False)
    said = keyed.apply(code=1)
    assert "NEVER_SET" in said
    (engine,) = keyed.hosts["h"].running()
    assert engine.key == "sk-engine"
    assert not [argv for argv in keyed.hosts["h"].ran if argv[:2] == ("systemctl", "restart")]


def test_a_secret_that_leaves_the_manifest_leaves_the_host(keyed: FakeSite) -> None:
    keyed.change(lambda m: m["models"]["q"].pop("api_key"))
    keyed.change(lambda m: m["models"]["q"].pop("env"))
    keyed.apply()
    left = b"".join(keyed.hosts["h"].files.values())
    assert b"sk-" not in left


def test_a_failed_update_brings_the_old_key_back(keyed: FakeSite) -> None:
    host = keyed.hosts["h"]
    host.engines["--ctx-size 8192"] = Engine(health=503)
    keyed.change(lambda m: m["models"]["q"].update(n_ctx=4096, api_key={"env": "OTHER_KEY"}))
    keyed.apply(code=1)
    (engine,) = host.running()
    assert engine.key == "sk-engine"
    assert host.files[f"{SETTINGS}/api-key"] == b"sk-engine\n"
