"""What Prometheus reads: its settings, who may ask it, and whom it asks. Pure."""

import ipaddress
import json
from collections.abc import Iterable, Mapping

from xgen_deploy.state.monitoring import ServerSpec, Target
from xgen_deploy.watch.yaml_text import yaml_text

RULES_FILE = "rules.yml"
TARGETS_FILE = "targets.json"
AUTHORITIES_FILE = "ca.pem"
JOB = "xgen"
# More of one host is refused whole.
_SAMPLES, _PAGE = 200_000, "64MB"
# Exporters that the tool does not run: job -> the file of targets, which whoever runs them writes.
FOREIGN = {"node": "node.json", "gpu-vendor": "gpu-vendor.json"}


def prometheus_config(spec: ServerSpec, folder: str, token: str) -> str:
    """`folder` is where Prometheus finds its other files, `token` the file of what it shows to
    exporters.
    """
    config: dict[str, object] = {
        "global": {
            "scrape_interval": _duration(spec.interval),
            "scrape_timeout": _duration(min(10.0, spec.interval)),
            "evaluation_interval": _duration(spec.interval),
        },
        "rule_files": [f"{folder}/{RULES_FILE}"],
        "scrape_configs": [
            _exporters(folder, token),
            *(_foreign(job, f"{folder}/{file}") for job, file in FOREIGN.items()),
        ],
    }
    if spec.alerts is not None:
        address = f"127.0.0.1:{spec.alerts.port}"
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
    return yaml_text(config)


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _exporters(folder: str, token: str) -> dict[str, object]:
    """Project and host are those of the target, whatever it says. `instance` is what it says, and
    never the address that was asked.
    """
    return {
        "job_name": JOB,
        "scheme": "https",
        "sample_limit": _SAMPLES,
        "body_size_limit": _PAGE,
        "authorization": {"credentials_file": token},
        "tls_config": {"ca_file": f"{folder}/{AUTHORITIES_FILE}"},
        "file_sd_configs": [{"files": [f"{folder}/{TARGETS_FILE}"]}],
        "metric_relabel_configs": [
            {"source_labels": ["exported_instance"], "target_label": "instance"},
            {"regex": "exported_(project|host|instance|job)", "action": "labeldrop"},
        ],
    }


def _foreign(job: str, file: str) -> dict[str, object]:
    """What a node exporter passes on of ours is known already."""
    return {
        "job_name": job,
        "file_sd_configs": [{"files": [file]}],
        "metric_relabel_configs": [
            {"source_labels": ["__name__"], "regex": "xgen_.*", "action": "drop"}
        ],
    }


def targets(project: str, exporters: Iterable[Target]) -> str:
    """The exporters as file-based service discovery."""
    entries = [
        {
            "targets": [f"{_host_part(target.address)}:{target.port}"],
            "labels": {"project": project, "host": target.host},
        }
        for target in exporters
    ]
    return json.dumps(entries, indent=2) + "\n"


def _host_part(address: str) -> str:
    try:
        is_v6 = ipaddress.ip_address(address).version == 6
    except ValueError:
        return address
    return f"[{address}]" if is_v6 else address


def web_config(cert: str | None, key: str | None, hashes: Mapping[str, str]) -> str:
    """`cert` and `key` are files as Prometheus sees them, `hashes` users' passwords by bcrypt."""
    config: dict[str, object] = {}
    if cert is not None and key is not None:
        config["tls_server_config"] = {"cert_file": cert, "key_file": key}
    if hashes:
        config["basic_auth_users"] = dict(hashes)
    return yaml_text(config)
