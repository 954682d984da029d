"""The instances in a host's record, and what became of them."""

from __future__ import annotations

import glob
from typing import Any, Iterator

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.sha256 import sha256
from xgen_deploy.probe.remote.units import FOLDERS
from xgen_deploy.watch.remote.model_files import all_present
from xgen_deploy.watch.remote.samples import Sample, known, sample

PATIENCE = 20.0
LARGEST = 16 << 20


def instance_samples(settings: dict[str, Any], record: dict[str, Any]) -> list[Sample]:
    units = {e["instance"]: e["unit"] for e in settings["engines"]}
    objectives = {e["instance"]: e["objectives"] for e in settings["engines"]}
    restarts = unit_restarts(sorted(units.values()))
    told: list[Sample] = []
    for name, last in record.get("instances", {}).items():
        labels = {"instance": name, "model": last["spec"]["model"]}
        told += _recorded(last, record, labels)
        told += _observed(last, units.get(name, ""), labels)
        told += known(
            "xgen_instance_unit_restarts_total", restarts.get(units.get(name, "")), **labels
        )
        for objective, seconds in objectives.get(name, {}).items():
            told += known(f"xgen_instance_objective_{objective}_seconds", seconds, **labels)
    return told


def _recorded(
    last: dict[str, Any], record: dict[str, Any], labels: dict[str, str]
) -> Iterator[Sample]:
    spec, report = last["spec"], last.get("report") or {}
    about = {
        "backend": spec["backend"],
        "runtime": spec["runtime"],
        "n_ctx": str(spec["n_ctx"]),
        "slots": str(report.get("slots") or ""),
    }
    for gpu in spec.get("gpus") or [""]:
        yield sample("xgen_instance_info", 1, gpu_uuid=gpu, **labels, **about)
    yield sample("xgen_instance_stopped_by_intent", bool(last.get("stopped")), **labels)
    layers = spec.get("n_gpu_layers")
    yield from known(
        "xgen_instance_layers_stated", layers if isinstance(layers, int) else None, **labels
    )
    yield from known("xgen_instance_layers_offloaded", report.get("offloaded"), **labels)
    yield from known("xgen_instance_layers", report.get("total_layers"), **labels)
    failures = (record.get("last_apply") or {}).get("failures") or {}
    failed = labels["instance"] in failures or labels["instance"] in (record.get("pending") or {})
    yield sample("xgen_instance_gate_passed", not failed, **labels)


def _observed(last: dict[str, Any], unit: str, labels: dict[str, str]) -> Iterator[Sample]:
    files = last.get("files") or {}
    drifted = any(not _is(path, digest) for path, digest in files.items()) or _overridden(unit)
    yield sample("xgen_instance_drift", drifted, **labels)
    present = all_present(last["spec"])
    yield sample("xgen_instance_model_file_present", present, **labels)


def _overridden(unit: str) -> bool:
    """Somebody has edited it beside its file (`systemctl edit`)."""
    return any(glob.glob(f"{folder}/{unit}.d/*.conf") for folder in FOLDERS)


def _is(path: str, digest: str) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(sha256(file.read(LARGEST)).hexdigest() == digest)
    except OSError:
        return False


def unit_restarts(units: list[str]) -> dict[str, int]:
    """By unit; without those that systemd does not know."""
    if not units:
        return {}
    argv = ["systemctl", "show", "--no-pager", "--property", "Id,NRestarts", "--", *units]
    answer = run(argv, PATIENCE)
    counts = {}
    for block in answer.out.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("NRestarts", "").isdigit():
            counts[values.get("Id", "")] = int(values["NRestarts"])
    return counts
