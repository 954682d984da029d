"""How fast a transfer was is known to the next plan."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.rig import Rig
from xgen_deploy.probe.remote.rates import rates
from xgen_deploy.transfer.remote import measured
from xgen_deploy.transfer.remote.events import Events
from xgen_deploy.transfer.remote.measured import FOLDER, LEAST, Measured
from xgen_deploy.transfer.remote.transfer import Transfer


class Clock:
    """One that each look moves by a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now

    def time(self) -> float:
        return 0.0


def bring(rig: Rig, **more: Any) -> None:
    request = json.loads(json.dumps(asdict(rig.request(**more))))
    Transfer(request, Events(lambda *_: None), None).run()


def test_the_plan_hears_of_the_last_transfer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    root = rig.place().parent
    bring(rig)
    assert rates(str(root)) == {}  # so little tells nothing
    rig.place().unlink()
    monkeypatch.setattr(measured, "LEAST", 1)
    monkeypatch.setattr(measured, "SHORTEST", 0.0)
    bring(rig, limit_rate=1 << 40)
    assert rates(str(root)) == {}
    rig.place().unlink()
    bring(rig)
    assert list(rates(str(root))) == ["download"]
    assert [p.name for p in (root / FOLDER).iterdir()] == [f"{os.uname().nodename}.download.json"]


def test_its_rate_is_what_came_between_the_first_and_the_last_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "time", Clock())
    told: list[str] = []
    hears = Measured(lambda event, **_: told.append(event))
    for event in ("file", "bytes", "chunk", "bytes", "bytes", "whole"):
        hears(event, count=LEAST)
    hears.note(str(tmp_path), "peer")
    assert rates(str(tmp_path)) == {"peer": float(LEAST)}
    assert told == ["file", "bytes", "chunk", "bytes", "bytes", "whole"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"bytes": 1}',
        '{"bytes": 5, "seconds": 0}',
        '{"bytes": -5, "seconds": 1}',
        '{"bytes": 1e999, "seconds": 1}',
        '{"bytes": NaN, "seconds": 1}',
        '{"bytes": null, "seconds": "x"}',
        "[" * 4000,
    ],
)
def test_a_note_that_is_none_tells_nothing(tmp_path: Path, text: str) -> None:
    """Whoever may write to the folder may write notes."""
    note = tmp_path / FOLDER / f"{os.uname().nodename}.download.json"
    note.parent.mkdir(parents=True)
    note.write_text(text)
    assert rates(str(tmp_path)) == {}
