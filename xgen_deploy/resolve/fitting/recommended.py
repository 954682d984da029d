"""Which of the rows one would take. Pure."""

from collections.abc import Sequence

from xgen_deploy.resolve.fitting.rows import Row

_ENOUGH = 8192
_LONGEST = 32768  # as `n_ctx: auto`
_SLOTS = 4


def recommended(rows: Sequence[Row]) -> Row | None:
    """The largest file that is on the GPUs whole with a context of 8192, with the longest one up to
    32768; a smaller cache only for a longer context. Where none is whole, the one with most of its
    layers on the GPUs at 8192; None where nothing fits.
    """
    fitting = [row for row in rows if row.forecast is not None and row.spec.n_ctx <= _longest(rows)]
    enough = min(_ENOUGH, max((row.spec.n_ctx for row in rows), default=0))
    whole = [row for row in fitting if row.is_whole]
    roomy = [row for row in whole if row.spec.n_ctx >= enough]
    if roomy or whole:
        return max(roomy or whole, key=lambda r: (_weights(r), r.spec.n_ctx, -_place(rows, r)))
    usual = [row for row in fitting if row.spec.n_ctx == enough] or fitting
    return max(usual, key=lambda r: (_share(r), _weights(r)), default=None)


def slots_of(row: Row) -> int | None:
    """Slots to state, each with the whole context; None where the engine is told of none."""
    if row.layers is None or not row.is_whole or row.spec.type != "llm":
        return None
    return min(_SLOTS, int(row.at_once))


def _longest(rows: Sequence[Row]) -> int:
    return max(_LONGEST, min((row.spec.n_ctx for row in rows), default=0))


def _weights(row: Row) -> int:
    """Of a file; a header alone tells no other size."""
    told = row.forecast
    return 0 if told is None else sum(n.weights for n in (*told.devices, told.host))


def _place(rows: Sequence[Row], row: Row) -> int:
    """The engine's own cache comes first."""
    return [r.cache for r in rows].index(row.cache)


def _share(row: Row) -> float:
    return (row.layers or 0) / (row.total or 1)
