"""Where the manifest wants events to go besides the hosts."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.audit.test_event import SUBJECT
from xgen_deploy.audit.remote.log import check
from xgen_deploy.audit.sinks import Sinks
from xgen_deploy.errors import UsageError
from xgen_deploy.state.settings import Audit

EVENT = SUBJECT.event(1_800_000_000.0, "failed", host="gpu-a", reason="two\nlines")


def test_a_file_is_chained(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    sinks = Sinks(Audit(file=str(path)))
    assert sinks.write([EVENT, EVENT]) == ()
    lines = path.read_bytes().splitlines()
    assert check(lines) == []
    assert [json.loads(line)["reason"] for line in lines] == ["two\nlines"] * 2


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_changed(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="nothing was done"):
        Sinks(Audit(file=str(tmp_path / "nowhere" / "audit.jsonl")))


def test_a_file_that_fails_later_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    sinks = Sinks(Audit(file=str(path)))
    path.unlink()
    path.mkdir()
    (said,) = sinks.write([EVENT])
    assert said.startswith(f"audit.file: {path} could not be written")


def test_syslog_gets_a_line_an_event(tmp_path: Path) -> None:
    address = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(address)
        assert Sinks(Audit(syslog=address)).write([EVENT]) == ()
        received = server.recv(65536).rstrip(b"\0")
    assert received.startswith(b"<86>xgen-deploy: {")
    assert b"\n" not in received
    assert json.loads(received.partition(b": ")[2])["reason"] == "two\nlines"


def test_a_syslog_that_is_away_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (said,) = Sinks(Audit(syslog=str(tmp_path / "log"))).write([EVENT])
    assert said.startswith("audit.syslog: ")
    assert capsys.readouterr().err == ""


def test_a_webhook_is_told_once_at_the_end() -> None:
    told: list[int] = []

    def post(events: object) -> str | None:
        told.append(len(list(events)))  # type: ignore[call-overload]
        return "audit.webhook answered HTTP 500"

    sinks = Sinks(Audit(), post)
    sinks.write([EVENT])
    sinks.write([EVENT, EVENT])
    assert told == []
    assert sinks.close() == ("audit.webhook answered HTTP 500",)
    assert told == [3]
