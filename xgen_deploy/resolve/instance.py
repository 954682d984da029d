"""One instance of one host: its backend, GPUs, context, layers and port decided."""

import re

from xgen_deploy.resolve.adoption import check_adoption
from xgen_deploy.resolve.backend_choice import choose_backend
from xgen_deploy.resolve.completion import completed
from xgen_deploy.resolve.entrypoints import taken_to_serve
from xgen_deploy.resolve.extra_args import check_extra_args
from xgen_deploy.resolve.features import find_features
from xgen_deploy.resolve.gpu_devices import gpu_access
from xgen_deploy.resolve.gpus import Picked, ordinals, pick_gpus
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.late_files import late_files
from xgen_deploy.resolve.linked_folders import linked_folders
from xgen_deploy.resolve.memory_shares import check_memory
from xgen_deploy.resolve.models import decide_context, other_revision
from xgen_deploy.resolve.settings import engine_settings
from xgen_deploy.state.facts import DOCKER_UNIT
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.instance_config import InstanceConfig


def resolve_instance(
    config: InstanceConfig, inputs: HostInputs, before: list[Instance], project: str
) -> Instance:
    """`before` are the instances of this host that were resolved already. Raises Refused."""
    last = inputs.record.instances.get(config.name)
    picked = pick_gpus(
        config,
        inputs.host,
        inputs.facts.gpu.gpus,
        last.pins if last else {},
        last.spec.gpus if last else (),
        repin=inputs.repin,
    )
    backend, engine, model, source = choose_backend(config, inputs, picked.gpus)
    access = gpu_access(config, picked.gpus, backend, inputs.facts)
    n_ctx, note = decide_context(config, backend.context_limit(model))
    features = find_features(config, backend, model, inputs.models, on_gpu=bool(picked.gpus))
    settings = engine_settings(config, backend, model, picked.gpus, n_ctx)
    unknown_program = taken_to_serve(backend, engine)
    unchecked = check_extra_args(config, backend, engine, inputs.host, inputs.models)
    spec = Spec(
        model=config.model,
        also_serves=inputs.also_serves[config.model] if backend.checks_model_name else (),
        type=config.type,
        backend=engine.backend,
        runtime=config.runtime,
        source=source,
        revision=config.revision if not source.startswith("/") else None,
        sha256=config.sha256,
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
        port=inputs.ports.take(config),
    )
    spec = completed(config, spec, backend, model, last)
    linked = linked_folders(config, spec, inputs.host, inputs.models)
    late = late_files(spec, inputs.models, linked)
    adopts = inputs.adopts.get(config.name)
    if adopts is not None:
        check_adoption(config, adopts, inputs.adopted_ports[config.name], spec.port)
    starts = last is None or last.digest != spec.digest
    check_memory(config, backend, spec, picked.gpus, before, inputs.own_cgroups, starts=starts)
    return Instance(
        host=config.host,
        project=project,
        name=config.name,
        declared=config,
        spec=spec,
        engine=engine,
        gpus=picked.gpus,
        ordinals=ordinals(picked.gpus, inputs.facts.gpu.gpus),
        total_layers=settings.layers.total,
        model_size=model.size,
        pins=picked.pins,
        share=_sharing(picked, before),
        software_gpu=any(g.software for g in picked.gpus),
        groups=inputs.facts.groups,
        nodes=access.nodes,
        cdi=access.cdi,
        device_request=access.request,
        model_folders=(inputs.host.model_dir, inputs.host.hf_home),
        linked_folders=linked,
        awaited_files=late.awaited,
        mounted_folders=late.mounted,
        docker_cli=inputs.facts.docker.cli or "/usr/bin/docker",
        docker_unit=inputs.facts.docker.unit or DOCKER_UNIT,
        docker_userns=inputs.facts.docker.userns,
        systemd=_major(inputs.facts.systemd),
        slot=last.slot if last else "",
        adopts=adopts,
        splits_inputs=backend.splits_inputs(spec, model),
        notes=tuple(
            n
            for n in (
                *picked.notes,
                *features.notes,
                *settings.notes,
                note,
                unchecked,
                unknown_program,
                other_revision(config, model),
            )
            if n
        ),
    )


def _major(systemd: str | None) -> int | None:
    """Of `252` or `254.1-2`."""
    number = re.match(r"\d{1,6}", systemd or "")
    return int(number[0]) if number else None


def _sharing(picked: Picked, before: list[Instance]) -> tuple[str, ...]:
    own_gpus = {g.identity for g in picked.gpus}
    return tuple(i.name for i in before if own_gpus & {g.identity for g in i.gpus})
