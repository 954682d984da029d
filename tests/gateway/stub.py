"""An engine's HTTP side for tests: tells what it was sent, and waits where it is told to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Long, so that on a busy machine no answer comes before its test wants it.
PATIENCE = 120.0


class Engine:
    """Listens on a free port of loopback from the start. `next_part` lets one more part of a
    streamed answer go; `release` lets requests with `hold` be answered.
    """

    def __init__(self, name: str, *, health_path: str = "/health") -> None:
        self.name = name
        self.health_path = health_path
        self.healthy = True
        self.unknown: set[str] = set()  # models that it does not have
        self.seen: list[dict[str, Any]] = []
        self.arrived = threading.Semaphore(0)
        self.next_part = threading.Semaphore(0)
        self.release = threading.Event()
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a connection that does not fit is refused, and its server is down

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is nobody's fault."""


def _handler(engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            healthy = engine.healthy and self.path == engine.health_path
            self._answer(200 if healthy else 503, {"status": "ok" if healthy else "loading"})

        def do_POST(self) -> None:
            body = self._body()
            try:
                asked = json.loads(body)
            except ValueError:
                asked = {}
            told = {
                "model": asked.get("model"),
                "served_by": engine.name,
                "path": self.path,
                "length": len(body),
                "choices": ["a"],
                "authorization": self.headers.get("Authorization"),
                "x_api_key": self.headers.get("X-Api-Key"),
                "origin": self.headers.get("Origin"),
                "forwarded_for": self.headers.get("X-Forwarded-For"),
            }
            engine.seen.append(told)
            engine.arrived.release()
            if asked.get("hold"):
                engine.release.wait(PATIENCE)
            if asked.get("model") in engine.unknown:
                self._answer(404, {"error": {"message": "the model does not exist"}})
            elif asked.get("stream"):
                self._stream(asked["stream"])
            else:
                self._answer(200, told)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        def _stream(self, parts: int) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(parts):
                engine.next_part.acquire(timeout=PATIENCE)
                text = f"data: {number}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def _answer(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Access-Control-Allow-Origin", "*")  # as llama-server and vLLM do
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
