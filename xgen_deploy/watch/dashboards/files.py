"""The dashboards' files, as Grafana provisions them. Pure."""

import hashlib
import json
from typing import Any

from xgen_deploy.watch.dashboards.fleet import FLEET
from xgen_deploy.watch.dashboards.gateway import GATEWAY
from xgen_deploy.watch.dashboards.models import MODELS_DASHBOARD
from xgen_deploy.watch.dashboards.panel import SCHEMA_VERSION, Dashboard, Variable, panels_json
from xgen_deploy.watch.dashboards.vendors import VENDORS

DASHBOARDS = (FLEET, MODELS_DASHBOARD, GATEWAY, VENDORS)


def dashboard_files(project: str) -> dict[str, str]:
    """By file name. One Grafana can have those of several projects."""
    return {
        f"{dashboard.name}.json": json.dumps(dashboard_json(dashboard, project), indent=2) + "\n"
        for dashboard in DASHBOARDS
    }


def datasource_uid(project: str) -> str:
    return f"xgen-{hashlib.sha256(project.encode()).hexdigest()[:12]}"


def dashboard_json(dashboard: Dashboard, project: str) -> dict[str, Any]:
    return {
        "uid": f"{datasource_uid(project)}-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["xgen-deploy", project],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [_datasource(project), *map(_variable, dashboard.variables)],
        },
        "panels": list(panels_json(dashboard.rows)),
    }


def _datasource(project: str) -> dict[str, Any]:
    """The project's own Prometheus, unless another one is chosen."""
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": f"xgen-deploy {project}", "value": datasource_uid(project)},
        "hide": 0,
        "multi": False,
        "includeAll": False,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": variable.query, "refId": variable.name},
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "refresh": 2,
        "sort": 1,
    }
