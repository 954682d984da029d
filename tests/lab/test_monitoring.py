"""Monitoring over real hosts: Debian's Prometheus and Alertmanager, a real engine, a receiver that
listens here. Rules and dashboards by themselves are in tests/watch.
"""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.lab import engine_site, network
from tests.lab.host import LabHost
from tests.lab.process import run, wait_until
from tests.lab.site import Site
from tests.watch.debian import program

PROJECT = "t_seen"
PORT, PROMETHEUS = 8171, 9090
ENGINE = f"xgen-{PROJECT}-tiny.service"


class Receiver(BaseHTTPRequestHandler):
    """Keeps the alerts that it is sent."""

    told: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told += json.loads(body)["alerts"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[list[dict[str, Any]], int]]:
    class Kept(Receiver):
        told: list[dict[str, Any]] = []  # noqa: RUF012 - one of each run

    with ThreadingHTTPServer(("0.0.0.0", 0), Kept) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Kept.told, server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def site(
    pair: list[LabHost],
    told: tuple[list[dict[str, Any]], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The first host serves, the second watches."""
    serves, watches = pair
    # Without their units, which would start them by themselves.
    programs = Path(program("prometheus")).parent.parent
    run(["cp", "-a", f"{programs}/.", str(watches.rootfs / "usr")])
    found = Site(tmp_path_factory.mktemp("seen"), PROJECT, ports=f"{PORT}-{PORT + 3}")
    found.models["tiny"] = engine_site.tiny(api_key={"env": "ENGINE_KEY"})
    found.serve(serves.name, "tiny")
    found.hosts |= {h.name: {"ansible_host": h.address} for h in pair}
    found.env |= {
        "ENGINE_KEY": "sk-engine-1",
        "PAGER": f"http://{network.address_here()}:{told[1]}/hook",
    }
    found.top["monitoring"] = {
        "host": watches.name,
        "interval": "5s",
        "alerts": {"webhook": {"env": "PAGER"}},
    }
    yield found
    found.run("destroy", "-y")


def asked(host: LabHost, query: str) -> list[dict[str, Any]]:
    """What Prometheus says to it."""
    path = f"/api/v1/query?query={urllib.parse.quote(query)}"
    said = host.sh(f"curl -fsS 'http://127.0.0.1:{PROMETHEUS}{path}'")
    found: list[dict[str, Any]] = json.loads(said)["data"]["result"]
    return found


def names(told: list[dict[str, Any]]) -> set[str]:
    return {a["labels"]["alertname"] for a in told if a["status"] == "firing"}


def test_applied_every_target_is_scraped_and_the_receiver_was_told(
    site: Site, pair: list[LabHost], told: tuple[list[dict[str, Any]], int]
) -> None:
    said = site.apply().said
    assert "Prometheus scrapes 1 of 1 targets; its receiver was sent a test alert" in said
    assert "XgenTest" in names(told[0])
    site.plan(0)
    wait_until(
        lambda: bool(asked(pair[1], 'llamacpp:requests_processing{instance="tiny"}')),
        "the engine's metrics",
        60,
    )
    (up,) = asked(pair[1], "xgen_instance_up")
    assert (up["metric"]["host"], up["value"][1]) == (pair[0].name, "1")
    assert site.run("verify").code == 0


def test_neither_the_exporter_nor_prometheus_is_open_to_others(
    site: Site, pair: list[LabHost]
) -> None:
    serves, watches = pair
    mine = f"curl -sk -m 5 -o /dev/null -w '%{{http_code}}' https://{serves.address}:9809/metrics"
    assert watches.run(["sh", "-c", mine], check=False).stdout == "401"
    assert (
        serves.sh(f"ps -o user= -p $(systemctl show -P MainPID xgen-{PROJECT}-exporter)") != "root"
    )
    reached = serves.run(
        ["curl", "-s", "-m", "3", f"http://{watches.address}:{PROMETHEUS}/-/ready"], check=False
    )
    assert reached.returncode != 0


# A look a minute: until the next one tells of the stop, the alert may be pending.
FIRING = 'ALERTS{alertname="XgenInstanceDown",alertstate="firing"}'


def test_an_engine_or_a_file_that_goes_is_told_and_a_planned_stop_is_not(
    site: Site, pair: list[LabHost], told: tuple[list[dict[str, Any]], int]
) -> None:
    serves, watches = pair
    told[0].clear()
    assert site.run("stop", "tiny", "-y").code == 0
    wait_until(
        lambda: bool(asked(watches, "xgen_instance_stopped_by_intent == 1")),
        "the stop to be seen",
        90,
    )
    assert asked(watches, FIRING) == []
    assert site.run("start", "tiny", "-y").code == 0
    assert "XgenInstanceDown" not in names(told[0])
    serves.sh(f"systemctl stop {ENGINE}; mv {engine_site.TINY} {engine_site.TINY}.away")
    wanted = {"XgenInstanceDown", "XgenModelFileGone"}
    wait_until(lambda: wanted <= names(told[0]), "the alerts", 300)
    serves.sh(f"mv {engine_site.TINY}.away {engine_site.TINY}")
    (alert,) = [a for a in told[0] if a["labels"]["alertname"] == "XgenInstanceDown"][:1]
    assert (alert["labels"]["host"], alert["labels"]["instance"]) == (serves.name, "tiny")
    site.apply()


def test_destroyed_nothing_is_left(site: Site, pair: list[LabHost]) -> None:
    assert site.run("destroy", "-y").code == 0
    for host in pair:
        assert host.sh(f"find / -xdev -path /proc -prune -o -name '*{PROJECT}*' -print") == ""
