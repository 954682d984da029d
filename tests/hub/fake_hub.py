"""A stand-in for Hugging Face's hub on loopback: its API, its downloads, and how they fail.
The real client accepts it (test_real_client.py).
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40
_LARGE = 1000
_BLOCK = 1 << 14


@dataclass
class Repository:
    """`files` by path. `token`: who sends no such one is refused."""

    files: dict[str, bytes]
    commit: str = COMMIT
    token: str | None = None
    license: str = "apache-2.0"


@dataclass
class Seen:
    """A request: `token` is the header as it came, `start` the first byte asked for."""

    method: str
    path: str
    token: str | None
    start: int


@dataclass
class FakeHub:
    """`cuts`: after so many bytes of a file's answer the connection breaks, once for each item.
    `wrong`: a file's bytes as they are sent, in place of what the API says. `no_ranges`: every
    answer begins at the first byte. `redirect`: downloads are sent to this address. `etags`: a
    file's, instead of its digest. `kinds`: a file's Content-Type. `before`: called before each
    block of a file is sent, with the file's path and the block's first byte.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    wrong: dict[str, bytes] = field(default_factory=dict)
    no_ranges: bool = False
    redirect: str | None = None
    etags: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    before: Callable[[str, int], None] = lambda *_: None
    seen: list[Seen] = field(default_factory=list)
    sent: int = 0
    address: str = "127.0.0.1"
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def downloads(self, path: str) -> list[Seen]:
        return [s for s in self.seen if s.path.endswith(path) and "/resolve/" in s.path]


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    server = ThreadingHTTPServer((hub.address, 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Nothing."""

    def handle(self) -> None:
        with suppress(ConnectionError):  # whoever asked was killed
            super().handle()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        given = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(given[1]) if given else 0
        token = self.headers.get("Authorization")
        self.hub.seen.append(Seen(self.command, path, token, start))
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/(.+)", path):
            return self._api(match[1], match[2], match[3])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(match[1], match[3], start)
        if match := re.fullmatch(r"/files/(.+)", path):
            return self._plain(match[1], start)
        return self._error(404)

    def _repository(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._error(404, "RepoNotFound")
        elif repository.token and self.headers.get("Authorization") != f"Bearer {repository.token}":
            self._error(401, "GatedRepo")
            return None
        return repository

    def _api(self, name: str, kind: str, revision: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return None
        if revision not in ("main", repository.commit):
            return self._error(404, "RevisionNotFound")
        if kind == "revision":
            siblings = [{"rfilename": path} for path in repository.files]
            gated = "auto" if repository.token else False
            card = {"license": repository.license}
            value: object = {
                "id": name,
                "sha": repository.commit,
                "siblings": siblings,
                "gated": gated,
                "cardData": card,
            }
        else:
            value = [_entry(path, data) for path, data in repository.files.items()]
        self._send(json.dumps(value).encode(), "application/json")
        return None

    def _file(self, name: str, path: str, start: int) -> None:
        repository = self._repository(name)
        if repository is None:
            return None
        if path not in repository.files:
            return self._error(404, "EntryNotFound")
        data = self.hub.wrong.get(path, repository.files[path])
        etag = sha256(repository.files[path])
        if self.hub.redirect is not None:
            self.send_response(302)
            self.send_header("Location", f"{self.hub.redirect}/files/{path}")
            self.send_header("X-Repo-Commit", repository.commit)
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self._bytes(path, data, etag, start, {"X-Repo-Commit": repository.commit})
        return None

    def _plain(self, path: str, start: int) -> None:
        for repository in self.hub.repositories.values():
            if path in repository.files:
                data = self.hub.wrong.get(path, repository.files[path])
                return self._bytes(path, data, sha256(data), start, {})
        return self._error(404)

    def _bytes(
        self, path: str, data: bytes, etag: str, start: int, headers: dict[str, str]
    ) -> None:
        etag = self.hub.etags.get(path, etag)
        unchanged = self.headers.get("If-Range", f'"{etag}"') == f'"{etag}"'
        if self.hub.no_ranges or not unchanged:
            start = 0
        self.send_response(206 if start else 200)
        if path in self.hub.kinds:
            self.send_header("Content-Type", self.hub.kinds[path])
        for key, value in {**headers, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}.items():
            self.send_header(key, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        cuts = self.hub.cuts.get(path, [])
        end = min(len(data), start + cuts.pop(0)) if cuts else len(data)
        for block in range(start, end, _BLOCK):
            self.hub.before(path, block)
            sent = self.wfile.write(data[block : min(end, block + _BLOCK)])
            self.hub.sent += sent
        if end < len(data):
            self.close_connection = True
            self.connection.close()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, status: int, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _entry(path: str, data: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": path,
        "size": len(data),
        "oid": git_blob(data),
    }
    if len(data) > _LARGE:
        entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
    return entry
