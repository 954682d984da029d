"""One instance of one host: its backend, GPUs, context, layers and port decided."""

import re

from xgen_deploy.frozen import replace
from xgen_deploy.resolve.adoption import check_adoption
from xgen_deploy.resolve.choosing.choose import choose
from xgen_deploy.resolve.entrypoints import taken_to_serve
from xgen_deploy.resolve.extra_args import check_extra_args
from xgen_deploy.resolve.gpu_devices import gpu_access
from xgen_deploy.resolve.gpus import Picked, ordinals
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.late_files import late_files
from xgen_deploy.resolve.linked_folders import linked_folders
from xgen_deploy.resolve.models import other_revision
from xgen_deploy.resolve.specify import specify
from xgen_deploy.state.facts import DOCKER_UNIT
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.instance_config import InstanceConfig


def resolve_instance(
    config: InstanceConfig, inputs: HostInputs, before: list[Instance], project: str
) -> Instance:
    """`before` are the instances of this host that were resolved already. Raises Refused."""
    last = inputs.record.instances.get(config.name)
    chosen = choose(config, inputs, before)
    picked = chosen.picked
    specified = specify(chosen.config, inputs, picked)
    backend, engine, model = specified.backend, specified.engine, specified.model
    access = gpu_access(config, picked.gpus, backend, inputs.facts)
    unknown_program = taken_to_serve(backend, engine)
    unchecked = check_extra_args(config, backend, engine, inputs.host, inputs.models)
    spec = specified.spec
    linked = linked_folders(config, spec, inputs.host, inputs.models)
    late = late_files(spec, inputs.models, linked)
    adopts = inputs.adopts.get(config.name)
    if adopts is not None:
        check_adoption(config, adopts, inputs.adopted_ports[config.name], spec.port)
    return Instance(
        host=config.host,
        project=project,
        name=config.name,
        declared=replace(config, chosen=chosen.choice),
        spec=spec,
        engine=engine,
        gpus=picked.gpus,
        ordinals=ordinals(picked.gpus, inputs.facts.gpu.gpus),
        total_layers=specified.layers,
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
                *chosen.why,
                *specified.notes,
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
