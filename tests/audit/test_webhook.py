"""The manifest's `audit.webhook`: told what happened, and never the reason for anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.secrets.test_resolver import site
from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.run.run import Run
from xgen_deploy.run.this_machine import this_machine


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    told: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    told: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Keeping", (Hook,), {"told": told}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/T0KEN", told
    server.shutdown()


def refused(folder: Path) -> None:
    """An event of a host that keeps no log of its own."""
    run = Run(site(folder, audit={"webhook": {"env": "HOOK"}}), this_machine(), {})
    trail = Auditing(run, "apply", ("repin",)).trail(plan="f1")
    trail.tell("h", "refused", instance="q", reason="no such file")
    trail.close()


def test_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, told = hook
    monkeypatch.setenv("HOOK", url)
    refused(tmp_path)
    ((event,),) = [one["events"] for one in told]
    assert (event["what"], event["outcome"], event["host"]) == ("apply", "refused", "h")
    assert (event["overrides"], event["plan"]) == (["repin"], "f1")
    assert "T0KEN" not in json.dumps(told)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/T0KEN", "ftp://x/T0KEN", "T0KEN", ""])
def test_one_that_cannot_be_told_is_a_warning_without_its_address(
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOOK", url)
    refused(tmp_path)
    said = capsys.readouterr().err
    assert said.startswith("warning: audit.webhook")
    assert "T0KEN" not in said
