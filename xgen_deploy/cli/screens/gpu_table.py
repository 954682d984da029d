"""The table of `xgen-deploy gpus`: a line for each GPU, and details below each host."""

from collections.abc import Iterator

from xgen_deploy.cli.screens.gpu_details import details, failures
from xgen_deploy.cli.screens.table import Cell, Table
from xgen_deploy.documents.gpu_entries import cordon_on, owners, used_by
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.observation import Observation, Observed, facts_of
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site

_BAR = 10
_HEAD = ("HOST", "GPU", "TYPE", "MEMORY USED / TOTAL", "UTIL", "USED BY")
# What a narrow terminal goes without, in this order; the bars of the memory go before.
_DROP = ("UTIL", "USED BY")
_AGREED = "all detectors agree; nothing failed"


def gpu_table(
    site: Site, observed: Observed, *, verbose: bool, width: int | None = None
) -> list[str]:
    """Lines with `rich` markup for a terminal of this width."""
    lines, rows = _fitting_table(site, observed, width).lines(width)
    indent = " " * (max(map(len, (_HEAD[0], *observed))) + 2)
    rows_left = iter(rows)
    for name, observation in observed.items():
        for _ in range(_row_count(observation)):
            lines += next(rows_left)
        if not isinstance(observation, XgenError):
            below = details(site, name, observation.facts, verbose=verbose)
            lines += [indent + detail for detail in below]
    return [*lines, "", _count(observed)]


def gpu_rows(site: Site, observed: Observed, width: int | None) -> list[str]:
    """The same without details below the hosts."""
    return _fitting_table(site, observed, width).whole(width)


def _fitting_table(site: Site, observed: Observed, width: int | None) -> Table:
    table = _table(site, observed, bar=True)
    return table if table.fits(width) else _table(site, observed, bar=False)


def _table(site: Site, observed: Observed, *, bar: bool) -> Table:
    table = Table(_HEAD, _DROP)
    for name, observation in observed.items():
        if isinstance(observation, XgenError):
            table.add(name, "", Cell("UNREACHABLE", "red"), reason_of(observation))
        else:
            for row in _gpu_rows(site, name, observation, bar=bar):
                table.add(*row)
    return table


def _row_count(observation: Observation | XgenError) -> int:
    if isinstance(observation, XgenError):
        return 1
    return max(1, sum(1 + len(g.mig_instances) for g in observation.facts.gpu.gpus))


def _gpu_rows(
    site: Site, name: str, observation: Observation, *, bar: bool
) -> Iterator[tuple[str, ...]]:
    facts = observation.facts
    if not facts.gpu.gpus:
        yield (name, "-", "no GPU", "" if failures(facts) else _AGREED)
    instances = owners(site, name, facts)
    for place, gpu in enumerate(facts.gpu.gpus):
        cordons = list(_cordoned(gpu, observation.record))
        yield (
            name if place == 0 else "",
            str(gpu.index),
            gpu.device_name or gpu.gfx_version or f"{gpu.gpu_type} without a name",
            _memory(gpu, bar=bar),
            "n/m" if gpu.utilization_percent is None else f"{gpu.utilization_percent:3} %",
            ", ".join(dict.fromkeys([*cordons, *_users(gpu, instances)])),
        )
        for part in gpu.devices if gpu.mig_enabled else ():
            profile = (part.device_name or "").rpartition(" MIG ")[2]
            users = ", ".join(dict.fromkeys(_users(part, instances)))
            yield ("", "", f"  MIG {profile}", _memory(part, bar=bar), "n/m", users)


def _users(gpu: GPUInfo, instances: dict[str, str]) -> list[str]:
    return [
        used.instance or _foreign(used.process.name, used.process.user, used.process.memory_mb)
        for used in used_by(gpu, instances)
    ]


def _cordoned(gpu: GPUInfo, record: Record | None) -> Iterator[str]:
    cordon = cordon_on(gpu, record)
    if cordon is not None:
        yield f"CORDONED by {cordon.by}"


def _memory(gpu: GPUInfo, *, bar: bool) -> str:
    used, total = gpu.memory_used_mb, gpu.memory_total_mb
    if total is None:
        return "n/m"
    if used is None or not total:
        return f"n/m of {total / 1024:.1f} GiB"
    figures = f"{used / 1024:5.1f}/{total / 1024:.1f} GiB"
    if not bar:
        return figures
    full = round(_BAR * min(used, total) / total)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {figures}"


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
