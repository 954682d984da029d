"""What the recorded instances' health endpoints say, and their logs since a restart."""

from __future__ import annotations

import http.client
import json
from typing import Any

from xgen_deploy.probe.remote.parts import side_by_side
from xgen_deploy.probe.remote.start_log import program_log, unit_log, unit_run

PATIENCE = 3.0
SHOWN = 2000
LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def health(record: str | None, project: str, process_dir: str | None) -> dict[str, Any]:
    """`record` is the text of the project's record. Raises ValueError where it is not JSON."""
    instances = json.loads(record)["instances"] if record else {}

    def one(instance: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        name, recorded = instance
        started = _started(name, recorded, project, process_dir)
        return dict(_asked(name, recorded), **started)

    return {"health": side_by_side(one, list(instances.items()))}


def _started(
    name: str, recorded: dict[str, Any], project: str, process_dir: str | None
) -> dict[str, Any]:
    """The log of the current start, where it is another one than the recorded."""
    if process_dir is not None:
        return {"run": None, "log": program_log(process_dir, name)}
    unit = f"xgen-{project}-{name}.service"
    now = unit_run(unit)
    if now is None or now == recorded.get("invocation"):
        return {"run": now, "log": None}
    return {"run": now, "log": unit_log(unit, now)}


def _asked(name: str, recorded: dict[str, Any]) -> dict[str, Any]:
    spec = recorded["spec"]
    listen = spec.get("listen", "127.0.0.1")
    path = recorded.get("health_path", "/health")
    connection = http.client.HTTPConnection(LOCAL.get(listen, listen), spec["port"], PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(SHOWN).decode("utf-8", "replace")
        return {"instance": name, "status": answer.status, "body": body}
    except (OSError, http.client.HTTPException) as error:
        return {"instance": name, "status": 0, "body": str(error) or type(error).__name__}
    finally:
        connection.close()
