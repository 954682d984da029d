"""What nobody foresaw about one host is that host's refusal."""

from pathlib import Path
from typing import NoReturn

import pytest

from tests.plan.test_plan import BASE
from tests.plan.world import World
from xgen_deploy.cli import status
from xgen_deploy.plan import build as survey
from xgen_deploy.run.control_node import ControlNode, Seen
from xgen_deploy.run.run import Run


def fail(*_: object, **__: object) -> NoReturn:
    raise KeyError("a secret")


def test_a_plan_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(BASE, tmp_path)
    monkeypatch.setattr(survey, "plan_host", fail)
    plan = survey.make_plan(world.scene.site, {"h": Seen(world.facts)}, ControlNode(), {})
    (refusal,) = plan.refusals
    assert refusal.host == "h"
    assert "failed there (KeyError in plan/build.py:" in refusal.reason
    assert "secret" not in refusal.reason


def test_a_status_that_cannot_be_read_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(BASE, tmp_path)
    monkeypatch.setattr(status, "host_statuses", fail)
    work = Run(world.scene.site, ControlNode(), {})
    (row,) = status._guarded_rows(work, "h", Seen(world.facts))
    assert row.status == "unknown"
    assert "KeyError" in (row.reason or "")
