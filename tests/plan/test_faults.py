"""What nobody foresaw about one host is that host's refusal."""

from pathlib import Path
from typing import NoReturn

import pytest

from tests.plan.deciding import desired_state
from tests.plan.test_plan import BASE
from tests.plan.world import World
from xgen_deploy.plan import build
from xgen_deploy.state.observation import observation_of
from xgen_deploy.verify import site_status


def fail(*_: object, **__: object) -> NoReturn:
    raise KeyError("a secret")


def test_a_plan_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(BASE, tmp_path)
    monkeypatch.setattr(build, "plan_host", fail)
    site = world.scene.site
    observed = {"h": observation_of("h", world.facts, world.scene.layout)}
    plan = build.make_plan(site, observed, desired_state(site), {}, now=0.0)
    (refusal,) = plan.refusals
    assert refusal.host == "h"
    assert "failed there (KeyError in plan/build.py:" in refusal.reason
    assert "secret" not in refusal.reason


def test_a_status_that_cannot_be_read_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(BASE, tmp_path)
    monkeypatch.setattr(site_status, "host_statuses", fail)
    observed = {"h": observation_of("h", world.facts, world.scene.layout)}
    (row,) = site_status.site_status(world.scene.site, observed).instances
    assert row.status == "unknown"
    assert "KeyError" in (row.reason or "")
