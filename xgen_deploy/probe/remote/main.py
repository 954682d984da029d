"""The probe: answers a request with one document about this host."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Callable

from xgen_deploy.probe.remote.commands import end_children
from xgen_deploy.probe.remote.detached import detached
from xgen_deploy.probe.remote.devices import devices
from xgen_deploy.probe.remote.docker_facts import docker
from xgen_deploy.probe.remote.edited import edited
from xgen_deploy.probe.remote.engines import engines
from xgen_deploy.probe.remote.files import asked_files, record, watchdog_state
from xgen_deploy.probe.remote.gpu_chain import detect
from xgen_deploy.probe.remote.lock import lock
from xgen_deploy.probe.remote.machine import machine
from xgen_deploy.probe.remote.models import models
from xgen_deploy.probe.remote.parts import Part, run_parts
from xgen_deploy.probe.remote.ports import ports
from xgen_deploy.probe.remote.rights import rights
from xgen_deploy.probe.remote.services import services

FORMAT = 1


def main(request: bytes, emit: Callable[[bytes], None]) -> None:
    """Ends the process: a part that hangs must not keep it."""
    started = time.monotonic()
    keep_stdout_clean()
    try:
        document = facts(json.loads(request.decode("utf-8")))
        document["timings"]["total"] = round(time.monotonic() - started, 4)
    except Exception as error:  # nobody would see a traceback
        document = {"error": type(error).__name__, "missing": str(error)}
    try:
        emit(json.dumps(document, separators=(",", ":")).encode())
        if threading.active_count() > 1:  # only a thread that was left behind waits for a child
            end_children()
    finally:
        os._exit(0)


def keep_stdout_clean() -> None:
    """GPU libraries print, in C as well; children must not read what is meant for us."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(null, 2)


def facts(asked: dict[str, Any]) -> dict[str, Any]:
    """The document for a request; both as in `xgen_deploy.state.facts`."""
    project, state_dir = asked["project"], asked["state_dir"]
    no_gpu = {"detection_method": "cpu_fallback"}
    unknown = {"state": "down", "reason": "the probe could not ask the Docker daemon"}
    parts = [
        Part("gpu", lambda: _gpus(asked), {"gpu": no_gpu}),
        Part("docker", lambda: {"docker": docker(project)}, {"docker": unknown}),
        Part("engines", lambda: engines(asked["engines"], state_dir), {}),
        Part("services", lambda: services(project, asked["process_dir"]), {}),
        Part("models", lambda: _models(asked), {}),
        Part("ports", lambda: ports(asked["ports"]), {}),
        Part("files", lambda: asked_files(asked["files"], asked["etc_dir"]), {}),
        Part("record", lambda: record(state_dir), {"record_error": "the probe failed to read it"}),
        Part("edited", lambda: edited(asked), {}),
        Part("devices", devices, {}),
        Part("rights", lambda: rights(asked.get("writes", [])), {}),
        Part("lock", lambda: lock(state_dir), {}),
        Part("fetching", lambda: detached(state_dir), {}),
    ]
    if asked.get("adopt_units") or asked.get("adopt_containers"):
        parts.append(Part("adoptable", lambda: _adoptable(asked), {}))
    if asked.get("health"):
        parts.append(Part("health", lambda: _health(asked), {}))
    if asked.get("gateway_stats"):
        parts.append(Part("gateway_stats", lambda: _gateway_stats(asked), {}))
    if asked.get("watchdog"):
        parts.append(Part("watchdog", lambda: _watchdog(asked), {}))
    outcome = run_parts(parts, asked["deadline"])
    document = dict(machine(), format=FORMAT, probe="python", **outcome.fields)
    info = document.pop("docker_info", {})
    if document["docker"]["state"] == "ok":
        document["docker"].update(info)
    if "gpu" in outcome.errors:
        attempt = {"detector": "chain", "ok": False, "reason": outcome.errors["gpu"]}
        document["gpu"] = dict(no_gpu, attempts=[attempt])
    if "docker" in outcome.errors:
        document["docker"] = dict(unknown, reason=outcome.errors["docker"])
    return dict(document, errors=outcome.errors, timings=outcome.timings)


def _gpus(asked: dict[str, Any]) -> dict[str, Any]:
    seen = detect(asked["software_gpu"], asked["deadline"])
    nvidia = any(gpu.get("gpu_type") == "nvidia" for gpu in seen["gpus"])
    if not nvidia and not any(engine.get("image") for engine in asked["engines"]):
        return {"gpu": seen}
    from xgen_deploy.probe.remote.docker_info import docker_info  # costly: for containers alone

    return {"gpu": seen, "docker_info": docker_info(nvidia)}


def _models(asked: dict[str, Any]) -> dict[str, Any]:
    answer = models(asked["models"], asked["state_dir"])
    answer.update(_quantizer(asked, answer["models"]))
    pushes = any(engine.get("pushed") or _build_is_missing(engine) for engine in asked["engines"])
    if not pushes and not any(model.get("missing") for model in answer["models"]):
        return answer
    from xgen_deploy.probe.remote.missing_models import room_and_way  # seldom

    missing = any(m.get("missing") for m in answer["models"])
    outside = list(asked.get("outside", ())) if missing else []
    return dict(answer, **room_and_way(asked.get("folders", ()), outside))


def _quantizer(asked: dict[str, Any], models: list[dict[str, Any]]) -> dict[str, Any]:
    """Only where one is needed."""
    keys = {m["key"] for m in asked["models"] if m.get("quantize")}
    request = asked.get("quantizer")
    if request is None or not any(m["key"] in keys and m.get("missing") for m in models):
        return {}
    from xgen_deploy.probe.remote.quantized import leftover
    from xgen_deploy.probe.remote.quantizer import quantizer

    told = quantizer(request["places"], as_login=request["as_login"])
    return {"quantizer": dict(told, leftover=leftover(request["model_dir"]))}


def _build_is_missing(engine: dict[str, Any]) -> bool:
    return bool(engine.get("binary")) and not os.path.exists(engine["binary"])


def _adoptable(asked: dict[str, Any]) -> dict[str, Any]:
    from xgen_deploy.probe.remote.adoptable import adoptable  # asked at the first apply alone

    return adoptable(asked["adopt_units"], asked["adopt_containers"])


def _gateway_stats(asked: dict[str, Any]) -> dict[str, Any]:
    from xgen_deploy.probe.remote.gateway_stats import gateway_stats  # asked by `status` alone

    return gateway_stats(asked["gateway_stats"])


def _watchdog(asked: dict[str, Any]) -> dict[str, Any]:
    from xgen_deploy.probe.remote.watchdog import watchdog  # asked by `status` alone

    return watchdog(asked["watchdog"])


def _health(asked: dict[str, Any]) -> dict[str, Any]:
    from xgen_deploy.probe.remote.health import health  # costly, and seldom asked

    text = record(asked["state_dir"])["record"]
    answer = health(text, asked)
    return dict(answer, heal=watchdog_state(asked["state_dir"]))
