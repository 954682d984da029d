"""What Grafana reads: its settings, where Prometheus is, and the dashboards. Pure."""

import configparser
import io
import ipaddress
from dataclasses import dataclass

from xgen_deploy.state.monitoring import ServerSpec
from xgen_deploy.watch.dashboards.files import dashboard_files, datasource_uid
from xgen_deploy.watch.yaml_text import yaml_text


@dataclass(frozen=True)
class GrafanaPaths:
    """As Grafana sees them: `folder` with what is made here, `data` that it may write to, its
    certificate and key, and who it is to Prometheus: a user and the file with the password.
    """

    folder: str
    data: str = ""
    cert: str | None = None
    key: str | None = None
    login: tuple[str, str] | None = None


def grafana_files(project: str, spec: ServerSpec, paths: GrafanaPaths) -> dict[str, str]:
    """By path in `folder`. A Grafana that is there already keeps its own settings."""
    dashboards = f"xgen-{project}"
    files = {
        f"datasources/xgen-{project}.yaml": _datasource(project, spec, paths),
        f"dashboards/xgen-{project}.yaml": _provider(project, f"{paths.folder}/{dashboards}"),
        **{f"{dashboards}/{name}": text for name, text in dashboard_files(project).items()},
    }
    grafana = spec.grafana
    if grafana is not None and grafana.provision is None:
        files["grafana.ini"] = _settings(spec, grafana.port, paths)
    return files


def _datasource(project: str, spec: ServerSpec, paths: GrafanaPaths) -> str:
    """Both are on one host. Prometheus' certificate is for the names that others know it by."""
    is_encrypted = spec.tls is not None
    entry: dict[str, object] = {
        "name": f"xgen-deploy {project}",
        "uid": datasource_uid(project),
        "type": "prometheus",
        "access": "proxy",
        "url": f"http{'s' * is_encrypted}://{_local(spec.listen)}:{spec.port}",
        "editable": False,
        "jsonData": {
            "httpMethod": "POST",
            "timeInterval": f"{round(spec.interval)}s",
            **({"tlsSkipVerify": True} if is_encrypted else {}),
        },
    }
    if paths.login is not None:
        user, password = paths.login
        entry |= {
            "basicAuth": True,
            "basicAuthUser": user,
            "secureJsonData": {"basicAuthPassword": f"$__file{{{password}}}"},
        }
    return yaml_text({"apiVersion": 1, "datasources": [entry]})


def _local(listen: str) -> str:
    address = ipaddress.ip_address(listen)
    if address.is_unspecified:
        return "[::1]" if address.version == 6 else "127.0.0.1"
    return f"[{listen}]" if address.version == 6 else listen


def _provider(project: str, folder: str) -> str:
    return yaml_text(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": f"xgen-deploy {project}",
                    "folder": f"xgen-deploy {project}",
                    "type": "file",
                    "disableDeletion": True,
                    "allowUiUpdates": False,
                    "options": {"path": folder},
                }
            ],
        }
    )


def _settings(spec: ServerSpec, port: int, paths: GrafanaPaths) -> str:
    """Nobody is let in without a login, and nothing is asked of the Internet."""
    is_encrypted = paths.cert is not None and paths.key is not None
    tls = {"cert_file": paths.cert or "", "cert_key": paths.key or ""} if is_encrypted else {}
    sections: dict[str, dict[str, str]] = {
        "paths": {"provisioning": paths.folder, **({"data": paths.data} if paths.data else {})},
        "server": {
            "protocol": "https" if is_encrypted else "http",
            "http_addr": spec.listen,
            "http_port": str(port),
            **tls,
        },
        "security": {
            "admin_user": "admin",
            "cookie_secure": str(is_encrypted).lower(),
            "cookie_samesite": "strict",
            "disable_gravatar": "true",
            "strict_transport_security": str(is_encrypted).lower(),
        },
        "users": {"allow_sign_up": "false", "allow_org_create": "false"},
        "auth.anonymous": {"enabled": "false"},
        "analytics": {
            "enabled": "false",
            "reporting_enabled": "false",
            "check_for_updates": "false",
            "check_for_plugin_updates": "false",
            "feedback_links_enabled": "false",
        },
        "plugins": {
            "plugin_admin_enabled": "false",
            "preinstall_disabled": "true",
            "public_key_retrieval_disabled": "true",
        },
        "news": {"news_feed_enabled": "false"},
        "snapshots": {"external_enabled": "false", "enabled": "false"},
        "log": {"mode": "console"},
    }
    # Grafana's own syntax: `%` stands for itself.
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
