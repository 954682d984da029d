"""What a model takes of memory with all that is loaded beside it: whoever asks, asks here. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.fit.layers import Choice
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine, Instance, Spec
from xgen_deploy.state.record import InstanceRecord

_ROUNDS = 4


@dataclass(frozen=True)
class Forecasting:
    """A model in a build; `files` are all that is known of its host's files."""

    backend: Backend
    engine: Engine
    model: ModelFacts
    files: Sequence[ModelFacts] = field(default=(), repr=False)

    def of(self, spec: Spec, gpus: tuple[GPUInfo, ...]) -> Forecast | None:
        """None where it is not known."""
        told = self.backend.forecast(spec, self.model, gpus, self.engine)
        return told and self._whole(told, spec, gpus)

    def may_fit(self, spec: Spec, gpus: tuple[GPUInfo, ...], free: Sequence[int]) -> bool:
        """False where so many bytes of each GPU are too few in any case: asked first, it saves
        most forecasts of who looks for what fits.
        """
        least = self.backend.least_of(spec, self.model, gpus, self.engine)
        if least is None or len(least) != len(free):
            return True
        return all(size <= room for size, room in zip(least, free, strict=True))

    def most_layers(
        self, spec: Spec, gpus: tuple[GPUInfo, ...], free: Sequence[int]
    ) -> Choice | None:
        """As `Backend.most_layers`, with room for what is beside them. Adapters take the less the
        fewer layers there are: what fitted too easily is tried again."""
        best, room = None, free
        for _ in range(_ROUNDS):
            choice = self.backend.most_layers(spec, self.model, gpus, self.engine, room)
            if choice is None or (best is not None and choice.layers <= best.layers):
                break
            whole = self._with_choice(choice, spec, gpus)
            if whole.fits(free):
                best = replace(choice, forecast=whole)
            elif best is not None:
                break
            if whole.devices == choice.forecast.devices:  # nothing is beside them
                break
            room = _without(free, whole, choice.forecast)
        return best

    def left_beside(
        self, spec: Spec, gpus: tuple[GPUInfo, ...], free: Sequence[int]
    ) -> Sequence[int]:
        """What of so much is left to the model by what is beside it."""
        if not spec.loads_more:
            return free
        told = self.backend.forecast(spec, self.model, gpus, self.engine)
        if told is None or len(told.devices) != len(free):
            return free
        return _without(free, self._whole(told, spec, gpus), told)

    def _with_choice(self, choice: Choice, spec: Spec, gpus: tuple[GPUInfo, ...]) -> Forecast:
        split = choice.split or spec.llama.tensor_split
        own = replace(spec, llama=replace(spec.llama, tensor_split=split))
        return self._whole(choice.forecast, own, gpus)

    def _whole(self, told: Forecast, spec: Spec, gpus: tuple[GPUInfo, ...]) -> Forecast:
        return self.backend.with_beside(told, spec, gpus, self.engine, self.files)


def forecasting_for(instance: Instance, files: Sequence[ModelFacts]) -> Forecasting | None:
    """None where its model, or its backend, is not known."""
    backend = backend_named(instance.spec.backend)
    model = next((f for f in files if f.path == instance.spec.model_path), None)
    if backend is None or model is None:
        return None
    return Forecasting(backend, instance.engine, model, files)


def forecast_of(instance: Instance, files: Sequence[ModelFacts]) -> Forecast | None:
    """Of the whole instance; None where it is not known."""
    asked = forecasting_for(instance, files)
    return asked.of(instance.spec, instance.gpus) if asked is not None else None


def forecast_after(
    instance: Instance, files: Sequence[ModelFacts], last: InstanceRecord | None
) -> Forecast | None:
    """The same, by what is known of its last start."""
    asked = forecasting_for(instance, files)
    if asked is None:
        return None
    told = last and asked.backend.forecast_after(instance.spec, asked.model, instance.gpus, last)
    return told or asked.of(instance.spec, instance.gpus)


def _without(free: Sequence[int], whole: Forecast, alone: Forecast) -> list[int]:
    pairs = zip(free, whole.devices, alone.devices, strict=True)
    return [max(0, size - (more.total - own.total)) for size, more, own in pairs]
