"""A real Prometheus with the settings that we make, as it asks one host's exporter."""

import datetime
import ipaddress
import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.exporter.launcher import TOKEN
from tests.ports import free_port
from tests.transport.eventually import eventually
from tests.watch.debian import program
from xgen_deploy.state.monitoring import Program, ServerSpec, Target
from xgen_deploy.watch.prometheus import prometheus_config, targets
from xgen_deploy.watch.rules.file import rules_file

ADDRESS = "127.0.0.1"
Series = dict[str, str]


def certificate() -> tuple[str, str]:
    """For this machine: itself, and with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exporter")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, pem + private.decode()


class RunningPrometheus:
    """What it knows, by its own API."""

    def __init__(self, port: int) -> None:
        self._port = port

    def series(self, expr: str) -> list[Series]:
        query = urllib.parse.urlencode({"query": expr})
        return [dict(found["metric"]) for found in self._get(f"query?{query}")["result"]]

    def rule_errors(self) -> list[str]:
        """Those of the last evaluation."""
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]

    def target_errors(self) -> list[str]:
        return [target["lastError"] for target in self._get("targets")["activeTargets"]]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{ADDRESS}:{self._port}/api/v1/{path}") as answer:
            return json.load(answer)["data"]


@contextmanager
def prometheus(
    folder: Path, target: Target, authorities: str, of_vendors: Sequence[int] = ()
) -> Iterator[RunningPrometheus]:
    """It asks every second; `of_vendors` are ports of exporters that somebody else runs."""
    port = free_port()
    spec = ServerSpec(
        prometheus=Program(binary="/usr/bin/prometheus"), port=port, retention="1d", interval=1
    )
    (folder / "token").write_text(TOKEN)
    (folder / "ca.pem").write_text(authorities)
    (folder / "rules.yml").write_text(rules_file())
    (folder / "targets.json").write_text(targets("lotte", [target]))
    foreign = {
        "targets": [f"{ADDRESS}:{port}" for port in of_vendors],
        "labels": {"project": "lotte", "host": target.host},
    }
    (folder / "gpu-vendor.json").write_text(json.dumps([foreign]))
    config = folder / "prometheus.yml"
    config.write_text(prometheus_config(spec, str(folder), str(folder / "token")))
    words = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={ADDRESS}:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        assert eventually(lambda: _is_ready(port)), (folder / "log").read_text()
        yield RunningPrometheus(port)
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}:{port}/-/ready") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
