"""`xgen-deploy gpus`: what each host has and can run, and how that is known."""

import time
from collections.abc import Iterator

import click
from rich.markup import escape

from xgen_deploy.cli.columns import aligned
from xgen_deploy.cli.job import Job, job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.hardware.availability import available_backends, recommended_family
from xgen_deploy.hardware.gpu import GPUInfo
from xgen_deploy.hardware.overview import gpu_json, overall_type, used_by
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.survey import Seen

_EVERY = 5.0  # seconds; more often made amdsmi complain in the field
_BAR = 10
_HEAD = ("HOST", "GPU", "TYPE", "MEMORY USED / TOTAL", "UTIL", "USED BY")


@click.command("gpus")
@click.option("--watch", is_flag=True, help="Look again every 5 s; Ctrl-C ends.")
@host_options
def command(settings: Settings, watch: bool) -> int:
    """Show every host's GPUs, who uses them, what the host can run and what is missing for it."""
    screen = Screen(settings)
    with job(settings) as work:
        while True:
            seen = work.observe()
            if watch and not settings.json:
                click.clear()
            screen.lines(_lines(work, seen))
            screen.value({"hosts": {n: _value(work, n, s) for n, s in seen.items()}})
            if not watch:
                break
            time.sleep(_EVERY)
    missing = sum(s.facts is None for s in seen.values())
    return 0 if not missing else (4 if missing < len(seen) else 1)


def _lines(work: Job, seen: dict[str, Seen]) -> list[str]:
    rows: list[tuple[str, ...]] = [_HEAD]
    below: dict[int, list[str]] = {}
    for name, one in seen.items():
        if one.facts is None:
            rows.append((name, "UNREACHABLE", "", "", "", ""))
            below[len(rows) - 1] = [_reason(one.error)]
            continue
        rows += _gpu_rows(work, name, one.facts)
        below[len(rows) - 1] = list(_details(work, name, one.facts))
    table = aligned([r[:3] + r[3:] for r in rows])
    indent = " " * (max(len(r[0]) for r in rows) + 2)
    lines = [f"[dim]{escape(table[0])}[/dim]"]
    for number, text in enumerate(table[1:], 1):
        lines.append(escape(text).replace("UNREACHABLE", "[red]UNREACHABLE[/red]"))
        lines += [f"{indent}{line}" for line in below.get(number, [])]
    return [*lines, "", _count(seen)]


def _gpu_rows(work: Job, name: str, facts: HostFacts) -> Iterator[tuple[str, ...]]:
    if not facts.gpu.gpus:
        yield (name, "-", "no GPU", "", "", "")
    names = frozenset(d.name for d in work.site.on(name))
    for first, gpu in enumerate(facts.gpu.gpus):
        users = [
            u.instance or _foreign(u.process.name, u.process.user, u.process.memory_mb)
            for u in used_by(gpu, work.site.project, names)
        ]
        yield (
            name if first == 0 else "",
            str(gpu.index),
            gpu.device_name or gpu.gfx_version or str(gpu.gpu_type),
            _memory(gpu),
            "n/m" if gpu.utilization_percent is None else f"{gpu.utilization_percent} %",
            " ".join(dict.fromkeys(users)),
        )


def _memory(gpu: GPUInfo) -> str:
    used, total = gpu.memory_used_mb, gpu.memory_total_mb
    if used is None or not total:
        return "n/m" if total is None else f"n/m/{total / 1024:.1f} GiB"
    full = round(_BAR * min(used, total) / total)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {used / 1024:.1f}/{total / 1024:.1f} GiB"


def _details(work: Job, name: str, facts: HostFacts) -> Iterator[str]:
    available = available_backends(facts.gpu.gpus)
    drivers = sorted({g.driver_version for g in facts.gpu.gpus if g.driver_version})
    failed = [f"{a.detector}: {a.reason}" for a in facts.gpu.attempts if not a.ok]
    yield f"[dim]{escape(', '.join([facts.gpu.detection_method, *(f'driver {d}' for d in drivers)]))}[/dim]"
    for gpu in facts.gpu.gpus:
        if gpu.gtt_total_mb is not None and gpu.apu:
            yield (
                f"[dim]{gpu.gfx_version or ''} APU   GTT {(gpu.gtt_used_mb or 0) / 1024:.1f}/"
                f"{gpu.gtt_total_mb / 1024:.1f} GiB[/dim]"
            )
    yield from (f"[dim]tried {escape(line)}[/dim]" for line in failed)
    missing = not_ready(work.site, work.site.hosts[name], facts)
    ready = [b for b in available.backends if b not in missing]
    if ready:
        yield f"can run  {', '.join(ready)}"
    for backend, reason in missing.items():
        yield f"not      {escape(backend)}: {escape(reason)}"


def _foreign(name: str | None, user: str | None, memory: int | None) -> str:
    inside = [user or "?"] + ([f"{memory / 1024:.1f}"] if memory is not None else [])
    return f"{name or '?'} ({', '.join(inside)})"


def _count(seen: dict[str, Seen]) -> str:
    facts = [s.facts for s in seen.values() if s.facts is not None]
    with_gpu = [f for f in facts if f.gpu.gpus]
    total = sum(len(f.gpu.gpus) for f in with_gpu)
    parts = [f"{total} GPU{'s'[: total != 1]} on {len(with_gpu)} host{'s'[: len(with_gpu) != 1]}"]
    if len(facts) > len(with_gpu):
        parts.append(f"{len(facts) - len(with_gpu)} without")
    if len(seen) > len(facts):
        parts.append(f"{len(seen) - len(facts)} unknown")
    return f"{'; '.join(parts)}.  n/m = not measurable"


def _value(work: Job, name: str, one: Seen) -> dict[str, object]:
    facts = one.facts
    if facts is None:
        return {"reachable": False, "error": _reason(one.error)}
    names = frozenset(d.name for d in work.site.on(name))
    gpus = [gpu_json(g, work.site.project, names) for g in facts.gpu.gpus]
    primary = facts.gpu.primary_gpu
    available = available_backends(facts.gpu.gpus)
    return {
        "reachable": True,
        "available": facts.gpu.available,
        "detection_method": facts.gpu.detection_method,
        "gpu_type": overall_type(facts.gpu.gpus),
        "gpus": gpus,
        "primary_gpu": next((g for g in gpus if primary and g["index"] == primary.index), None),
        "available_backends": list(available.backends),
        "recommended_backend": recommended_family(available.backends),
        "not_ready": not_ready(work.site, work.site.hosts[name], facts),
        "unavailable": available.reasons,
        "attempts": [a.model_dump(mode="json") for a in facts.gpu.attempts],
        "probe": facts.probe,
    }


def _reason(error: XgenError | None) -> str:
    return error.reason if isinstance(error, UnreachableError) else str(error)
