"""What llama-server takes of memory when it is started with these options."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xgen_deploy.backends.llama_asked import asked
from xgen_deploy.backends.llama_shape import NoForecast, sound_shape
from xgen_deploy.backends.llama_words import BadWords
from xgen_deploy.fit.cache import UnknownCache
from xgen_deploy.fit.forecast import forecast
from xgen_deploy.fit.placement import HOST, place
from xgen_deploy.fit.settings import Settings
from xgen_deploy.fit.shape import ModelShape
from xgen_deploy.fit.weights import weight_bytes
from xgen_deploy.state.facts import GGUFFacts
from xgen_deploy.state.forecast import Forecast, Need

Confidence = Literal["exact", "estimate", "unknown"]


@dataclass(frozen=True)
class Told:
    """By the devices' names. Of what is `unknown` the weights alone are told."""

    devices: tuple[str, ...]
    forecast: Forecast
    confidence: Confidence
    notes: tuple[str, ...]


def told_of_words(
    words: Sequence[str],
    model: GGUFFacts,
    *,
    backend: str,
    devices: Sequence[str],
    build: int | None = None,
    largest: int | None = None,
) -> Told:
    """`largest` in bytes; see `asked`. Raises NoForecast."""
    shape = sound_shape(model)
    try:
        start = asked(words, shape, backend=backend, devices=devices, build=build, largest=largest)
    except BadWords as error:
        raise NoForecast(str(error)) from None
    names = tuple(device.name for device in start.settings.devices)
    try:
        told = forecast(start.settings, shape)
    except UnknownCache:
        why = f"what {shape.architecture} remembers is not known: its weights alone are told"
        return Told(names, _weights(start.settings, shape), "unknown", (why, *start.notes))
    except (ArithmeticError, LookupError, ValueError):
        raise NoForecast("its header is no model's: its sizes contradict each other") from None
    doubts = start.doubts
    if not told.exact:
        doubts = (f"the graph of {shape.architecture} is not known: compute is estimated", *doubts)
    confidence: Confidence = "estimate" if doubts else "exact"
    return Told(names, told, confidence, (*doubts, *start.notes))


def _weights(settings: Settings, model: ModelShape) -> Forecast:
    weights = weight_bytes(settings, model, place(settings, model))
    needs = tuple(Need(weights[device], 0, 0) for device in range(len(settings.devices)))
    return Forecast(needs, Need(weights[HOST], 0, 0), exact=False)
