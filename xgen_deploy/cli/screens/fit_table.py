"""The table of `fit`: a line for each file, context and type of cache."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from rich.markup import escape

from xgen_deploy.cli.screens.table import Cell, Table
from xgen_deploy.resolve.fitting.rows import Row
from xgen_deploy.sizes import size_text

# What a narrow terminal goes without, in this order.
_DROP = ("HOST'S MEMORY",)


def fit_table(rows: Iterable[Row], gpus: Sequence[str], width: int | None) -> list[str]:
    """Lines with `rich` markup."""
    head = ["MODEL", "CONTEXT", "CACHE", "LAYERS", "AT ONCE", *(f"GPU {g}" for g in gpus)]
    table = Table([*head, "HOST'S MEMORY"], _DROP)
    for row in rows:
        table.add(*_cells(row, len(gpus)))
    return table.whole(width)


def recommendation(line: str | None, section: str) -> list[str]:
    """Below a table: what goes into a section of the manifest."""
    if line is None:
        return ["", "nothing of it fits there", ""]
    return ["", f"recommended, for `{section}:`", escape(line), ""]


def _cells(row: Row, gpus: int) -> tuple[Cell, ...]:
    name, told = PurePosixPath(row.model.path or row.model.key).name, row.forecast
    made = f" as {row.made}" if row.made else ""
    first = (name.removesuffix(".gguf") + made, str(row.spec.n_ctx), row.cache)
    if told is None:
        return tuple(Cell(text, "dim") for text in (*first, "does not fit"))
    layers = "all" if row.layers is None else f"{row.layers}/{row.total or '?'}"
    at_once = f"{row.at_once:.1f}".removesuffix(".0")
    about = "" if told.exact else "about "
    needs = [need.total for need in (*told.devices, told.host)]
    sizes = [about + size_text(need) if need else "-" for need in needs]
    style = "" if row.is_whole else "dim"
    return tuple(Cell(text, style) for text in (*first, layers, at_once, *sizes[:gpus], sizes[-1]))
