"""A Docker daemon in memory, behind a unix socket: as much of it as takes images."""

from __future__ import annotations

import io
import json
import re
import socketserver
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class FakeDocker:
    """`images` by name or ID, as `inspect` tells them. `says` is what a load is answered with, in
    place of the truth; `hollow`: no container can be made of what it took. `layers` are digests
    that it has. `asked` are pulls' headers. `registry` are archives of what can be pulled, by their
    full names; these can be saved then, by the short ones."""

    images: dict[str, Any] = field(default_factory=dict)
    containers: dict[str, Any] = field(default_factory=dict)
    says: str | None = None
    hollow: bool = False
    lacks: bool = False
    layers: frozenset[str] = frozenset()
    loads: list[list[str]] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    registry: dict[str, bytes] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)

    def names(self) -> set[str]:
        return {name for name in self.images if not name.startswith("sha256:")}

    def listed(self) -> list[dict[str, Any]]:
        """The images, each with its names."""
        names: dict[str, list[str]] = {}
        for name, image in self.images.items():
            names.setdefault(image["Id"], []).extend([] if name.startswith("sha256:") else [name])
        return [
            {
                "Id": ident,
                "RepoTags": [name for name in given if "@" not in name],
                "RepoDigests": [name for name in given if "@" in name],
            }
            for ident, given in names.items()
        ]

    def create(self, body: dict[str, Any]) -> str:
        ident = f"c{len(self.containers)}"
        self.containers[ident] = body
        return ident

    def load(self, content: bytes) -> str:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = tar.getnames()
            self.loads.append(members)
            (saved,) = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
            config = json.loads(tar.extractfile(saved["Config"]).read())  # type: ignore[union-attr]
        if self.says is not None:
            if self.says.startswith("Error unpacking"):
                self._take(saved["RepoTags"][0], "sha256:broken", [])
            return self.says
        ident = "sha256:" + saved["Config"].rpartition("/")[2]
        self._take(saved["RepoTags"][0], ident, config["rootfs"]["diff_ids"])
        return "Loaded"

    def pull(self, reference: str) -> str | None:
        """What went wrong."""
        if reference in self.registry:
            name = reference.removeprefix("docker.io/")
            self.archives[name] = self.registry[reference]
            self._take(name, "sha256:pulled", [])
            return None
        if self.registry:
            return f"{reference}: not found"
        if not reference.startswith("127.0.0.1:"):
            self._take(reference, "sha256:pulled", [])
            return None
        place, _, digest = reference.partition("@")
        host, _, repository = place.partition("/")
        base = f"http://{host}/v2/{repository}"
        manifest = json.loads(self._get(f"{base}/manifests/{digest}"))
        config = json.loads(self._get(f"{base}/blobs/{manifest['config']['digest']}"))
        for layer in manifest["layers"]:
            if layer["digest"] not in self.layers:
                try:
                    self._get(f"{base}/blobs/{layer['digest']}")
                except OSError as error:
                    return f"failed to fetch: {error}"
                self.got.append(layer["digest"])
        self._take(reference, digest, config["rootfs"]["diff_ids"])
        return None

    def tag(self, ident: str, name: str) -> None:
        self.images[name] = self.images[ident]

    def _take(self, name: str, ident: str, layers: list[str]) -> None:
        self.images[name] = self.images[ident] = {"Id": ident, "RootFS": {"Layers": layers}}

    def _get(self, url: str) -> bytes:
        with urllib.request.urlopen(url) as answer:
            content: bytes = answer.read()
            return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    docker: FakeDocker

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        self.path = re.sub(r"^/v[0-9.]+", "", getattr(self, "path", ""))
        return parsed

    def do_GET(self) -> None:
        if self.path == "/version":
            return self._answer({"ApiVersion": "1.41"})
        if self.path.endswith("/get"):
            return self._send(200, self.docker.archives[_name(self.path, "/get")])
        if self.path.startswith("/containers/json"):
            query = parse_qs(urlsplit(self.path).query)
            (label,) = json.loads(query["filters"][0])["label"]
            found = [c for c, body in self.docker.containers.items() if label in body["Labels"]]
            return self._answer([{"Id": ident} for ident in found])
        if self.path == "/images/json":
            return self._answer(self.docker.listed())
        return self._answer(self.docker.images.get(_name(self.path)))

    def do_DELETE(self) -> None:
        if self.path.startswith("/containers/"):
            self.docker.containers.pop(urlsplit(self.path).path.rpartition("/")[2], None)
        if self.path.startswith("/images/"):
            self.docker.images.pop(_name(self.path), None)
        self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        url, docker = urlsplit(self.path), self.docker
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/images/load":
            self._answer({"stream": docker.load(body)})
        elif url.path == "/images/create":
            docker.asked.append(self.headers.get("X-Registry-Auth"))
            tag = f":{query['tag']}" if "tag" in query else ""
            wrong = docker.pull(query["fromImage"] + tag)
            self._answer({"status": "done"} if wrong is None else {"error": wrong})
        elif url.path == "/containers/create":
            self._answer(None if docker.hollow else {"Id": docker.create(json.loads(body))})
        else:
            docker.tag(_name(url.path, "/tag"), f"{query['repo']}:{query['tag']}")
            self._answer({})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, value: Any) -> None:
        content = (
            json.dumps({"message": "no such thing"} if value is None else value).encode() + b"\n"
        )
        self._send(200 if value is not None else 404, content)

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def listening(docker: FakeDocker, socket: Path) -> Iterator[None]:
    handler = type("Handler", (_Handler,), {"docker": docker})
    server = _Server(str(socket), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _name(path: str, end: str = "/json") -> str:
    return unquote(urlsplit(path).path.removeprefix("/images/").removesuffix(end))
