"""What is read back from hosts is their data: shown, never obeyed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.audit.test_event import SUBJECT
from xgen_deploy.audit.reading import parsed
from xgen_deploy.audit.remote.log import append
from xgen_deploy.cli.logs.since import begin_of
from xgen_deploy.cli.screens.audit_report import broken_line, cells
from xgen_deploy.errors import UsageError

NOW = 1_800_000_000.0


def log_of(tmp_path: Path, *reasons: str, host: str = "gpu-a") -> bytes:
    path = tmp_path / "audit.jsonl"
    events = [
        SUBJECT.event(NOW, "failed", host=host).model_copy(update={"reason": r}) for r in reasons
    ]
    append(str(path), [e.model_dump(mode="json", exclude_none=True) for e in events], NOW)
    return path.read_bytes()


@pytest.mark.parametrize(
    "hostile", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\x1b]0;x\x07=1", "a\r\n=1"]
)
def test_no_cell_is_a_formula_or_moves_the_cursor(tmp_path: Path, hostile: str) -> None:
    (entry,) = parsed(log_of(tmp_path, hostile), "gpu-a").entries
    for cell in cells(entry):
        assert not cell.lstrip().startswith(("=", "+", "-", "@"))
        assert cell.isprintable()


def test_a_log_speaks_for_its_own_host_only(tmp_path: Path) -> None:
    (entry,) = parsed(log_of(tmp_path, "x", host="gpu-b"), "gpu-a").entries
    assert entry.event.host == "gpu-a"


def test_where_it_was_tampered_with_is_said(tmp_path: Path) -> None:
    lines = log_of(tmp_path, "one", "two", "three").splitlines(keepends=True)
    found = parsed(lines[0] + lines[2], "gpu-a")
    assert found.broken == (2,)
    assert [e.follows for e in found.entries] == [True, False]
    assert "line 2 does not follow" in broken_line(found.broken)
    junk = parsed(b"[" * 100_000 + b"\n" + b"".join(lines), "gpu-a")
    assert len(junk.entries) == 3
    assert 1 in junk.broken


def test_what_a_newer_version_adds_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    event = json.loads(SUBJECT.event(NOW, "ok").model_dump_json(exclude_none=True))
    append(str(path), [event | {"of_tomorrow": 1}], NOW)
    found = parsed(path.read_bytes(), "gpu-a")
    assert (len(found.entries), found.broken) == (1, ())


def test_since_is_a_date_or_a_span() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert begin_of("7d", now) == datetime(2026, 11, 18, 12, tzinfo=UTC)
    assert begin_of("2026-11-01", now) == datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(UsageError, match="2026-11-01"):
        begin_of("yesterday", now)
    assert begin_of("2026-11-25T20:00+09:00", now) == datetime(2026, 11, 25, 11, tzinfo=UTC)
    with pytest.raises(UsageError, match="without a zone it is UTC, where it is 2026-11-25T12:00"):
        begin_of("2026-11-25T20:00", now)


@pytest.mark.parametrize(
    "line",
    [
        b'{"what": "pruned"}',
        b'{"what": "pruned", "prev": 5, "lines": 1e999}',
        b"null",
        b"\xff\xfe",
        b'{"prev": [[[]]], "time": -1, "project": {}, "what": 7, "outcome": null}',
        b'{"time": "9999-99-99", "project": "p", "what": "w", "outcome": "\\u202e\\u001b[2J"}',
        b'{"time": "", "project": "p", "what": "w", "outcome": "' + b"x" * 1_000_000 + b'"}',
        b'{"time": ' + b"9" * 5000 + b', "project": "p", "what": "w", "outcome": "o"}',
    ],
)
def test_whatever_a_host_has_in_its_log_is_shown_or_said_to_be_damaged(
    tmp_path: Path, line: bytes
) -> None:
    whole = log_of(tmp_path, "one", "two")
    for content in (line + b"\n" + whole, whole + line, line):
        for entry in parsed(content, "gpu-a").entries:
            assert all(cell.isprintable() and len(cell) < 2000 for cell in cells(entry))
    path = tmp_path / "audit.jsonl"
    path.write_bytes(line + b"\n" + whole)
    append(str(path), [{"time": "2026-11-25T00:00:00+00:00", "what": "apply"}], NOW)
    assert b'"apply"' in path.read_bytes().splitlines()[-1]
