"""How many layers of a model fit on devices beside what else is there. Need does not grow evenly
with the layers: with few of them the first device holds copies of the host's weights while it
computes, with all of them several devices compute ahead of each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xgen_deploy.fit.forecast import forecast, kept_bytes
from xgen_deploy.fit.settings import ALL, Settings
from xgen_deploy.fit.shape import ModelShape
from xgen_deploy.state.forecast import Forecast

_SHIFTS = (0.0, -0.02, 0.02, -0.05, 0.05)


@dataclass(frozen=True)
class Choice:
    """`layers` counts as the engine does, the output layer too. `split` has the layers of each
    device, () for a single one."""

    layers: int
    split: tuple[float, ...]
    forecast: Forecast


def most_layers(settings: Settings, model: ModelShape, free: Sequence[int]) -> Choice | None:
    """The most that fit in so many free bytes of each device, None where not even the first does.
    A stated split is kept."""
    everything = _everything(settings, model, free)
    if everything is not None:
        return everything
    if len(settings.devices) > 1 and not settings.split and not settings.one_device:
        return _filled(settings, model, free)
    return _searched(settings, model, free)


def _everything(settings: Settings, model: ModelShape, free: Sequence[int]) -> Choice | None:
    slots = model.blocks + 1
    if len(settings.devices) == 1 or settings.split or settings.one_device:
        return _tried(replace(settings, layers=ALL), model, free)
    for shift in _SHIFTS:
        shares = (free[0] * (1 + shift), *(float(f) for f in free[1:]))
        split = in_proportion(slots, shares)
        choice = _tried(replace(settings, layers=ALL, split=split), model, free)
        if choice is not None:
            return choice
    return None


def in_proportion(slots: int, shares: Sequence[float]) -> tuple[float, ...]:
    """Whole layers in proportion; evenly where there is nothing to share."""
    if not any(shares):
        shares = (1.0,) * len(shares)
    total, before, counts = sum(shares), 0, []
    for at in range(len(shares)):
        upto = round(slots * sum(shares[: at + 1]) / total)
        counts.append(float(upto - before))
        before = upto
    return tuple(counts)


def _searched(settings: Settings, model: ModelShape, free: Sequence[int]) -> Choice | None:
    """On one device, or with a stated split."""

    def asked(layers: int) -> Settings:
        return replace(settings, layers=layers)

    return _most(asked, model, free, range(model.blocks + 1))


def _filled(settings: Settings, model: ModelShape, free: Sequence[int]) -> Choice | None:
    """From the last device, which has the output layer, to the first: each with as many as fit."""
    counts = [0] * len(settings.devices)
    best = _tried(_with_counts(settings, counts), model, free)
    for device in reversed(range(len(counts))):

        def asked(count: int, device: int = device) -> Settings:
            return _with_counts(settings, [*counts[:device], count, *counts[device + 1 :]])

        more = _most(asked, model, free, range(1, model.blocks + 2 - sum(counts)))
        if more is not None:
            best = more
            counts[device] = more.layers - sum(counts)
    return best


def _most(
    asked: Callable[[int], Settings], model: ModelShape, free: Sequence[int], among: range
) -> Choice | None:
    """The last that fits: it is near the end that weights and caches alone set."""
    low, high, best, near = among[0], among[-1], None, 0
    while low <= high:
        middle = (low + high) // 2
        if _may_fit(asked(middle), model, free):
            low = middle + 1
        else:
            high = middle - 1
    low = among[0]
    while low <= high:
        middle = max((low + high) // 2, high - near)
        choice = _tried(asked(middle), model, free)
        if choice is None:
            high, near = middle - 1, 2 * near + 1
        else:
            low, best = middle + 1, choice
    return best


def _with_counts(settings: Settings, counts: Sequence[int]) -> Settings:
    layers = sum(counts)
    split = tuple(float(count) for count in counts) if layers else ()
    return replace(settings, layers=layers, split=split)


def _tried(settings: Settings, model: ModelShape, free: Sequence[int]) -> Choice | None:
    if not _may_fit(settings, model, free):  # nothing has to be replayed
        return None
    told = forecast(settings, model)
    layers = model.blocks + 1 if settings.layers == ALL else settings.layers
    return Choice(layers, settings.split, told) if told.fits(free) else None


def _may_fit(settings: Settings, model: ModelShape, free: Sequence[int]) -> bool:
    kept = kept_bytes(settings, model)
    return all(sum(kept[device]) <= room for device, room in enumerate(free))


def host_experts(blocks: int) -> str:
    """The pattern of the experts' tensors of so many blocks, from the first."""
    return rf"blk\.({'|'.join(map(str, range(blocks)))})\.ffn_(up|down|gate|gate_up)_(ch|)exps"
