"""The detector chain: for each vendor the first detector that answers; the CPU never fails."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Container, NamedTuple, Sequence

from xgen_deploy.probe.remote.gpu_detectors import DETECTORS, Detector, software_detector
from xgen_deploy.probe.remote.gpu_found import Found, NotHere
from xgen_deploy.probe.remote.gpu_hardware import expected

SHARE = 0.7  # of the probe's deadline: the other parts and the way back need some too
GRACE = 0.5  # seconds that even the last detector gets, for reading a few files


class Outcome(NamedTuple):
    """What one detector came to: its finds, or why there are none."""

    finds: Found | None
    reason: str | None
    not_here: bool


def detect(
    software: int = 0, deadline: float = 20.0, detectors: Sequence[Detector] = DETECTORS
) -> dict[str, Any]:
    """As in GPUDetectionResult, within about `deadline` seconds.

    `software` renderers are counted beside whatever GPUs are found.
    """
    end = time.monotonic() + deadline * SHARE
    attempts: list[dict[str, Any]] = []
    methods: list[str] = []
    vendors: dict[str, list[dict[str, Any]]] = {}
    chain = list(detectors)
    if software:
        chain.append(software_detector(software))
    for detector in chain:
        if detector.vendor in vendors:
            continue
        patience = max(GRACE, min(detector.patience, end - time.monotonic()))
        absent = detector.absent(vendors)
        if absent is None:
            outcome = _without(vendors, _patiently(detector.detect, patience))
        else:
            outcome = Outcome(None, absent, True)
        attempts += _attempts(detector, outcome)
        if outcome.finds is not None:
            gpus = _completed(outcome.finds, detector.vendor)
            vendors[detector.vendor] = gpus
            methods += [detector.name] if outcome.finds.gpus else []
    if not methods:
        attempts.append({"detector": "cpu_fallback", "ok": True})
    return {
        "gpus": _in_order([gpus for gpus in vendors.values() if gpus]),
        "detection_method": "+".join(dict.fromkeys(methods)) or "cpu_fallback",
        "attempts": attempts,
    }


def _completed(finds: Found, vendor: str) -> list[dict[str, Any]]:
    from xgen_deploy.probe.remote.gpu_completion import completed  # only where GPUs are

    return [completed(gpu, vendor) for gpu in finds.gpus]


def _patiently(detect: Callable[[], Found], patience: float) -> Outcome:
    """A library that hangs in its driver cannot be stopped: it is left behind."""
    outcomes: list[Outcome] = []

    def work() -> None:
        outcomes.append(_outcome(detect))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(patience)
    if outcomes:
        return outcomes[0]
    return Outcome(None, f"no answer within {patience:.1f} s", False)


def _without(known: Container[str], outcome: Outcome) -> Outcome:
    """Leaves out what belongs to a vendor whose GPUs were found before."""
    finds = outcome.finds
    if finds is None or not finds.vendors:
        return outcome
    new = [gpu for gpu, vendor in zip(finds.gpus, finds.vendors) if vendor not in known]
    if not new:
        return Outcome(None, "shows only GPUs that were found before", True)
    return Outcome(Found(new, finds.lost), None, False)


def _outcome(detect: Callable[[], Found]) -> Outcome:
    try:
        finds = detect()
    except NotHere as error:
        return Outcome(None, str(error), True)
    except BaseException as error:  # a library may raise anything, even SystemExit
        return Outcome(None, f"{type(error).__name__}: {' '.join(str(error).split())}", False)
    if not finds.gpus and not finds.lost:
        return Outcome(None, "answers, and knows of no GPU", True)
    return Outcome(finds, None, False)


def _attempts(detector: Detector, outcome: Outcome) -> list[dict[str, Any]]:
    if outcome.finds is None:
        moot = outcome.not_here and not expected(detector.vendor)
        failed = {"detector": detector.name, "ok": False, "reason": outcome.reason, "moot": moot}
        return [failed]
    lost = [
        {"detector": f"{detector.name}:{which}", "ok": False, "reason": why}
        for which, why in outcome.finds.lost
    ]
    return [{"detector": detector.name, "ok": True}, *lost]


def _in_order(vendors: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One vendor keeps its own numbers, so that a lost GPU renumbers none; several are
    counted through in PCI order, software last."""
    if len(vendors) == 1:
        return vendors[0]
    gpus = [gpu for vendor in vendors for gpu in vendor]
    gpus.sort(key=lambda gpu: (gpu.get("pci_bus_id") or "~", gpu["index"]))
    return [dict(gpu, index=index) for index, gpu in enumerate(gpus)]
