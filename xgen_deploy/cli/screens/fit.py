"""The lines of `fit`."""

from collections.abc import Iterator

from xgen_deploy.backends.llama_fit import Told
from xgen_deploy.cli.screens.screen import aligned
from xgen_deploy.plan.fetch_text import size_text
from xgen_deploy.state.forecast import Need

_SURE = {
    "exact": "exact: what the engine's load report will say",
    "estimate": "an estimate: weights and cache are exact, compute is not",
    "unknown": "weights alone are known",
}


def start_lines(told: Told) -> Iterator[str]:
    """Of one start: a row for each device and the host."""
    known = told.confidence != "unknown"
    rows: list[tuple[str, ...]] = [("", "WEIGHTS", "CACHE", "COMPUTE", "OUTPUT", "TOTAL")]
    needs = zip((*told.devices, "host"), (*told.forecast.devices, told.forecast.host), strict=True)
    rows += [_row(name, need, known=known) for name, need in needs]
    yield from aligned(rows)
    yield _SURE[told.confidence]
    yield from told.notes


def _row(name: str, need: Need, *, known: bool) -> tuple[str, ...]:
    rest = (need.cache, need.compute, need.output, need.total)
    texts = [(size_text(part) if part else "-") if known else "?" for part in rest]
    return (name, size_text(need.weights), *texts)
