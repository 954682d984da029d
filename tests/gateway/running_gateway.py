"""A gateway that really runs: HAProxy on a free port, from a configuration that we rendered."""

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.stub import PATIENCE, Engine
from tests.ports import free_port
from tests.transport.eventually import eventually
from xgen_deploy.gateway.config import Limits, Places, config_text, keys_text
from xgen_deploy.gateway.keys import GatewayKeys, client_digest
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.host import Host
from xgen_deploy.state.routes import build_routes
from xgen_deploy.state.settings import GatewayTLS, SecretRef
from xgen_deploy.transport.base import HostError, Reply
from xgen_deploy.transport.remote import unix_socket, web
from xgen_deploy.verify.haproxy_socket import HaproxySocket

PROOF_KEY = "own-key-of-the-gateway"
HOST = Host(name="here")
CLIENT_KEY = SecretRef(env="DOOR")
ENGINE_KEY = SecretRef(env="ENGINE")
CLIENT = "sk-door"
ENGINE = "sk-\"eng'ine%d\\ $HOME"
TEMPLATES = Templates(read_templates())


def haproxy() -> str:
    """Skips the test where there is none."""
    found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("haproxy is not installed here (apt-get install haproxy)")
    return found


def endpoint(engine: Engine, model: str, **more: Any) -> Endpoint:
    known = {"host": "here", "instance": engine.name, "model": model, "port": engine.port}
    return Endpoint.model_validate(known | more)


class Local:
    """The part of a session that the runtime socket needs, on this machine."""

    def ask_socket(self, path: str, sent: bytes, *, timeout: float) -> bytes:
        try:
            answered = unix_socket.ask_socket(path, b64encode(sent).decode(), timeout)
        except OSError as error:
            raise HostError("here", error.strerror or str(error)) from None
        return b64decode(answered["answer"])

    def request(self, method: str, address: str, port: int, path: str, **more: Any) -> Reply:
        body = b64encode(more.pop("body", b"")).decode()
        got = web.request(method, address, port, path, body, **more)
        return Reply(got["status"], b64decode(got["body"]))


class Answer:
    """A whole HTTP answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class RunningGateway:
    """`start` it, ask it, `change` its routes, `stop` it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.port = free_port()
        self.spec = GatewaySpec.model_validate({"binary": "haproxy", "port": self.port} | settings)
        self.runtime = HaproxySocket("here", Local(), str(folder / "s"))  # type: ignore[arg-type]
        self._process: subprocess.Popen[bytes] | None = None
        self.limits = replace(Limits.of(self.spec), threads=2)

    def set(
        self, instances: list[Endpoint], fallback: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Writes the configuration for these instances."""
        models = {one.model: () for one in instances} | dict(fallback or {})
        routes = build_routes(HOST, {"here": HOST}, instances, models).models
        self.spec = self.spec.model_copy(update={"routes": routes})
        places = Places(str(self.folder / "s"), str(self.folder / "tls.pem"))
        text = config_text(self.spec, places, TEMPLATES, self.limits)
        (self.folder / "haproxy.cfg").write_text(text)
        engines = {r.model: SecretText(ENGINE) for r in self.spec.routes if r.api_key}
        clients = {c.name: client_digest(SecretText(f"sk-{c.name}")) for c in self.spec.clients}
        common = client_digest(SecretText(CLIENT))
        known = GatewayKeys(engines, common, clients, SecretText(PROOF_KEY))
        keys = keys_text(self.spec, known, TEMPLATES)
        (self.folder / "keys.cfg").write_text(keys)

    def check(self) -> str:
        """What HAProxy says against the configuration; nothing is fine."""
        argv = [haproxy(), "-c", *self._files()]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr if done.returncode else ""

    def start(self) -> None:
        log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [haproxy(), "-W", *self._files()], stdout=log, stderr=subprocess.STDOUT
        )
        assert eventually(self._answers), (self.folder / "log").read_text()
        assert eventually(self._settled), self.runtime.ask("show stat")
        # Before this the master would miss a signal; a unit is told by Type=notify.
        assert eventually(lambda: "Loading success" in self.log()), self.log()

    def reload(self) -> None:
        """New worker, as a unit's reload does it. A master that has just started may miss the first
        signal.
        """
        process, before = self._process, self.runtime.info().pid
        assert process is not None

        def sent() -> bool:
            process.send_signal(signal.SIGUSR2)
            return eventually(lambda: self._answers() and self.runtime.info().pid != before, 10)

        assert eventually(sent)

    def reload_in_vain(self) -> None:
        """A reload that fails: the master tells so."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR2)
        assert eventually(lambda: "Fatal errors" in self.log()), self.log()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)

    def connect(self, **more: Any) -> http.client.HTTPConnection:
        if self.spec.tls:
            context = ssl.create_default_context(cafile=str(self.folder / "tls.pem"))
            return http.client.HTTPSConnection(
                "localhost", self.port, timeout=PATIENCE, context=context
            )
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, **more)

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`body` that is no text or bytes goes as JSON."""
        sent = body if isinstance(body, bytes | str) else json.dumps(body, ensure_ascii=False)
        connection = self.connect()
        data = sent.encode() if isinstance(sent, str) else sent
        try:
            connection.request(method, path, None if body is None else data, dict(headers or {}))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def raw(self, *parts: bytes) -> bytes:
        """All that comes back for these bytes, until the gateway closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as sock:
            return sent_raw(sock, *parts)

    def state(self, server: str) -> Any:
        return next(s for s in self.runtime.servers() if s.name == f"here.{server}")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _files(self) -> list[str]:
        return ["-f", str(self.folder / "keys.cfg"), "-f", str(self.folder / "haproxy.cfg")]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder / "s")) == 0

    def _settled(self) -> bool:
        """Every server's first health check is over."""
        rows = self.runtime.ask("show stat").splitlines()
        return not any(",INI," in row or "no check" in row for row in rows)


def sent_raw(sock: socket.socket, *parts: bytes) -> bytes:
    """All that comes back for these bytes, until the other side closes."""
    found = b""
    try:
        for part in parts:
            sock.sendall(part)
        while chunk := sock.recv(1 << 16):
            found += chunk
    except ConnectionError:  # closed before it had read everything
        pass
    return found


def tls_settings(folder: Path) -> GatewayTLS:
    """A certificate for localhost, by the machine's own openssl."""
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    argv += ["-keyout", str(folder / "tls.pem.key"), "-out", str(folder / "tls.pem")]
    subprocess.run(argv, capture_output=True, check=True)
    return GatewayTLS(cert="/etc/tls/cert.pem", key="/etc/tls/key.pem")
