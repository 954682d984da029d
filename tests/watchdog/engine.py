"""An engine that counts as llama-server and vLLM do, over real HTTP, and a host whose systemd is
played: what the watchdog asks of both, minute by minute, without waiting for one."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from xgen_deploy.backends.registry import ENGINES

LLAMA = """\
# TYPE llamacpp:n_decode_total counter
llamacpp:prompt_tokens_total {prompt}
llamacpp:tokens_predicted_total {predicted}
llamacpp:n_decode_total {steps}
llamacpp:requests_processing {processing}
llamacpp:requests_deferred {waiting}
"""
VLLM = """\
vllm:num_requests_running{{engine="0",model_name="m}} x"}} {processing}.0
vllm:num_requests_waiting{{engine="0",model_name="m}} x"}} {waiting}.0
vllm:prompt_tokens_total{{engine="0",model_name="m}} x"}} {prompt}.0
vllm:generation_tokens_total{{engine="0",model_name="m}} x"}} {predicted}.0
vllm:iteration_tokens_total_sum{{engine="0",model_name="m}} x"}} {steps}.0
vllm:iteration_tokens_total_count{{engine="0",model_name="m}} x"}} NaN
"""


@dataclass
class Engine:
    """`page` None: /metrics is not answered; "": it is, by an error without a counter. `posts`
    counts the real requests, which are `answered` or not."""

    page: str | None = LLAMA
    answered: bool = True
    steps: int = 0
    prompt: int = 0
    predicted: int = 0
    processing: int = 0
    waiting: int = 0
    posts: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def text(self) -> str | None:
        numbers = {
            n: getattr(self, n) for n in ("steps", "prompt", "predicted", "processing", "waiting")
        }
        return None if self.page is None else self.page.format(**numbers)

    def work(self) -> None:
        """A minute of one long answer: no token is counted before it ends."""
        self.processing, self.steps = 1, self.steps + 100

    @contextmanager
    def endpoint(self) -> Iterator[int]:
        """Its port."""
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(engine.text)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                engine.posts += 1
                engine.steps += engine.answered
                self.reply('{"choices": [{}]}' if engine.answered else None)

            def reply(self, text: str | None) -> None:
                if text is None:
                    engine.over.wait()
                    return
                self.send_response(200 if text else 404)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: the test says what matters."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            self.over.set()
            server.shutdown()
            server.server_close()


@dataclass
class Systemd:
    """Unit `u.service`: started at `born`, by `run`; None where it is down. Commands are kept."""

    run: str | None = "run-1"
    born: float = -1e6
    now: float = 0.0
    enabled: bool = True
    kernel: str = ""
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def started(self, _unit: str) -> tuple[str | None, float]:
        return self.run, self.now - self.born

    def command(self, *argv: str) -> str:
        if argv[0] == "journalctl":
            return self.kernel
        if argv[1] == "is-enabled":
            return "enabled\n" if self.enabled else "disabled\n"
        self.commands.append(argv)
        self._do(argv[1])
        return ""

    def _do(self, verb: str) -> None:
        if verb == "stop":
            self.run = None
        else:
            self.run, self.born = f"run-{len(self.commands) + 1}", self.now

    @property
    def verbs(self) -> list[str]:
        return [argv[1] for argv in self.commands]


def settings(port: int, **more: object) -> Mapping[str, Any]:
    """As the host's configuration has them."""
    one = {"unit": "u.service", "address": "127.0.0.1", "port": port, "path": "/v1/completions"}
    times = {"still": 1200.0, "loading": 1800.0}
    metrics = {
        "counters": [m for engine in ENGINES for m in engine.counters],
        "in_flight": [m for engine in ENGINES for m in engine.in_flight],
    }
    return {**one, "body": {"max_tokens": 1}, "key_file": None, **metrics, **times, **more}
