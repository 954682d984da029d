"""A real Alertmanager with the settings that we make: who is told of what."""

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.transport.eventually import eventually
from tests.watch.debian import program, with_share
from xgen_deploy.state.monitoring_config import Alerts
from xgen_deploy.watch.alertmanager import TEST, alertmanager_config

WHERE = {"project": "lotte", "host": "gpu-01"}


class Receivers:
    """What came, by the path that it was posted to: the names of the alerts."""

    def __init__(self) -> None:
        self.came: dict[str, list[str]] = {}
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                alerts = json.loads(self.rfile.read(length))["alerts"]
                names = [alert["labels"]["alertname"] for alert in alerts]
                receivers.came.setdefault(self.path, []).extend(names)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class RunningAlertmanager:
    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/-/ready") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def fire(self, *names: str, **labels: str) -> None:
        alerts = [{"labels": {"alertname": name, **WHERE, **labels}} for name in names]
        request = urllib.request.Request(
            f"{self._address}/api/v2/alerts",
            json.dumps(alerts).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    def states(self) -> dict[str, str]:
        """By alert: active or suppressed."""
        with urllib.request.urlopen(f"{self._address}/api/v2/alerts") as answer:
            alerts: list[Any] = json.load(answer)
        return {a["labels"]["alertname"]: a["status"]["state"] for a in alerts}


@contextmanager
def alertmanager(folder: Path, text: str) -> Iterator[RunningAlertmanager]:
    port = free_port()
    config = folder / "alertmanager.yml"
    config.write_text(text)
    words = [
        *with_share(),
        program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        running = RunningAlertmanager(port)
        assert eventually(running.is_ready), (folder / "log").read_text()
        yield running
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    made = Receivers()
    yield made
    made.close()


@pytest.fixture
def running(receivers: Receivers, tmp_path: Path) -> Iterator[RunningAlertmanager]:
    alerts = Alerts.model_validate({"webhook": {"env": "W"}, "heartbeat": {"env": "H"}})
    secrets = {"webhook": receivers.url("/team"), "heartbeat": receivers.url("/alive")}
    with alertmanager(tmp_path, alertmanager_config(alerts, secrets)) as made:
        yield made


def test_a_test_alert_reaches_the_team_and_a_heartbeat_its_own_address(
    running: RunningAlertmanager, receivers: Receivers
) -> None:
    running.fire(TEST, severity="info")
    running.fire("XgenHeartbeat", severity="none")
    assert eventually(lambda: set(receivers.came) == {"/team", "/alive"}, 30)
    assert set(receivers.came["/team"]) == {TEST}
    assert set(receivers.came["/alive"]) == {"XgenHeartbeat"}


def test_of_a_host_that_is_down_nothing_else_is_told(running: RunningAlertmanager) -> None:
    running.fire("XgenHostDown", severity="critical")
    running.fire("XgenInstanceDown", severity="critical", instance="m")
    running.fire("XgenGpuHot", severity="warning", host="gpu-02")
    assert eventually(
        lambda: (
            running.states()
            == {"XgenHostDown": "active", "XgenInstanceDown": "suppressed", "XgenGpuHot": "active"}
        ),
        30,
    ), running.states()


def test_the_stronger_alert_silences_the_weaker_of_the_same_model(
    running: RunningAlertmanager,
) -> None:
    running.fire("XgenManyErrors", severity="critical", model="a")
    running.fire("XgenErrors", severity="warning", model="a")
    assert eventually(
        lambda: running.states() == {"XgenManyErrors": "active", "XgenErrors": "suppressed"}, 30
    ), running.states()
