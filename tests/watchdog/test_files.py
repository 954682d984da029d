"""What is written to a host for its watchdog, and what is said of one that does not run."""

import json
from pathlib import Path

import pytest

from tests.plan.world import World
from xgen_deploy.render.templates import Templates
from xgen_deploy.render.watchdog import watchdog_files
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.facts import WatchdogFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record
from xgen_deploy.verify.watchdog import watchdog_status

CASE = {
    "host": "cpu",
    "models": {"m": {"source": "/m/Qwen3-8B-Q4_K_M.gguf"}},
    "place": [{"model": "m", "gpus": []}],
}
PYTHON = "/home/ops/py 3.12/bin/python3"


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(CASE, tmp_path)
    found.apply()
    found.fact(python_path=PYTHON, now=10_000.0)
    return found


def _files(record: Record, layout: Layout, python: str | None) -> dict[str, str]:
    files = watchdog_files(record, layout, Templates(read_templates()), python)
    return {Path(f.path).name: f.content for f in files}


def test_the_unit_runs_the_interpreter_that_the_tool_used_there(world: World) -> None:
    unit = _files(world.record, world.scene.layout, PYTHON)["xgen-p.service"]
    assert f'ExecStart="{PYTHON}" -I /var/lib/xgen-deploy/p/heal.py ' in unit
    assert "ProtectHome=read-only" in unit, "it may lie below /home or /root"


@pytest.mark.parametrize("python", [None, "", "python3", "/opt/py\nExecStartPre=/bin/x"])
def test_without_a_usable_interpreter_there_is_no_timer(world: World, python: str | None) -> None:
    assert _files(world.record, world.scene.layout, python) == {}


@pytest.mark.parametrize(
    ("ready", "batch", "loading", "still"),
    [(5.0, None, 1800.0, 1228.8), (600.0, 512, 3000.0, 1200.0), (None, 8192, 1800.0, 4915.2)],
)
def test_how_long_it_waits(
    world: World, ready: float | None, batch: int | None, loading: float, still: float
) -> None:
    last = world.record.instances["m"]
    llama = last.spec.llama.model_copy(update={"n_batch": batch})
    spec = last.spec.model_copy(update={"llama": llama})
    entry = last.model_copy(update={"spec": spec, "ready_seconds": ready})
    record = world.record.model_copy(update={"instances": {"m": entry}})
    one = json.loads(_files(record, world.scene.layout, PYTHON)["heal.json"])["instances"]["m"]
    assert (one["loading"], one["still"]) == (loading, still)
    assert "llamacpp:n_decode_total" in one["counters"]


RUNS = WatchdogFacts(
    timer="active", enabled=True, state="inactive", result="success", last_run=9_950.0
)
SAID: dict[str, tuple[dict[str, object], str | None]] = {
    "runs": ({}, None),
    "is at it": ({"state": "activating", "last_run": 9_000.0}, None),
    "just installed": ({"last_run": None}, None),
    "gone": ({"timer": None}, "its timer is missing"),
    "stopped": ({"timer": "inactive"}, "`xgen-deploy apply` starts it"),
    "disabled": ({"enabled": False}, "would not start at boot"),
    "interpreter gone": (
        {"state": "failed", "result": "exit-code", "exit_status": 203},
        "its interpreter could not be started",
    ),
    "program fails": (
        {"state": "failed", "result": "exit-code", "exit_status": 1},
        "its last run failed (exit-code, exit status 1); `journalctl -u xgen-p`",
    ),
    "forgotten": ({"last_run": 7_000.0}, "its last run was 50 minutes ago"),
}


@pytest.mark.parametrize("case", SAID)
def test_a_watchdog_that_does_not_run_is_told(world: World, case: str) -> None:
    changes, reason = SAID[case]
    world.fact(watchdog=RUNS.model_copy(update=changes))
    found = watchdog_status(world.facts, world.record, world.scene.layout)
    assert found is not None
    assert (found.state == "running") == (reason is None)
    assert (reason or "") in (found.reason or "")


def test_a_host_without_an_interpreter_is_told(world: World) -> None:
    world.fact(watchdog=WatchdogFacts(), python_path=None)
    found = watchdog_status(world.facts, world.record, world.scene.layout)
    assert found is not None
    assert found.reason == "the host has no Python 3.8 or newer to run it"


def test_nothing_is_said_where_nothing_is_known_or_to_be_looked_after(world: World) -> None:
    assert watchdog_status(world.facts, world.record, world.scene.layout) is None
    world.fact(watchdog=WatchdogFacts())
    world.stopped("m")
    assert watchdog_status(world.facts, world.record, world.scene.layout) is None
