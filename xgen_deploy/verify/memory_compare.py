"""Holds what was forecast of an instance's memory against what its engine then reported. Pure."""

from collections.abc import Iterator, Sequence

from xgen_deploy.state.forecast_record import DeviceForecast, ForecastRecord
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.load_report import DeviceReport, LoadReport

_OFF = 0.05
_LITTLE_MIB = 1.0  # reports are rounded


def misjudged(
    spec: Spec, told: ForecastRecord | None, report: LoadReport | None
) -> tuple[str, ...]:
    """A clause for each GPU whose forecast was off by more than 5 %; nothing where some of what is
    loaded was known to be left out.
    """
    if told is None or not told.whole or report is None:
        return ()
    if len(told.devices) != len(report.devices):
        return ()
    pairs = zip(told.devices, report.devices, strict=True)
    return tuple(_clause(spec, report, *pair) for pair in pairs if _is_off(*pair))


def compared(told: ForecastRecord | None, devices: Sequence[DeviceReport] | None) -> Iterator[str]:
    """A clause for each GPU, with both."""
    if told is None or not told.whole or devices is None or len(told.devices) != len(devices):
        return
    about = "" if told.exact else "about "
    for need, device in zip(told.devices, devices, strict=True):
        parts = (
            f"{name} {taken:.1f} MiB ({about}{forecast:.1f} forecast)"
            for name, forecast, taken in _parts(need, device)
            if taken
        )
        yield f"{device.name}: {', '.join(parts)}"


def _is_off(need: DeviceForecast, device: DeviceReport) -> bool:
    forecast, taken = _totals(need, device)
    return abs(forecast - taken) > max(_LITTLE_MIB, _OFF * taken)


def _clause(spec: Spec, report: LoadReport, need: DeviceForecast, device: DeviceReport) -> str:
    forecast, taken = _totals(need, device)
    sizes = ", ".join(f"{name} {a:.1f}/{b:.1f}" for name, a, b in _parts(need, device))
    layers = "" if spec.n_gpu_layers is None else f", n_gpu_layers {spec.n_gpu_layers}"
    cache = f"{spec.llama.cache_type_k or 'f16'}/{spec.llama.cache_type_v or 'f16'}"
    return (
        f"{device.name}: {forecast:.1f} MiB were forecast, and the engine took "
        f"{taken:.1f}; please report it, with: {spec.backend} {report.version or '(build unknown)'}"
        f" on {len(report.devices)} GPU{'s'[: len(report.devices) != 1]}, n_ctx {spec.n_ctx}, "
        f"slots {report.slots or '?'}{layers}, cache {cache}, forecast/taken {sizes} MiB"
    )


def _parts(need: DeviceForecast, device: DeviceReport) -> tuple[tuple[str, float, float], ...]:
    return (
        ("weights", need.weights_mib, device.model_mib),
        ("cache", need.cache_mib, device.kv_mib),
        ("compute", need.compute_mib, device.compute_mib),
    )


def _totals(need: DeviceForecast, device: DeviceReport) -> tuple[float, float]:
    forecast, taken = zip(*((a, b) for _, a, b in _parts(need, device)), strict=True)
    return sum(forecast), sum(taken)
