"""What was forecast of an instance's memory when it was applied, as its host's record keeps it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.forecast import Forecast, Need
from xgen_deploy.state.load_report import MOST

_MIB = 1 << 20

Size = Annotated[float, Field(ge=0, le=2**31, allow_inf_nan=False)]


class DeviceForecast(Frozen):
    """One GPU, in MiB."""

    weights_mib: Size
    cache_mib: Size
    compute_mib: Size


def _few(devices: tuple[DeviceForecast, ...]) -> tuple[DeviceForecast, ...]:
    return devices[:MOST]


class ForecastRecord(Frozen):
    """`exact`: the engine's report should say the same. `whole`: nothing was left out of it that is
    known to be loaded too."""

    devices: Annotated[tuple[DeviceForecast, ...], AfterValidator(_few)] = ()
    exact: bool = True
    whole: bool = True


def recorded(told: Forecast | None) -> ForecastRecord | None:
    """Of an engine that takes a share, and of a split that it chooses itself, nobody knew more."""
    if told is None or not told.placed:
        return None
    return ForecastRecord(
        devices=tuple(map(_device, told.devices)),
        exact=told.exact,
        whole=told.share is None and not told.notes,
    )


def _device(need: Need) -> DeviceForecast:
    return DeviceForecast(
        weights_mib=_mib(need.weights),
        cache_mib=_mib(need.cache),
        compute_mib=_mib(need.compute + need.output),
    )


def _mib(size: int) -> float:
    return round(size / _MIB, 2)
