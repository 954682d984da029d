"""The spec of an instance with nothing left to choose: its backend, model, context and settings."""

from dataclasses import dataclass

from xgen_deploy.backends.base import Backend
from xgen_deploy.resolve.backend_choice import choose_backend
from xgen_deploy.resolve.completion import completed
from xgen_deploy.resolve.features import find_features
from xgen_deploy.resolve.gpus import Picked
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.models import decide_context
from xgen_deploy.resolve.settings import engine_settings
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine, Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import InstanceRecord


@dataclass(frozen=True)
class Specified:
    """`layers` counts as the engine does, None where the model does not tell. `notes` are for the
    reader of the plan."""

    config: InstanceConfig
    spec: Spec
    backend: Backend
    engine: Engine
    model: ModelFacts
    gpus: tuple[GPUInfo, ...]
    layers: int | None
    notes: tuple[str, ...]


def specify(
    config: InstanceConfig, inputs: HostInputs, picked: Picked, *, on_trial: bool = False
) -> Specified:
    """`on_trial`: no port is taken for it. Raises Refused."""
    last = inputs.record.instances.get(config.name)
    backend, engine, model, source = choose_backend(config, inputs, picked.gpus)
    n_ctx, note = decide_context(config, backend.context_limit(model))
    features = find_features(config, backend, model, inputs.models, on_gpu=bool(picked.gpus))
    settings = engine_settings(config, backend, model, picked.gpus, n_ctx)
    spec = Spec(
        model=config.model,
        also_serves=inputs.also_serves[config.model] if backend.checks_model_name else (),
        type=config.type,
        backend=engine.backend,
        runtime=config.runtime,
        source=source,
        revision=config.revision if not source.startswith("/") else None,
        sha256=config.sha256 if model.quantized is None else None,
        model_path=model.path or source,
        model_state=model.state,
        config_format=model.config_format,
        image=engine.image,
        entrypoint=engine.entrypoint if engine.override_entrypoint else None,
        binary=engine.binary,
        engine_state=engine.state,
        gpus=tuple(g.known_as(last.spec.gpus if last else ()) for g in picked.gpus),
        n_ctx=n_ctx,
        n_gpu_layers=settings.layers.offloaded,
        sampling=config.sampling,
        mmproj=features.mmproj,
        draft=features.draft,
        loras=features.loras,
        chat_template=features.chat_template,
        **settings.own,
        api_key=config.api_key,
        env=config.env,
        container=config.container,
        listen=config.listen or inputs.listen,
        port=_trial_port(config, last) if on_trial else inputs.ports.take(config),
    )
    notes = (*features.notes, *settings.notes, *((note,) if note else ()))
    return Specified(
        config=config,
        spec=completed(config, spec, backend, model, last),
        backend=backend,
        engine=engine,
        model=model,
        gpus=picked.gpus,
        layers=settings.layers.total,
        notes=notes,
    )


def _trial_port(config: InstanceConfig, last: InstanceRecord | None) -> int:
    return last.spec.port if last is not None else config.port or config.ports[0]
