"""The audit log's file: chained, kept 400 days, bounded, private."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgen_deploy.audit.remote.log import append, check

NOW = 1_800_000_000.0
DAY = 86400.0


def event(number: int, days_ago: float = 0.0) -> dict[str, object]:
    time = datetime.fromtimestamp(NOW - days_ago * DAY, UTC).isoformat()
    return {"time": time, "what": "apply", "outcome": "ok", "apply": number}


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def applies(path: Path) -> list[int]:
    return [e["apply"] for e in map(json.loads, lines(path)) if "apply" in e]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    for number in range(4):
        append(str(path), [event(number), event(number)], NOW)
    return path


def test_each_line_follows_from_the_one_before(log: Path) -> None:
    assert check(lines(log)) == []
    assert len(lines(log)) == 8
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("tamper", "broken"),
    [
        (lambda found: found[:2] + found[3:], [3]),
        (lambda found: [*found[:2], found[2].replace(b"ok", b"no"), *found[3:]], [4]),
        (lambda found: found[1:], [1]),
        (lambda found: [*found[:2], b"{}", *found[2:]], [3, 4]),
        (lambda found: [*found, b"[" * 100_000], [9]),
    ],
    ids=["a gap", "an edit", "the first is gone", "one more", "no event at all"],
)
def test_a_gap_or_an_edit_shows(log: Path, tamper, broken: list[int]) -> None:
    assert check(tamper(lines(log))) == broken


def test_what_is_older_than_400_days_goes_and_the_chain_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(str(path), [event(1, 450), event(2, 420), event(3, 390)], NOW - 380 * DAY)
    append(str(path), [event(4)], NOW)
    assert applies(path) == [3, 4]
    first = json.loads(lines(path)[0])
    assert (first["what"], first["lines"]) == ("pruned", 2)
    append(str(path), [event(5, -20)], NOW + 20 * DAY)
    assert applies(path) == [4, 5]
    assert json.loads(lines(path)[0])["lines"] == 3
    assert check(lines(path)) == []


def test_its_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(100):
        append(str(path), [event(number)], NOW, largest=4000)
    assert path.stat().st_size < 5000
    assert applies(path)[-1] == 99
    assert check(lines(path)) == []


def test_a_line_that_was_cut_short_by_a_power_cut_does_not_swallow_the_next(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-5])
    append(str(log), [event(9)], NOW)
    assert applies_of_whole(log)[-1] == 9
    assert check(lines(log)) == [8]


def applies_of_whole(path: Path) -> list[int]:
    return [json.loads(line)["apply"] for line in lines(path) if line.endswith(b"}")]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("untouched")
    path = tmp_path / "audit.jsonl"
    path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        append(str(path), [event(1)], NOW)
    assert target.read_text() == "untouched"
