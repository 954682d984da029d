"""Endpoints are asked by curl, or by wget where there is no curl."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.probe.gguf_writer import write
from tests.probe.running import probe, request
from tests.probe_sh.running import by_shell
from xgen_deploy.probe.facts import ProbeRequest


class _Engine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = self.path == "/ready"
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b'{"status": "ok"}' if ready else b"loading")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the test says what matters."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def asked(folder: Path, port: int) -> ProbeRequest:
    """Of three recorded instances: one is ready, one loads, one is not there."""
    instances = {
        "good": {"spec": {"port": port, "x": [{"port": 1}]}, "health_path": "/ready"},
        "loading": {"spec": {"listen": "0.0.0.0", "port": port}, "invocation": None},
        "gone": {"spec": {"listen": "127.0.0.1", "port": 1}, "invocation": "ab"},
    }
    write(folder / "state/record.json", json.dumps({"instances": instances}, indent=1).encode())
    write(folder / "state/heal.state", b'{"a": 1}\n')
    return request(folder, health=True)


def test_by_curl(tmp_path: Path, port: int) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    found, other = by_shell(asked(tmp_path, port)), probe(asked(tmp_path, port))
    assert found.heal == other.heal
    assert found.health[:2] == other.health[:2]
    assert [(h.instance, h.status) for h in found.health] == [
        ("good", 200),
        ("loading", 503),
        ("gone", 0),
    ]


def test_by_wget(tmp_path: Path, port: int) -> None:
    if not shutil.which("wget"):
        pytest.skip("wget is not installed")
    found = by_shell(asked(tmp_path, port), without="curl").health
    assert [(h.instance, h.status) for h in found] == [("good", 200), ("loading", 503), ("gone", 0)]
    assert found[0].body == '{"status": "ok"}'
