"""What the recorded instances' health endpoints say, each asked once."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE = 3.0
SHOWN = 2000
LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def health(record: str | None) -> dict[str, Any]:
    """`record` is the text of the project's record. Raises ValueError where it is not JSON."""
    instances = json.loads(record)["instances"] if record else {}
    if not instances:
        return {"health": []}
    with ThreadPoolExecutor(len(instances)) as pool:
        return {"health": list(pool.map(_one, instances, instances.values()))}


def _one(name: str, recorded: dict[str, Any]) -> dict[str, Any]:
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
