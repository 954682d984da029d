"""The lines of `fit`."""

from collections.abc import Iterator

from xgen_deploy.backends.llama_fit import Told
from xgen_deploy.cli.screens.screen import aligned
from xgen_deploy.documents.fit import QuantizedEntry
from xgen_deploy.sizes import size_text
from xgen_deploy.state.forecast import Need

_MIB = 1 << 20
_SURE = {
    "exact": "exact: what the engine's load report will say",
    "estimate": "an estimate: weights and cache are exact, compute is not",
    "unknown": "weights alone are known",
}


def start_lines(told: Told, made: QuantizedEntry | None = None) -> Iterator[str]:
    """Of one start: a row for each device and the host. `made`: of a file that is to be made."""
    if made is not None:
        size, memory = (size_text(round(mib * _MIB)) for mib in (made.about_mib, made.memory_mib))
        yield f"{made.file_type} of it: about {size}, made in at most {memory} of memory"
    known = told.confidence != "unknown"
    rows: list[tuple[str, ...]] = [("", "WEIGHTS", "CACHE", "COMPUTE", "OUTPUT", "TOTAL")]
    needs = zip((*told.devices, "host"), (*told.forecast.devices, told.forecast.host), strict=True)
    rows += [_row(name, need, known=known) for name, need in needs]
    yield from aligned(rows)
    is_coming = made is not None and known
    yield "an estimate: the file is not there yet" if is_coming else _SURE[told.confidence]
    yield from told.notes


def _row(name: str, need: Need, *, known: bool) -> tuple[str, ...]:
    rest = (need.cache, need.compute, need.output, need.total)
    texts = [(size_text(part) if part else "-") if known else "?" for part in rest]
    return (name, size_text(need.weights), *texts)
