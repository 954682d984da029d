"""`serve` as it is started: what it prints, how it ends, slow clients, TLS."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from xgen_deploy.serve.security.passwords import is_password

MANIFEST = """
project: p
inventory: {all: {hosts: {here: {ansible_connection: local}}}}
runtime: process
binaries: {llama: /bin/true}
models: {m: {source: /nowhere/m.gguf}}
hosts: {here: [{model: m, gpus: []}]}
"""
# Who sends too slowly is not waited for so long here.
HURRIED = (
    "from xgen_deploy.serve import slow_clients; slow_clients.HEAD_WITHIN = 0.5;"
    "from xgen_deploy.serve.security import gate; gate.BODY_WITHIN = 0.5;"
)
RUN = "import sys; from xgen_deploy.cli.main import run; run(sys.argv[1:])"
Start = Callable[..., subprocess.Popen[str]]
Opener = urllib.request.OpenerDirector


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def start(manifest: Path) -> Iterator[Start]:
    """`serve` over the manifest, once it has said where it listens."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str, program: str = RUN) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", program, "serve", str(manifest), *words]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def link_in(line: str) -> str:
    found = re.search(r"https?://\S+/login/link\?t=\S+", line)
    assert found, line
    return found[0]


def browser(
    context: ssl.SSLContext | None = None,
) -> tuple[urllib.request.OpenerDirector, CookieJar]:
    jar = CookieJar()
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPCookieProcessor(jar)]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers), jar


def log_in(opener: Opener, link: str) -> None:
    """What the page shows is not looked at."""
    with suppress(urllib.error.HTTPError):
        opener.open(link)


def test_one_line_says_where_it_is_and_nothing_is_left_when_it_is_killed(
    start: Start, manifest: Path
) -> None:
    before = {p: p.read_bytes() for p in manifest.parent.iterdir()}
    port = free_port()
    for _ in range(2):  # the second one finds nothing of the first
        process = start("--port", str(port))
        line = first_line(process)
        assert line.startswith("p: http://127.0.0.1:")
        assert line.endswith("(read-only; the link works once, within 10 minutes)\n")
        opener, _ = browser()
        log_in(opener, link_in(line))
        answer = json.load(opener.open(f"http://127.0.0.1:{port}/api/management/gpus"))
        assert answer["hosts"]["here"]["reachable"] is True
        process.kill()
        process.wait()
    assert {p: p.read_bytes() for p in manifest.parent.iterdir()} == before


def test_a_signal_ends_it_well(start: Start) -> None:
    process = start("--port", str(free_port()))
    first_line(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_port_that_is_taken_is_a_sentence(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        assert f"serve: 127.0.0.1:{port}: Address already in use; take another" in first_line(
            process
        )
        assert process.wait(30) == 1


def test_who_sends_too_slowly_is_not_waited_for(start: Start) -> None:
    port = free_port()
    first_line(start("--port", str(port), program=HURRIED + RUN))
    with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as half:
        half.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0")
        assert _ended(half) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as body:
        head = f"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 50\r\n\r\n{{"
        body.sendall(head.encode())
        assert _ended(body).startswith(b"HTTP/1.1 408")
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(2):
        kept.request("GET", "/healthz")
        assert json.load(kept.getresponse()) == {"status": "ok"}
    kept.close()


def _ended(connection: socket.socket) -> bytes:
    received = b""
    while piece := _received(connection):
        received += piece
    return received


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_with_tls_the_cookie_is_for_tls_alone(start: Start, manifest: Path) -> None:
    cert, port = _certificate(manifest.parent), free_port()
    with manifest.open("a") as file:
        file.write("serve: {tls: {cert: cert.pem, key: key.pem}}\n")
    line = first_line(start("--port", str(port)))
    assert line.startswith(f"p: https://127.0.0.1:{port}/")
    opener, jar = browser(ssl.create_default_context(cafile=str(cert)))
    log_in(opener, link_in(line))
    (cookie,) = jar
    assert cookie.name == f"__Host-xgen-serve-{port}"
    assert cookie.secure
    assert json.load(opener.open(f"https://127.0.0.1:{port}/api/session"))["role"] == "admin"


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem"


def test_a_password_is_hashed_without_a_manifest(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "xgen_deploy", "serve", "--hash-password"]
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        argv,
        input="correct horse\ncorrect horse\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
    )
    name, _, hashed = done.stdout.strip().partition(": ")
    assert name == "password_hash"
    assert is_password("correct horse", hashed)
    assert "correct horse" not in done.stdout


def test_without_the_extra_it_says_what_to_install(start: Start) -> None:
    process = start(program=f"import sys; sys.modules['fastapi'] = None; {RUN}")
    said = "serve needs fastapi, which is not installed: `pip install 'xgen-deploy[serve]'`\n"
    assert first_line(process) == said
    assert process.wait(30) == 1
