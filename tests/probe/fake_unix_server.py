"""An HTTP server on a Unix socket that gives prepared answers and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

Answers = Callable[[str, str, bytes], tuple[int, bytes]]


class Asked(list[tuple[str, str, bytes]]):
    """Every request: method, target and body."""

    def bodies(self, target: str) -> list[object]:
        return [json.loads(body) for _, seen, body in self if seen == target]


@contextmanager
def endpoint(
    socket: Path, answers: Answers, server_name: str = "Docker/28.2.2 (linux)"
) -> Iterator[Asked]:
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.command, self.path, body))
            status, content = answers(self.command, self.path, body)
            self.send_response(status)
            if status != 204 and "/attach" not in self.path:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def version_string(self) -> str:
            return server_name

        def log_message(self, *_: object) -> None:
            return

        def address_string(self) -> str:
            return "socket"

    with ThreadingUnixStreamServer(str(socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def routes(table: Mapping[str, object]) -> Answers:
    """Answers by `METHOD /path`, the query left out; JSON unless bytes; anything else is 404."""

    def answer(method: str, target: str, _body: bytes) -> tuple[int, bytes]:
        key = f"{method} {target.split('?')[0]}"
        if key not in table:
            return 404, json.dumps({"message": f"No such thing: {target}"}).encode()
        value = table[key]
        status, content = value if isinstance(value, tuple) else (200, value)
        return status, content if isinstance(content, bytes) else json.dumps(content).encode()

    return answer
