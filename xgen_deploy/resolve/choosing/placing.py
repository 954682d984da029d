"""An instance on certain GPUs, with what is left open held against a forecast. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from xgen_deploy.backends.forecasting import Forecasting
from xgen_deploy.fit.layers import in_proportion
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.choosing.available import Available
from xgen_deploy.resolve.choosing.candidates import Set
from xgen_deploy.resolve.choosing.longest_context import longest_context
from xgen_deploy.resolve.gpus import Picked
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.models import DEFAULT_CONTEXT
from xgen_deploy.resolve.specify import Specified, specify
from xgen_deploy.resolve.ways_out import Unfitting
from xgen_deploy.sizes import size_text
from xgen_deploy.state.choice import Choice
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import Refused, refuse

_LONGEST = 32768
_SHORTEST = 256


@dataclass(frozen=True)
class Fit:
    """A choice that fits these GPUs. `layers` None: all that were stated; `full`: the context is as
    long as it may be. `leaves_room`: for a second one beside it, None where nobody asks for that.
    """

    gpus: Set
    choice: Choice
    n_ctx: int
    layers: int | None = None
    full: bool = True
    leaves_room: bool | None = None

    @property
    def quality(self) -> tuple[int, int]:
        return self.n_ctx, self.layers or 0


@dataclass(frozen=True)
class Placing:
    config: InstanceConfig
    inputs: HostInputs
    available: Available
    gpus: Set

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Bytes of each GPU, without any those of the host. Raises Refused where it is unknown."""
        if not self.gpus:
            return (self._known(self.available.of_host(), "the host"),)
        return tuple(self._known(self.available.of(gpu), f"GPU {gpu.label}") for gpu in self.gpus)

    def as_before(self, choice: Choice) -> Fit | None:
        """None where it does not run so, and would not fit."""
        specified = self._specified(choice)
        last = self.inputs.record.instances.get(self.config.name)
        fit = Fit(self.gpus, choice, specified.spec.n_ctx)
        if last is not None and last.digest == specified.spec.digest:
            return fit
        return fit if choice != Choice() and self._fits(specified, specified.spec) else None

    def whole(self) -> Fit | None:
        """With all the layers, and the longest context. Raises Refused where it cannot be."""
        specified, (least, most) = self._first, self._contexts
        split = self._split(specified)
        base = _split_by(specified.spec, split)

        def fits(n_ctx: int, copies: int = 1) -> bool:
            return self._fits(specified, replace(base, n_ctx=n_ctx), copies)

        beside = longest_context(lambda n: fits(n, 2), least, most) if self._switches else None
        n_ctx = beside or longest_context(fits, least, most)
        if n_ctx is None:
            return None
        leaves_room = beside is not None if self._switches else None
        choice = self._choice(specified.spec.n_gpu_layers, n_ctx, split)
        return Fit(self.gpus, choice, n_ctx, full=n_ctx == most, leaves_room=leaves_room)

    def partial(self) -> Fit | None:
        """With the shortest context, and as many layers as fit then. Raises Refused."""
        if not self.gpus:
            return None
        specified, (least, _) = self._first, self._contexts
        spec = replace(specified.spec, n_ctx=least)
        most = self._forecasting(specified).most_layers(spec, self.gpus, self.free)
        if most is None:
            return None
        choice = self._choice(most.layers, least, most.split or None)
        return Fit(self.gpus, choice, least, most.layers, full=False)

    def split(self) -> Fit | None:
        """As it is stated, but split by what is free; None where its engine is told no split."""
        specified = self._specified(Choice())
        try:
            split = self._split(specified)
        except Refused:  # as before: the engine finds out
            return None
        choice = Choice(tensor_split=split)
        return None if split is None else Fit(self.gpus, choice, specified.spec.n_ctx)

    @property
    def shortage(self) -> "Shortage":
        """Of the tightest GPU, with the shortest context."""
        specified, (least, _) = self._first, self._contexts
        spec = _split_by(replace(specified.spec, n_ctx=least), self._split(specified))
        told = self._forecast(specified, spec)
        needs = [need.total for need in told.devices] or [told.host.total]
        lacks = [need - free for need, free in zip(needs, self.free, strict=True)]
        at = lacks.index(max(lacks))
        where = f"GPU {self.gpus[at].label}" if self.gpus else "the host's memory"
        if len(self.gpus) > 1:
            where += f", the tightest of {len(self.gpus)}"
        need, free = size_text(needs[at]), size_text(self.free[at])
        memory, shared = self.available.rooms.memory_beside(self.gpus)
        asked = Unfitting(
            forecasting=self._forecasting(specified),
            spec=spec,
            gpus=tuple(zip(self.gpus, self.free, strict=True)) if self.gpus else (),
            blocks=specified.layers,
            host=memory,
            shared=shared,
            split_stated=bool(self.config.llama.tensor_split),
        )
        return Shortage(lacks[at], f"it needs {need} of {where}, which has {free} to give", asked)

    @property
    def _switches(self) -> bool:
        """Whether a change could start the new one beside the old one."""
        auto = self.config.n_ctx == "auto" and self.config.update.strategy != "stop-first"
        return auto and self.inputs.has_gateway and self.config.port is None

    @cached_property
    def _first(self) -> Specified:
        return self._specified(Choice(n_ctx=_SHORTEST))

    @cached_property
    def _contexts(self) -> tuple[int, int]:
        """The shortest and the longest that will do."""
        if self.config.n_ctx != "auto":
            n_ctx = self._specified(Choice()).spec.n_ctx
            return n_ctx, n_ctx
        limit = self._first.backend.context_limit(self._first.model)
        most = min(self.config.max_ctx or _LONGEST, limit or DEFAULT_CONTEXT)
        return min(self.config.min_ctx or DEFAULT_CONTEXT, most), most

    def _specified(self, choice: Choice) -> Specified:
        picked = Picked(self.gpus, {})
        return specify(
            with_choice(self.config, choice, self.gpus), self.inputs, picked, on_trial=True
        )

    def _split(self, specified: Specified) -> tuple[float, ...] | None:
        own = specified.spec.llama
        told = specified.backend.offloads_layers and own.split_mode in (None, "layer")
        if len(self.gpus) < 2 or not told or own.tensor_split or specified.layers is None:
            return None
        stated = specified.spec.n_gpu_layers
        layers = stated if isinstance(stated, int) else specified.layers
        room = self._forecasting(specified).left_beside(specified.spec, self.gpus, self.free)
        return in_proportion(layers, room)

    def _choice(
        self, layers: int | Literal["all"] | None, n_ctx: int, split: Sequence[float] | None
    ) -> Choice:
        auto_gpus = not isinstance(self.config.gpus, tuple) and self.config.gpus != "all"
        return Choice(
            gpus=tuple(g.identity for g in self.gpus) if auto_gpus else None,
            n_ctx=n_ctx if self.config.n_ctx == "auto" else None,
            n_gpu_layers=layers if self.config.n_gpu_layers == "auto" else None,
            tensor_split=tuple(split) if split else None,
        )

    def _fits(self, specified: Specified, spec: Spec, copies: int = 1) -> bool:
        share = [free // copies for free in self.free]
        if self.gpus and not self._forecasting(specified).may_fit(spec, self.gpus, share):
            return False
        told = self._forecast(specified, spec)
        needs = told.devices if self.gpus else (told.host,)
        return all(n.total * copies <= f for n, f in zip(needs, self.free, strict=True))

    def _forecasting(self, specified: Specified) -> Forecasting:
        files = self.inputs.facts.models
        return Forecasting(specified.backend, specified.engine, specified.model, files)

    def _forecast(self, specified: Specified, spec: Spec) -> Forecast:
        told = self._forecasting(specified).of(spec, self.gpus)
        if told is None or len(told.devices) != len(self.gpus):
            raise refuse(
                self.config,
                f"what this model takes with {specified.backend.name} cannot be forecast, so "
                "nothing can be chosen for it",
                "State `gpus`, `n_ctx` and `n_gpu_layers`.",
            )
        return told

    def _known(self, free: int | None, where: str) -> int:
        if free is not None:
            return free
        raise refuse(
            self.config,
            f"the free memory of {where} cannot be measured, so nothing can be chosen by it",
            "State `gpus`, `n_ctx` and `n_gpu_layers`.",
        )


@dataclass(frozen=True)
class Shortage:
    """How many bytes are lacking at least, that as a clause, and what lacks them."""

    bytes: int
    reason: str
    asked: Unfitting


def with_choice(config: InstanceConfig, choice: Choice, gpus: Set) -> InstanceConfig:
    """The config with nothing left open."""
    layers = config.n_gpu_layers
    if layers == "auto":
        layers = choice.n_gpu_layers
        if layers is None:
            layers = "all" if gpus else 0
    split = choice.tensor_split or config.llama.tensor_split
    return replace(
        config,
        n_ctx=choice.n_ctx or config.n_ctx,
        n_gpu_layers=layers,
        llama=replace(config.llama, tensor_split=split),
    )


def _split_by(spec: Spec, split: tuple[float, ...] | None) -> Spec:
    return spec if split is None else replace(spec, llama=replace(spec.llama, tensor_split=split))
