"""What the probe would tell of a host in memory: facts.py has the form."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.fake_host.engine import EngineProcess
from tests.fake_host.haproxy import FakeHaproxy
from tests.fake_host.monitoring import BINARIES
from tests.fake_host.systemd import UNIT_DIR
from tests.render.scene import FLAGS, HOSTS, model_facts
from xgen_deploy.state.gpu import Attempt, GPUDetectionResult, GPUInfo

if TYPE_CHECKING:
    from tests.fake_host.host import FakeHost

HAPROXY = "/usr/sbin/haproxy"
Request = dict[str, Any]


def describe(host: FakeHost, request: Request) -> dict[str, Any]:
    kind = HOSTS[host.kind]
    cards = kind["gpus"] if host.cards is None else host.cards
    gpus = tuple(GPUInfo(index=i, **g) for i, g in enumerate(cards))
    absent = Attempt(detector="amdsmi", ok=False, reason="no AMD card", expected_absent=True)
    detected = GPUDetectionResult(gpus=gpus, detection_method="pynvml", attempts=(absent,))
    record = host.files.get(f"{request['state_dir']}/record.json")
    return {
        "probe": "python", "hostname": host.name, "arch": "x86_64", "kernel": "6.8",
        "user": "root", "uid": 0, "now": 0.0, "cores": 16, "systemd": "255",
        "python_path": "/usr/bin/python3" if host.watchdog else "python3",
        "watchdog": host.watchdog or None,
        "memory_available_mb": host.memory_free_mb,
        "gpu": json.loads(detected.model_dump_json(by_alias=True, exclude_none=True)),
        **kind.get("facts", {}),
        "docker": {
            "state": "ok", "version": "29.1.0", "runtimes": ["runc", "nvidia"],
            "cli": "/usr/bin/docker",
        },
        "models": [_model(host, m) for m in request["models"]],
        "engines": [_engine(host, e) for e in request["engines"]],
        "files": [_file(host, p) for p in request["files"]],
        "etc_files": [
            {"path": p, "kind": "file", "mode": host.modes[p], "uid": 0}
            for p in sorted(host.files) if p.startswith(f"{request['etc_dir']}/")
        ],
        "edited": [_edited(host, p) for p in _differing(host, record)],
        "adoptable": [_adoptable(host, u) for u in request["adopt_units"] if _has(host, u)],
        "timer": _timer(host, request["project"]),
        "services": [_service(host, n) for n in _units(host)],
        "ports": [
            {"port": p.port, "address": "127.0.0.1", "unit": name}
            for name, p in host.systemd.running() if isinstance(p, EngineProcess | FakeHaproxy)
        ],
        "health": [_health(host, i, u) for i, u in request["units"].items() if request["health"]],
        "gateway_stats": host.gateway_says("show stat") if request["gateway_stats"] else None,
        "lock": host.lock_facts,
        "record": record.decode() if record is not None else None,
        **host.machine,
    }  # fmt: skip


def _model(host: FakeHost, request: Request) -> dict[str, Any]:
    if request["source"] in host.gone:
        error = f"{request['source']} does not exist"
        return {"key": request["key"], "error": error, "missing": True}
    facts = model_facts(request["key"], request["source"])
    known = json.loads(facts.model_dump_json(exclude_none=True))
    return {**known, **host.model_facts.get(request["source"], {})}


def _engine(host: FakeHost, request: Request) -> dict[str, Any]:
    if request["binary"] in host.gone:
        binary = request["binary"]
        return {"backend": request["backend"], "binary": binary, "error": f"{binary} is missing"}
    known = FLAGS["new"] if request["backend"].startswith("llama-server") else {}
    return {
        "backend": request["backend"],
        "binary": request["binary"],
        "image": request["image"],
        "state": "s1",
        "entrypoint": ["/engine"],
        "flags": known.get("flags", []),
        "markers": known.get("markers", []),
    }


def _file(host: FakeHost, path: str) -> dict[str, Any]:
    if path in (HAPROXY, *BINARIES) and path not in host.gone:
        return {"path": path, "kind": "file"}
    if path not in host.files:
        return {"path": path, "kind": "absent"}
    return {"path": path, "kind": "file", "sha256": _sha(host.files[path])}


def _has(host: FakeHost, unit: str) -> bool:
    return f"{UNIT_DIR}/{unit}" in host.files


def _adoptable(host: FakeHost, name: str) -> dict[str, Any]:
    unit = host.systemd.unit(name)
    return {
        "kind": "unit", "name": name, "cgroup": name,
        "running": unit.active, "at_boot": unit.enabled, "vanishes": name in host.transient,
    }  # fmt: skip


def _timer(host: FakeHost, project: str) -> dict[str, Any] | None:
    name = f"xgen-{project}.timer"
    known = f"{UNIT_DIR}/{name}" in host.files or host.systemd.unit(name).active
    return _service(host, name) if known else None


def _differing(host: FakeHost, record: bytes | None) -> list[str]:
    """Files of the record whose content is another one now, and the drop-ins of its units."""
    known = json.loads(record or b"{}")
    entries = [*known.get("instances", {}).values(), known.get("gateway") or {}]
    entries.append(known.get("monitoring") or {})
    written = {p: d for e in entries for p, d in e.get("files", {}).items()}
    changed = [p for p, d in written.items() if p not in host.files or _sha(host.files[p]) != d]
    return [*changed, *(p for p in sorted(host.files) if p.endswith(".conf"))]


def _edited(host: FakeHost, path: str) -> dict[str, Any]:
    content = host.files.get(path)
    lines = None if content is None else content.decode().split("\n")
    return {"path": path, "exists": content is not None, "lines": lines}


def _is_service(path: str) -> bool:
    """Of an instance or the gateway; the watchdog's has no hyphen behind the project."""
    name = path.rpartition("/")[2]
    return path.startswith(f"{UNIT_DIR}/xgen-p-") and name.endswith((".service", ".socket"))


def _units(host: FakeHost) -> list[str]:
    """Those on the disk, and those that run without a file any more."""
    files = {p.rpartition("/")[2] for p in host.files if _is_service(p)}
    return sorted(files | {n for n, _ in host.systemd.running() if _is_service(f"{UNIT_DIR}/{n}")})


def _service(host: FakeHost, name: str) -> dict[str, Any]:
    path, unit = f"{UNIT_DIR}/{name}", host.systemd.unit(name)
    content = host.files.get(path)
    state, sub = ("active", "running") if unit.active else ("inactive", "dead")
    if unit.crashing:
        state, sub = "activating", "auto-restart"
    return {
        "name": name,
        "kind": "unit",
        "state": state,
        "sub_state": sub,
        "sha256": None if content is None else _sha(content),
        "enabled": unit.enabled,
        "overridden": [p for p in sorted(host.files) if p.startswith(f"{path}.d/")],
        "pid": 7 if unit.active else None,
        "restarts": unit.restarts,
        "invocation": unit.process.run if unit.process else None,
    }


def _health(host: FakeHost, instance: str, units: list[str]) -> dict[str, Any]:
    for name, process in host.systemd.running():
        if isinstance(process, EngineProcess) and name in units:
            return {
                "instance": instance,
                "status": process.engine.health,
                "run": process.run,
                "log": process.log(),
            }
    return {"instance": instance, "status": 0}


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
