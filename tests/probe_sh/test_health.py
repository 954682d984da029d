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
from xgen_deploy.probe.remote import commands
from xgen_deploy.probe.remote.health import health
from xgen_deploy.state.facts import ProbeRequest


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


UNITS = {"named": ("xgen-demo-a.service", "xgen-demo-a.b.service")}


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """By its systemctl every unit runs; its journalctl prints what it is asked for."""
    tools = tmp_path / "tools"
    for name, says in (("systemctl", "echo now"), ("journalctl", 'echo "$@"')):
        tool = write(tools / name, f"#!/bin/sh\n{says}\n".encode())
        tool.chmod(0o755)
    monkeypatch.setattr(commands, "PATH", f"{tools}:{commands.PATH}")
    return tools


@pytest.mark.parametrize("slot", ["", ".b", "/../x", ".b.service --root=/"])
@pytest.mark.parametrize(("name", "unit"), [("named", "xgen-demo-a"), ("left", "xgen-demo-left")])
def test_the_unit_is_the_one_that_the_request_names_for_the_slot(
    tmp_path: Path, journal: Path, name: str, unit: str, slot: str
) -> None:
    """An instance that started first lies in its second slot; `left` is in no manifest any more."""
    recorded = {"spec": {"port": 1}, "slot": slot, "invocation": "before"}
    text = json.dumps({"instances": {name: recorded}})
    write(tmp_path / "state/record.json", text.encode())
    asked = request(tmp_path, health=True, units=UNITS)
    (found,) = by_shell(asked, tools=journal).health
    (other,) = health(text, asked.model_dump())["health"]
    expected = f"--unit={unit}{'.b' if slot == '.b' else ''}.service"
    assert expected in (found.log or "").split()
    assert expected in other["log"].split()
    assert (found.run, other["run"]) == ("now", "now")


NOBODY = ("../../x", "a b", "a|127.0.0.1|1||x|/", "-f", "", "x" * 61, "a%b", "a/b", "é")


def test_what_no_instance_can_be_called_is_ignored(tmp_path: Path, journal: Path) -> None:
    names = {name: {"spec": {"port": 1}} for name in (*NOBODY, "good")}
    odd = {"no-spec": {}, "no-port": {"spec": {}}, "port": {"spec": {"port": "x"}}}
    odd["high"] = {"spec": {"port": 10**9}}
    text = json.dumps({"instances": {**names, **odd}}, ensure_ascii=False)
    write(tmp_path / "state/record.json", text.encode())
    asked = request(tmp_path, health=True)
    assert [h.instance for h in by_shell(asked, tools=journal).health] == ["good"]
    assert [h["instance"] for h in health(text, asked.model_dump())["health"]] == ["good"]
