"""What the recorded instances' health endpoints say, and their logs since a restart."""

from __future__ import annotations

import http.client
import re
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.files import RECORD
from xgen_deploy.probe.remote.parts import side_by_side
from xgen_deploy.probe.remote.start_log import program_log, unit_log, unit_run

PATIENCE = 3.0
SHOWN = 2000
MOST = 500  # instances
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
SECOND = ".b"  # the slot, as layout.py has it
LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def health(record: str | None, asked: dict[str, Any]) -> dict[str, Any]:
    """`record` is the text of the project's record. Raises ValueError where it is not JSON."""
    instances = read_json(record, RECORD)["instances"] if record else {}

    def health(instance: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        name, recorded = instance
        return dict(_asked(name, recorded), **_started(name, recorded, asked))

    return {"health": side_by_side(health, [i for i in instances.items() if _sensible(*i)][:MOST])}


def _sensible(name: str, recorded: Any) -> bool:
    """What the tool can have written: all else in a record is nobody's instance."""
    spec = recorded.get("spec") if isinstance(recorded, dict) else None
    if not NAME.fullmatch(name) or not isinstance(spec, dict):
        return False
    texts = (spec.get("listen", ""), recorded.get("health_path", ""))
    port = spec.get("port")
    known = isinstance(port, int) and 0 < port < 1 << 16
    return known and all(isinstance(text, str) for text in texts)


def unit_of(name: str, slot: object, asked: dict[str, Any]) -> str:
    """The unit as the request names it; of an instance that the manifest has no more, by its
    plain name.
    """
    service = "xgen-{}-{}".format(asked["project"], name)
    first, second = asked["units"].get(name) or (service + ".service", service + ".b.service")
    return str(second if slot == SECOND else first)


def _started(name: str, recorded: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The log of the current start, where it is another one than the recorded."""
    if asked["process_dir"] is not None:
        return {"run": None, "log": program_log(asked["process_dir"], name)}
    unit = unit_of(name, recorded.get("slot"), asked)
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
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"instance": name, "status": 0, "body": str(error) or type(error).__name__}
    finally:
        connection.close()
