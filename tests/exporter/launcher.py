"""The exporter as systemd would start it: a socket at descriptor 3, and credentials in a folder."""

import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.transfer.identity import new_identity
from xgen_deploy.watch.program import exporter_program

TOKEN = "t" * 43
NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
# What systemd does: the socket at 3, one of them, for this process.
_EXEC = (
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.set_inheritable(3, True)\n"
    "os.environ['LISTEN_PID'] = str(os.getpid())\n"
    "os.execv(sys.executable, [sys.executable, '-I', *sys.argv[2:]])\n"
)


def settings(**more: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "format": 1,
        "project": "demo",
        "host": "gpu-a",
        "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
        "facts": "/nonexistent/facts.json",
        "textfile": None,
        "software_gpu": 0,
        "reserved_mb": None,
        "gateway": None,
        "engines": [],
    }
    return plain | more


def engine(port: int, **more: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "instance": "m",
        "model": "qwen",
        "address": "127.0.0.1",
        "port": port,
        "page": "llamacpp",
        "health_path": "/health",
        "credential": None,
        "key_file": None,
        "key_pattern": None,
        "unit": "xgen-demo-m.service",
        "objectives": {},
    }
    return plain | more


@dataclass(frozen=True)
class Exporter:
    port: int
    process: subprocess.Popen[bytes]

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return context.wrap_socket(plain)

    def ask(self, head: str, patience: float = 20) -> str:
        with self.connect() as connection:
            connection.settimeout(patience)
            connection.sendall(head.encode("latin-1"))
            answer = b""
            while piece := connection.recv(1 << 16):
                answer += piece
        return answer.decode()

    def page(self, token: str = TOKEN) -> str:
        answer = self.ask(f"GET /metrics HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n")
        head, _, body = answer.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 "), answer
        return body


def _python() -> str:
    """Root's own may be out of others' reach."""
    return SYSTEM_PYTHON if os.access(SYSTEM_PYTHON, os.X_OK) else sys.executable


@contextmanager
def exporter(
    document: dict[str, object],
    keys: dict[str, str] | None = None,
    idle: float = 60,
    facts: str | None = None,
) -> Iterator[Exporter]:
    """As nobody, where the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        files = dict(keys or {})
        if facts is not None:
            files["facts.json"] = facts
            document = {**document, "facts": f"{folder}/facts.json"}
        _fill(Path(folder), document, files)
        with _running(Path(folder), idle) as running:
            yield running


def _fill(folder: Path, document: dict[str, object], files: dict[str, str]) -> None:
    folder.chmod(0o755)
    for name, text in {
        "program": exporter_program(),
        "settings": json.dumps(document),
        "tls.pem": new_identity().pem,
        **files,
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o444)


@contextmanager
def _running(folder: Path, idle: float) -> Iterator[Exporter]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        words = [str(listener.fileno()), str(folder / "program"), "exporter"]
        variables = {"LISTEN_FDS": "1", "CREDENTIALS_DIRECTORY": str(folder)}
        environment = {**os.environ, **variables, "IDLE_SECONDS": str(idle)}
        rights = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if not os.geteuid() else {}
        process = subprocess.Popen(
            [_python(), "-c", _EXEC, *words],
            pass_fds=[listener.fileno()],
            env=environment,
            **rights,  # type: ignore[call-overload]
        )
        try:
            yield Exporter(listener.getsockname()[1], process)
        finally:
            process.kill()
            process.wait()


def values(page: str) -> dict[str, float]:
    """By series, without what is common to all."""
    told = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            series = series.replace('project="demo",host="gpu-a"', "").replace("{,", "{")
            told[series.replace("{}", "")] = float(value)
    return told
