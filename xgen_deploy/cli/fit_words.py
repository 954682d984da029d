"""`fit FILE.gguf --backend …`: one start of llama-server, in its own words."""

from collections.abc import Sequence

from xgen_deploy.backends.llama_fit import Told, told_of_words
from xgen_deploy.backends.llama_shape import NoForecast
from xgen_deploy.cli.fit_quantized import as_estimate, quantized_here
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.fit import start_lines
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.fit import DeviceNeed, FitDocument, HostNeed, QuantizedEntry
from xgen_deploy.errors import XgenError
from xgen_deploy.hub.model_here import gguf_here
from xgen_deploy.state.forecast import Need

_MIB = 1 << 20


def fit_words(
    settings: Settings,
    words: Sequence[str],
    *,
    backend: str,
    devices: Sequence[str],
    build: int | None,
    largest_mib: int | None,
    quantize: str | None = None,
) -> int:
    """`settings.manifest` is the model's file. Raises XgenError."""
    path = settings.manifest
    model = gguf_here(path)
    made: QuantizedEntry | None = None
    if quantize is not None:
        model, made = quantized_here(model, quantize)
    largest = None if largest_mib is None else largest_mib * _MIB
    try:
        if model.gguf is None:
            raise NoForecast("it is no GGUF")
        told = told_of_words(
            words, model.gguf, backend=backend, devices=devices, build=build, largest=largest
        )
    except NoForecast as error:
        raise XgenError(f"{path}: {error}") from None
    if made is not None:
        told = as_estimate(told)
    screen = Screen(settings)
    screen.lines(start_lines(told, made))
    screen.value(_document(told, made))
    return 0


def _document(told: Told, made: QuantizedEntry | None) -> FitDocument:
    known, host = told.confidence != "unknown", told.forecast.host
    needs = zip(told.devices, told.forecast.devices, strict=True)
    return FitDocument(
        devices={name: _need(need, known=known) for name, need in needs},
        host=HostNeed(
            **_need(host, known=known).model_dump(), output_mib=_mib(host.output) if known else None
        ),
        confidence=told.confidence,
        notes=told.notes,
        quantized=made,
    )


def _need(need: Need, *, known: bool) -> DeviceNeed:
    if not known:
        weights = _mib(need.weights)
        return DeviceNeed(weights_mib=weights, kv_mib=None, compute_mib=None, total_mib=None)
    return DeviceNeed(
        weights_mib=_mib(need.weights),
        kv_mib=_mib(need.cache),
        compute_mib=_mib(need.compute),
        total_mib=_mib(need.total),
    )


def _mib(count: int) -> float:
    return round(count / _MIB, 4)
