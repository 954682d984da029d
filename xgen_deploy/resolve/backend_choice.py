"""Which backend serves an instance: the first source and build that fit together on its host."""

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.resolve import engines, models
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.model_kind import usable_model
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import Refused


def choose_backend(
    config: InstanceConfig, inputs: HostInputs, gpus: tuple[GPUInfo, ...]
) -> tuple[Backend, Engine, ModelFacts, str]:
    """The first source and backend that fit together. Raises Refused. Of two sources one may be
    missing: a host needs the source that its backend takes.
    """
    reasons: dict[str, str] = {}
    unfit: set[str] = set()
    ways_out: dict[str, None] = {}
    model: ModelFacts | None = None
    missing: Refused | None = None
    for stated_format, source in models.sources(config).items():
        try:
            key = models.own_key(config, stated_format, source)
            model = usable_model(config, models.facts_of(config, key, inputs.models))
        except Refused as error:
            missing = missing or error
            continue
        open_ = engines.candidates(config)
        model_format = model.format or "gguf"
        order = engines.order_for(model_format, gpus, open_, inputs.available.backends)
        left_out = engines.left_out(model_format, gpus, open_, order, inputs.available.reasons)
        reasons |= left_out
        unfit |= left_out.keys()
        for backend in order:
            try:
                return *_ready(config, backend, model, gpus, inputs), model, source
            except engines.Unfit as error:
                reasons[backend] = str(error)
                unfit.add(backend)
            except engines.WrongProgram as error:
                reasons[backend] = str(error)
                ways_out[error.way_out] = None
            except engines.NotReady as error:
                reasons[backend] = str(error)
    if missing is not None and model is None:
        raise missing
    model_format = (model.format if model else None) or "gguf"
    if missing is not None:
        reasons["its other source"] = missing.refusal.reason
    elif not engines.of_format(model_format, engines.candidates(config)):
        raise engines.other_format(config, model_format)
    raise engines.no_backend(
        config, model_format, reasons, frozenset(unfit), inputs.host, tuple(ways_out)
    )


def _ready(
    config: InstanceConfig,
    name: str,
    model: ModelFacts,
    gpus: tuple[GPUInfo, ...],
    inputs: HostInputs,
) -> tuple[Backend, Engine]:
    backend = backend_named(name)
    if backend is None:
        raise engines.NotReady("unknown to this version of xgen-deploy")
    if (model.format or "gguf") not in backend.formats:
        raise engines.NotReady(f"it does not take this format ({model.format})")
    cannot = engines.why_not(backend, gpus, inputs.available.reasons)
    if cannot is not None:
        raise engines.Unfit(cannot)
    request = engines.build_named(config, config.runtime, name)
    if request is None:
        raise engines.NotReady(
            "no image is named" if config.runtime == "docker" else "no binary is named"
        )
    return backend, engines.ready_engine(request, inputs.engines)
