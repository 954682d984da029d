"""The real reporter on this machine, as on any host; the engine is a page of metrics."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from xgen_deploy.errors import XgenError
from xgen_deploy.live.feed import Feed
from xgen_deploy.live.program import reporter_program
from xgen_deploy.live.values import Gone, HostValues
from xgen_deploy.transport.local import LocalConnection
from xgen_deploy.transport.process import Output, Process

_METRICS = {"generated": "engine:made_total", "waiting": "engine:waiting"}


class Engine(ThreadingHTTPServer):
    """It makes 10 tokens whenever it is asked, and wants a key."""

    made = 0

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.keys: set[str | None] = set()


@pytest.fixture
def engine() -> Iterator[Engine]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            engine = self.server
            assert isinstance(engine, Engine)
            engine.made += 10
            engine.keys.add(self.headers["Authorization"])
            text = f'engine:made_total{{model="m"}} {engine.made}\nengine:waiting 2\n'.encode()
            self.send_response(200 if self.headers["Authorization"] == "Bearer k1" else 401)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = Engine(Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def feed_over(port: int, key_file: Path | None = None, interval: float = 0.2) -> Feed:
    asked = {
        "address": "127.0.0.1",
        "port": port,
        "metrics": _METRICS,
        "key_file": str(key_file) if key_file else None,
        "key_pattern": None,
    }

    @contextmanager
    def report(interval: float) -> Iterator[tuple[Process, Output]]:
        request = {"interval": interval, "software_gpu": 0, "instances": {"m": asked}}
        connection = LocalConnection("here", python=None, become="never", password=None)
        with connection.report(reporter_program(), json.dumps(request).encode()) as talk:
            yield talk

    return Feed({"here": report}, interval=interval)


def next_values(subscription, wanted) -> HostValues:
    while True:
        latest = subscription.next(30)
        assert latest is not None, "nothing came"
        values = latest.get("here")
        if isinstance(values, Gone):
            pytest.fail(values.reason)
        if isinstance(values, HostValues) and wanted(values):
            return values


def test_rates_come_as_long_as_somebody_looks(engine: Engine, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k1\n")
    feed = feed_over(engine.server_port, key)
    with feed.subscribe() as subscription:
        values = next_values(
            subscription, lambda v: "m" in v.instances and v.instances["m"].tokens_per_second
        )
    rates = values.instances["m"]
    assert rates.waiting == 2
    assert rates.tokens_per_second is not None
    assert rates.tokens_per_second > 0
    assert rates.running is None  # its page does not tell
    assert values.memory_available_mb
    assert engine.keys == {"Bearer k1"}
    assert "instance/m/waiting" in feed.last_hour("here").values
    feed.close()


def test_an_engine_that_does_not_answer_costs_only_its_own_values() -> None:
    feed = feed_over(1)
    with feed.subscribe() as subscription:
        values = next_values(subscription, lambda _: True)
    assert values.instances == {}
    feed.close()


def test_who_lost_a_host_says_why_and_the_others_go_on() -> None:
    @contextmanager
    def lost(interval: float) -> Iterator[tuple[Process, Output]]:
        raise XgenError("the connection was lost")
        yield

    feed = Feed({"there": lost}, interval=0.2)
    with feed.subscribe() as subscription:
        latest = subscription.next(30)
    assert latest == {"there": Gone("the connection was lost")}
    feed.close()


def test_an_engine_that_drips_its_page_costs_only_its_own_values() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                connection, _ = listener.accept()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not ended.wait(0.3):
                    connection.sendall(b"x")

    threading.Thread(target=drip, daemon=True).start()
    feed = feed_over(listener.getsockname()[1])
    with feed.subscribe() as subscription:
        values = next_values(subscription, lambda _: True)
    assert values.instances == {}
    feed.close()
    ended.set()
    listener.close()
