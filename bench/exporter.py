"""What a host pays for being watched: the exporter's processor time and memory.

    python -m bench.exporter

The exporter runs as on a host (TLS, a user without rights), in front of stand-ins that answer with
the page of a real vLLM. Nothing here needs root.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.exporter.launcher import engine, exporter, settings

RECORDED = Path(__file__).parents[1] / "tests" / "watch" / "recorded" / "vllm.txt"
ENGINES = (0, 1, 8, 32)
SCRAPES = 20
# A page is the same for whoever asks within a second.
PAUSE = 1.1
INTERVAL = 15.0
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """`start` and `scrape` in seconds of processor time, `memory` in MiB, `page` in KiB."""

    engines: int
    start: float
    scrape: float
    memory: float
    page: float


def main() -> None:
    print("engines  start CPU  CPU a scrape  of a core (every 15 s)  memory     page")
    with stand_in() as port:
        for count in ENGINES:
            print(line(measured(count, port)), flush=True)


def measured(count: int, port: int) -> Row:
    engines = [engine(port, instance=f"m{n}", page="vllm") for n in range(count)]
    with exporter(settings(engines=engines)) as running:
        page = running.page()
        start = cpu(running.process.pid)
        for _ in range(SCRAPES):
            time.sleep(PAUSE)
            running.page()
        spent = cpu(running.process.pid) - start
        memory = largest(running.process.pid)
    return Row(count, start, spent / SCRAPES, memory, len(page) / 1024)


def line(row: Row) -> str:
    return (
        f"{row.engines:7}  {row.start:7.2f} s  {row.scrape * 1000:9.1f} ms"
        f"  {row.scrape / INTERVAL:21.3%}  {row.memory:4.0f} MiB  {row.page:4.0f} KiB"
    )


def cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def largest(pid: int) -> float:
    """Its largest resident set so far."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) / 1024
    return 0.0


@contextmanager
def stand_in() -> Iterator[int]:
    """The port of an engine that always answers with the recorded page."""
    page = RECORDED.read_bytes()

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Not a word."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


if __name__ == "__main__":
    main()
