"""The table of `xgen-deploy gpus`: a line for each GPU, and details below each host."""

from collections.abc import Iterator

from rich.markup import escape

from xgen_deploy.cli.gpu_details import details, failures
from xgen_deploy.cli.gpu_overview import used_by
from xgen_deploy.cli.screen import aligned
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.observation import Observed, facts_of
from xgen_deploy.state.site import Site

_BAR = 10
_HEAD = ("HOST", "GPU", "TYPE", "MEMORY USED / TOTAL", "UTIL", "USED BY")
_MEMORY = 3
_AGREED = "all detectors agree; nothing failed"


def gpu_table(site: Site, observed: Observed, *, verbose: bool) -> list[str]:
    """Lines with `rich` markup."""
    rows: list[tuple[str, ...]] = [_HEAD]
    below: dict[int, list[str]] = {}
    for name, observation in observed.items():
        if isinstance(observation, XgenError):
            rows.append((name, "", "UNREACHABLE", reason_of(observation), "", ""))
        else:
            rows += _gpu_rows(site, name, observation.facts)
            below[len(rows) - 1] = list(details(site, name, observation.facts, verbose=verbose))
    lines = [escape(line) for line in _aligned(rows)]
    indent = " " * (max(len(r[0]) for r in rows) + 2)
    shown = [f"[dim]{lines[0]}[/dim]"]
    for number, line in enumerate(lines[1:], 1):
        shown.append(line.replace("UNREACHABLE", "[red]UNREACHABLE[/red]"))
        shown += [indent + detail for detail in below.get(number, [])]
    return [*shown, "", _count(observed)]


def owners(site: Site, name: str, facts: HostFacts) -> dict[str, str]:
    """Part of a control group's name (a unit or a container's ID) -> the instance in it."""
    owners = {
        f"xgen-{site.project}-{d.name}{slot}.service": d.name
        for d in site.on(name)
        for slot in ("", SECOND)
    }
    for container in facts.docker.containers:
        instance = container.labels.get("xgen.instance")
        if instance:
            owners[container.id] = instance
    return owners


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """A sentence in place of the memory and later columns must not widen the memory column."""
    short = [row if any(row[_MEMORY + 1 :]) else (*row[:_MEMORY], "", "", "") for row in rows]
    widths = [max(len(row[n]) for row in short) for n in range(_MEMORY)]
    return [
        line if row is fitted else f"{_start(row, widths)}{row[_MEMORY]}".rstrip()
        for line, row, fitted in zip(aligned(short), rows, short, strict=True)
    ]


def _start(row: tuple[str, ...], widths: list[int]) -> str:
    return "".join(row[n].ljust(width + 2) for n, width in enumerate(widths))


def _gpu_rows(site: Site, name: str, facts: HostFacts) -> Iterator[tuple[str, ...]]:
    if not facts.gpu.gpus:
        yield (name, "-", "no GPU", "" if failures(facts) else _AGREED, "", "")
    instances = owners(site, name, facts)
    for place, gpu in enumerate(facts.gpu.gpus):
        users = [
            used.instance or _foreign(used.process.name, used.process.user, used.process.memory_mb)
            for used in used_by(gpu, instances)
        ]
        yield (
            name if place == 0 else "",
            str(gpu.index),
            gpu.device_name or gpu.gfx_version or f"{gpu.gpu_type} without a name",
            _memory(gpu),
            "n/m" if gpu.utilization_percent is None else f"{gpu.utilization_percent:3} %",
            ", ".join(dict.fromkeys(users)),
        )


def _memory(gpu: GPUInfo) -> str:
    used, total = gpu.memory_used_mb, gpu.memory_total_mb
    if total is None:
        return "n/m"
    if used is None or not total:
        return f"n/m of {total / 1024:.1f} GiB"
    full = round(_BAR * min(used, total) / total)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {used / 1024:5.1f}/{total / 1024:.1f} GiB"


def _foreign(name: str | None, user: str | None, memory: int | None) -> str:
    inside = [user or "?"] + ([f"{memory / 1024:.1f}"] if memory is not None else [])
    return f"{name or '?'} ({', '.join(inside)})"


def _count(observed: Observed) -> str:
    facts = list(facts_of(observed).values())
    with_gpu = [f for f in facts if f.gpu.gpus]
    total = sum(len(f.gpu.gpus) for f in with_gpu)
    parts = [f"{total} GPU{'s'[: total != 1]} on {len(with_gpu)} host{'s'[: len(with_gpu) != 1]}"]
    if not facts:
        return (
            "no host was reached: its GPUs are unknown"
            if len(observed) == 1
            else (f"none of {len(observed)} hosts was reached: their GPUs are unknown")
        )
    if len(facts) > len(with_gpu):
        parts.append(f"{len(facts) - len(with_gpu)} without")
    if len(observed) > len(facts):
        parts.append(f"{len(observed) - len(facts)} unknown")
    return f"{'; '.join(parts)}.  n/m = not measurable"
