"""A stand-in for ModelScope on loopback, as its own client (modelscope_hub 0.5.1) reads it: a list
of files, and downloads that it redirects to another server.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.hub.fake_hub import sha256

FIRST, LATEST = "1" * 40, "2" * 40


@dataclass
class FakeModelScope:
    """One repository, whose `files` were all but the last changed by the first commit. `store` is
    where downloads are redirected to. `entry` goes over each file's entry, `latest` is how the
    latest commit begins."""

    name: str
    files: dict[str, bytes]
    store: str = ""
    entry: dict[str, object] = field(default_factory=dict)
    latest: str | None = LATEST[:8]
    seen: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listed(self) -> dict[str, object]:
        commits = [FIRST] * (len(self.files) - 1) + [LATEST]
        entries: list[dict[str, object]] = [{"Path": "sub", "Name": "sub", "Type": "tree"}]
        for (path, data), commit in zip(self.files.items(), commits, strict=True):
            entry = {
                "Path": path,
                "Name": path.rpartition("/")[2],
                "Type": "blob",
                "Size": len(data),
                "Sha256": sha256(data),
                "Revision": commit,
                "IsLFS": len(data) > 1000,
            }
            entries.append(entry | self.entry)
        latest = {"ShortId": self.latest, "Title": "x"} if self.latest else None
        return {"Files": entries, "LatestCommitter": latest}


@contextmanager
def serving(hub: FakeModelScope) -> Iterator[FakeModelScope]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeModelScope
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.hub.seen.append(self.path)
        base = f"/api/v1/models/{self.hub.name}"
        if asked.get("Revision") not in ("master", FIRST, LATEST):
            return self._json(404, {"Code": 10010205001, "Success": False, "Message": "not found"})
        if unquote(parts.path) == f"{base}/repo/files":
            return self._json(200, {"Code": 200, "Success": True, "Data": self.hub.listed()})
        if unquote(parts.path) == f"{base}/repo" and asked.get("FilePath") in self.hub.files:
            self.send_response(302)
            self.send_header("Location", f"{self.hub.store}/files/{quote(asked['FilePath'])}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        return self._json(404, {"Code": 10010205001, "Success": False, "Message": "not found"})

    def _json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
