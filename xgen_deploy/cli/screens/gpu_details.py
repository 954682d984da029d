"""The lines of `xgen-deploy gpus` below a host's GPUs, with `rich` markup."""

from collections.abc import Iterator
from itertools import groupby

from rich.markup import escape

from xgen_deploy.backends.availability import available_backends
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import Attempt
from xgen_deploy.state.host_python import INSTALL_PYTHON
from xgen_deploy.state.site import Site

_CDI = {"nvidia.com/gpu", "amd.com/gpu"}


def details(site: Site, name: str, facts: HostFacts, *, verbose: bool) -> Iterator[str]:
    detection = ", ".join(_detection(facts))
    if detection:
        yield f"[dim]{escape(detection)}[/dim]"
    yield from _peculiarities(facts)
    yield from _attempts(facts, verbose=verbose)
    available = available_backends(facts.gpu.gpus)
    missing = not_ready(site, site.hosts[name], facts)
    ready = [backend for backend in available.backends if backend not in missing]
    if ready:
        yield "can run  " + escape(", ".join([f"{ready[0]} (recommended)", *ready[1:]]))
    left_out = {
        b: reason for b, reason in available.reasons.items() if verbose or _is_unexpected(b, facts)
    }
    if facts.no_python is not None:
        yield f"[yellow]{escape(INSTALL_PYTHON)}[/yellow]"
    reasons = sorted((missing | left_out).items(), key=lambda item: item[1])
    for reason, backends in groupby(reasons, key=lambda item: item[1]):
        names = ", ".join(backend for backend, _ in backends)
        yield f"not      {escape(names)}: {escape(reason)}"


def _detection(facts: HostFacts) -> Iterator[str]:
    if facts.gpu.gpus:
        yield facts.gpu.detection_method
    for driver in sorted({g.driver_version for g in facts.gpu.gpus if g.driver_version}):
        yield f"driver {driver}"
    kinds = {device.partition("=")[0] for device in facts.docker.cdi_devices}
    if kinds & _CDI:
        yield "CDI ready"
    elif "nvidia" in facts.docker.runtimes:
        yield "NVIDIA runtime ready"
    if facts.no_python is not None:
        yield f"detected by a shell script: {facts.no_python}"


def _peculiarities(facts: HostFacts) -> Iterator[str]:
    """Details that do not fit into a GPU's line."""
    for gpu in facts.gpu.gpus:
        if gpu.apu and gpu.gtt_total_mb is not None:
            used = "n/m" if gpu.gtt_used_mb is None else f"{gpu.gtt_used_mb / 1024:.1f}"
            free = facts.memory_available_mb
            host = "" if free is None else f"; host RAM free {free / 1024:.0f} GiB"
            gfx = gpu.gfx_version or "unknown gfx"
            yield f"[dim]{gfx} APU   GTT {used}/{gpu.gtt_total_mb / 1024:.1f} GiB{host}[/dim]"
        for part in gpu.mig_instances:
            profile = f" {part.profile}" if part.profile else ""
            yield f"[dim]GPU {gpu.index}, MIG{escape(profile)}: {escape(part.uuid)}[/dim]"
        if gpu.mig_enabled and not gpu.mig_instances:
            yield f"GPU {gpu.index}: MIG is on, and no MIG instance was made"
        if gpu.note:
            yield f"[dim]GPU {gpu.index}: {escape(gpu.note)}[/dim]"


def failures(facts: HostFacts) -> list[Attempt]:
    return [
        attempt for attempt in facts.gpu.attempts if not attempt.ok and not attempt.expected_absent
    ]


def _attempts(facts: HostFacts, *, verbose: bool) -> Iterator[str]:
    """A lost GPU stands out; detectors that failed before one worked share a line."""
    lost = [a for a in facts.gpu.attempts if not a.ok and ":GPU" in a.detector]
    for attempt in lost:
        which = attempt.detector.partition(":")[2]
        yield f"[red]LOST[/red]     {escape(which)}: {escape(attempt.reason or '?')}"
    tried = [a for a in facts.gpu.attempts if not a.ok and (verbose or not a.expected_absent)]
    reasons = [_reason(attempt) for attempt in tried if attempt not in lost]
    if verbose or not facts.gpu.gpus:
        yield from (f"[dim]tried    {escape(reason)}[/dim]" for reason in reasons)
    elif reasons:
        shown = escape("; ".join(reasons))
        yield f"[dim]tried    {shown} -> {facts.gpu.detection_method}[/dim]"


def _reason(attempt: Attempt) -> str:
    reason = attempt.reason or "?"
    return reason if reason.startswith(attempt.detector) else f"{attempt.detector}: {reason}"


def _is_unexpected(backend: str, facts: HostFacts) -> bool:
    """Whether a backend is left out although the host has GPUs of its vendor."""
    engine = backend_named(backend)
    return engine is not None and engine.hardware.suits(facts.gpu.gpus)
