"""Everything that a host is asked to run, decided at once: instances, refusals, warnings."""

import re
from dataclasses import dataclass

from xgen_deploy.backends.availability import Availability, available_backends
from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.resolve import engines, models
from xgen_deploy.resolve.gateway_needs import gateway_port, names_of_others, needed_listen
from xgen_deploy.resolve.gpu_devices import gpu_access
from xgen_deploy.resolve.gpus import Picked, ordinals, pick_gpus
from xgen_deploy.resolve.memory_shares import check_memory
from xgen_deploy.resolve.ports import Ports
from xgen_deploy.resolve.settings import engine_settings
from xgen_deploy.state.facts import EngineFacts, HostFacts, ModelFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Engine, Instance, Refusal, Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.ownership import mislabelled_containers
from xgen_deploy.state.record import Record
from xgen_deploy.state.refuse import Refused, refuse
from xgen_deploy.state.site import Site

_TALKING = {"pynvml", "torch.cuda", "nvidia-smi"}


@dataclass(frozen=True)
class Resolved:
    """`refused` names the instances that could not be decided: nothing is planned for them."""

    instances: tuple[Instance, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Here:
    """What every step on this host looks at."""

    host: Host
    facts: HostFacts
    record: Record
    available: Availability
    models: dict[str, ModelFacts]
    engines: dict[engines.BuildKey, EngineFacts]
    ports: Ports
    own: frozenset[str]
    repin: bool
    listen: str
    also: dict[str, tuple[str, ...]]


def resolve_host(
    site: Site, host: Host, facts: HostFacts, record: Record, layout: Layout, *, repin: bool = False
) -> Resolved:
    """Pure: the same manifest, facts and record give the same answer."""
    declared = site.on(host.name)
    recorded = {name: r.spec.port for name, r in record.instances.items()}
    gateway_host = gateway_port(site, host.name)
    recorded |= gateway_host
    names = frozenset(d.name for d in declared)
    services = frozenset(
        layout.service(n + slot) for n in names | recorded.keys() for slot in ("", SECOND)
    )
    boxes = {c.name: c for c in mislabelled_containers(facts, record, layout)}
    kept = names | (recorded.keys() if site.limited_models else gateway_host.keys())
    second = {n: r.other_port for n, r in record.instances.items() if n in kept and r.other_port}
    here = _Here(
        host=host,
        facts=facts,
        record=record,
        available=available_backends(facts.gpu.gpus),
        models={m.key: m for m in facts.models},
        engines={engines.build_key(e): e for e in facts.engines},
        ports=Ports(facts, recorded, second, declared, services, boxes, frozenset(kept)),
        own=_own_cgroups(services - boxes.keys(), services, facts),
        repin=repin,
        listen=needed_listen(site, host.name),
        also={d.model: names_of_others(site, d.model) for d in declared},
    )
    instances: list[Instance] = []
    refusals = list(_runtime_refusals(host, declared, facts))
    for one in declared if not refusals else ():
        try:
            instances.append(_resolve(one, here, instances, site.project))
        except Refused as error:
            refusals.append(error.refusal)
    if site.gateway is not None:
        instances = [replace(i, spare_port=here.ports.spare(i.declared)) for i in instances]
    return Resolved(tuple(instances), tuple(refusals), _warnings(facts, instances))


def _resolve(one: InstanceConfig, here: _Here, before: list[Instance], project: str) -> Instance:
    last = here.record.instances.get(one.name)
    picked = pick_gpus(
        one,
        here.host,
        here.facts.gpu.gpus,
        last.pins if last else {},
        last.spec.gpus if last else (),
        repin=here.repin,
    )
    backend, engine, model, source = _engine_and_model(one, here, picked.gpus)
    access = gpu_access(one, picked.gpus, backend, here.facts)
    n_ctx, note = models.decide_context(one, backend.context_limit(model))
    settings = engine_settings(one, backend, model, picked.gpus, n_ctx)
    spec = Spec(
        model=one.model,
        also_serves=here.also[one.model] if backend.checks_model_name else (),
        type=one.type,
        backend=engine.backend,
        runtime=one.runtime,
        source=source,
        revision=one.revision if not source.startswith("/") else None,
        sha256=one.sha256,
        model_path=model.path or source,
        model_state=model.state,
        image=engine.image,
        entrypoint=engine.entrypoint if engine.override_entrypoint else None,
        binary=engine.binary,
        engine_state=engine.state,
        gpus=tuple(g.known_as(last.spec.gpus if last else ()) for g in picked.gpus),
        n_ctx=n_ctx,
        n_gpu_layers=settings.layers.wanted,
        sampling=one.sampling,
        **settings.own,
        api_key=one.api_key,
        env=one.env,
        container=one.container,
        listen=one.listen or here.listen,
        port=here.ports.take(one),
    )
    starts = last is None or last.digest != spec.digest
    check_memory(one, backend, spec, picked.gpus, before, here.own, starts=starts)
    return Instance(
        host=one.host,
        project=project,
        name=one.name,
        declared=one,
        spec=spec,
        engine=engine,
        gpus=picked.gpus,
        ordinals=ordinals(picked.gpus, here.facts.gpu.gpus),
        total_layers=settings.layers.total,
        pins=picked.pins,
        share=_sharing(picked, before),
        software_gpu=any(g.software for g in picked.gpus),
        groups=here.facts.groups,
        nodes=access.nodes,
        cdi=access.cdi,
        device_request=access.request,
        model_folders=(here.host.model_dir, here.host.hf_home),
        docker_cli=here.facts.docker.cli or "/usr/bin/docker",
        systemd=_major(here.facts.systemd),
        slot=last.slot if last else "",
        notes=tuple(n for n in (*picked.notes, *settings.notes, note) if n),
    )


def _major(systemd: str | None) -> int | None:
    """Of `252` or `254.1-2`."""
    number = re.match(r"\d{1,6}", systemd or "")
    return int(number[0]) if number else None


def _engine_and_model(
    one: InstanceConfig, here: _Here, gpus: tuple[GPUInfo, ...]
) -> tuple[Backend, Engine, ModelFacts, str]:
    """The first source and backend that fit together. Raises Refused. Of two sources one may be
    missing here: a host needs the one that its backend takes.
    """
    reasons: dict[str, str] = {}
    unfit: set[str] = set()
    found: ModelFacts | None = None
    missing: Refused | None = None
    for source in models.sources(one).values():
        try:
            found = models.usable_model(one, _told_of(one, source, here))
        except Refused as error:
            missing = missing or error
            continue
        open_ = engines.candidates(one)
        model_format = found.format or "gguf"
        order = engines.order_for(model_format, gpus, open_, here.available.backends)
        left_out = {
            b: here.available.reasons[b]
            for b in engines.of_format(model_format, open_)
            if b not in order and b in here.available.reasons
        }
        reasons |= left_out
        unfit |= left_out.keys()
        for backend in order:
            try:
                return *_ready(one, backend, found, gpus, here), found, source
            except engines.Unfit as error:
                reasons[backend] = str(error)
                unfit.add(backend)
            except engines.NotReady as error:
                reasons[backend] = str(error)
    if missing is not None and found is None:
        raise missing
    if missing is not None:
        reasons["its other source"] = missing.refusal.reason
    model_format = (found.format if found else None) or "gguf"
    raise engines.no_backend(one, model_format, reasons, frozenset(unfit), here.host)


def _told_of(one: InstanceConfig, source: str, here: _Here) -> ModelFacts:
    """Raises Refused where the host left out a model that it was asked about."""
    facts = here.models.get(models.model_key(source, one.revision))
    if facts is None:
        raise refuse(one, f"the host did not say whether the model {source} is there", "", "source")
    return facts


def _ready(
    one: InstanceConfig, name: str, model: ModelFacts, gpus: tuple[GPUInfo, ...], here: _Here
) -> tuple[Backend, Engine]:
    backend = backend_named(name)
    if backend is None:
        raise engines.NotReady("not yet served by this version of xgen-deploy")
    if (model.format or "gguf") not in backend.formats:
        raise engines.NotReady(f"it does not take this format ({model.format})")
    cannot = engines.why_not(backend, gpus, here.available.reasons)
    if cannot is not None:
        raise engines.Unfit(cannot)
    request = engines.build_named(one, one.runtime, name)
    if request is None:
        raise engines.NotReady(
            "no image is named" if one.runtime == "docker" else "no binary is named"
        )
    return backend, engines.ready_engine(request, here.engines)


def _own_cgroups(
    boxes: frozenset[str], services: frozenset[str], facts: HostFacts
) -> frozenset[str]:
    """What the cgroups of this project's engines have in them: a unit, or a container's id.
    `boxes` are the names of its containers."""
    ids = {c.id for c in facts.docker.containers if c.name in boxes}
    return frozenset({f"{s}.service" for s in services} | ids)


def _sharing(picked: Picked, before: list[Instance]) -> tuple[str, ...]:
    mine = {g.identity for g in picked.gpus}
    return tuple(i.name for i in before if mine & {g.identity for g in i.gpus})


def _runtime_refusals(
    host: Host, declared: tuple[InstanceConfig, ...], facts: HostFacts
) -> tuple[Refusal, ...]:
    """What the runtime needs and the host lacks: refused once, not once an instance."""
    runtimes = {d.runtime for d in declared}
    found: list[Refusal] = []
    if runtimes & {"docker", "systemd"} and facts.systemd is None:
        found.append(
            Refusal(
                host=host.name,
                reason="systemd does not run here, and the docker and systemd runtimes need it",
                hint="use a host with systemd; on your own machine runtime: process needs none",
            )
        )
    if "docker" in runtimes and facts.docker.state != "ok":
        found.append(_docker_refusal(host, facts))
    return tuple(found)


def _docker_refusal(host: Host, facts: HostFacts) -> Refusal:
    docker = facts.docker
    out = {
        "absent": "install it (apt-get install docker.io, or Docker's own packages), "
        "or use runtime: systemd with `binaries:`",
        "down": "start it (systemctl start docker) and look at journalctl -u docker",
        "denied": "let the login use sudo (ansible_become), or put it into the docker group",
        "ok": "",
    }[docker.state]
    reason = {
        "absent": "Docker is not installed",
        "down": "the Docker daemon does not answer",
        "denied": "the Docker socket may not be opened by this login",
    }[docker.state]
    detail = f" ({docker.reason})" if docker.reason else ""
    return Refusal(host=host.name, reason=reason + detail, hint=out)


def _untold(gpu: GPUDetectionResult) -> list[str]:
    """NVIDIA's cards are there by the word of the kernel's files, and nothing can talk to them."""
    if _TALKING & set(gpu.detection_method.split("+")):
        return []
    failed = [a for a in gpu.attempts if not a.ok and not a.moot]
    why = "; ".join(f"{a.detector}: {a.reason}" for a in failed if a.detector in _TALKING)
    return [f"an engine may not start on its NVIDIA GPUs: {why or 'no tool of theirs is there'}"]


def _warnings(facts: HostFacts, instances: list[Instance]) -> tuple[str, ...]:
    found: list[str] = []
    docker = [i for i in instances if i.spec.runtime == "docker"]
    version = (facts.docker.version or "").split(".")[0]
    if docker and version.isdigit() and int(version) < 28:
        found.append(
            f"Docker {facts.docker.version} lets neighbours on the same network reach ports "
            "published on loopback; 28 and later do not"
        )
    for one in instances:
        if one.spec.listen not in ("127.0.0.1", "::1", "localhost") and one.spec.api_key is None:
            found.append(f"{one.name} listens on {one.spec.listen} without an api_key")
    if any(g.gpu_type is GPUType.NVIDIA for i in instances for g in i.gpus):
        found += _untold(facts.gpu)
    low_high = facts.ephemeral_ports
    for one in instances:
        if low_high and low_high[0] <= one.spec.port <= low_high[1]:
            found.append(
                f"{one.name}: port {one.spec.port} lies in the kernel's ephemeral range "
                f"{low_high[0]}-{low_high[1]} and may be taken by anyone"
            )
    return tuple(found)
