"""What the deploy dialog offers: models, hosts, what a host can run, its GPUs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.backends.availability import available_backends
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import XgenError
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.serve.page.asked_form import Form
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class BackendChoice:
    """`reason`: why it cannot be chosen; None where it can."""

    name: str
    reason: str | None


@dataclass(frozen=True)
class GPUChoice:
    """`free`, `total` in GiB, as text; None: not measurable."""

    index: int
    name: str
    free: str | None
    total: str | None
    chosen: bool


@dataclass(frozen=True)
class DeployForm:
    """`values` are what the fields show. `shares`: the engine that was chosen takes a share of its
    GPUs, and offloads no layers. `edits`: the instance is there already.
    """

    models: tuple[str, ...]
    hosts: tuple[str, ...]
    backends: tuple[BackendChoice, ...]
    gpus: tuple[GPUChoice, ...]
    values: Mapping[str, str]
    shares: bool
    edits: bool
    host_error: str | None


def deploy_form(
    site: Site,
    observed: Observed,
    models: tuple[str, ...],
    form: Form,
    edited: InstanceConfig | None,
) -> DeployForm:
    """`form` is what was chosen so far, `edited` the instance that is changed."""
    hosts = tuple(site.hosts)
    host = form.text("host") or (hosts[0] if hosts else "")
    look = observed.get(host)
    known = look if isinstance(look, Observation) else None
    values = _values(form, models, host, edited)
    backend = backend_named(values["backend"])
    return DeployForm(
        models=models,
        hosts=hosts,
        backends=_backends(site, host, known) if known else (),
        gpus=_gpus(known, form, edited) if known else (),
        values=values,
        shares=backend is not None and not backend.offloads_layers,
        edits=edited is not None,
        host_error=str(look) if isinstance(look, XgenError) else None,
    )


def _values(
    form: Form, models: tuple[str, ...], host: str, edited: InstanceConfig | None
) -> dict[str, str]:
    stated = _stated(edited) if edited is not None else {}
    fields = ("name", "backend", "n_gpu_layers", "n_ctx", "parallel", "gpu_memory_utilization")
    values = {name: form.text(name) or stated.get(name, "") for name in fields}
    values["host"] = host
    values["model"] = form.text("model") or stated.get("model") or (models[0] if models else "")
    return values


def _stated(edited: InstanceConfig) -> dict[str, str]:
    values = {
        "model": edited.model,
        "name": edited.name if edited.name != edited.model else None,
        "backend": edited.backend if edited.backend != "auto" else None,
        "n_gpu_layers": edited.n_gpu_layers,
        "n_ctx": edited.n_ctx,
        "parallel": edited.llama.parallel,
        "gpu_memory_utilization": edited.vllm.gpu_memory_utilization,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _chosen(form: Form, edited: InstanceConfig | None, first: int | None) -> frozenset[int]:
    """By index; of a new instance the host's first GPU, until somebody chose."""
    if form.text("chooses_gpus"):
        return frozenset(form.numbers("gpu"))
    if edited is None:
        return frozenset() if first is None else frozenset({first})
    stated = edited.gpus if isinstance(edited.gpus, tuple) else ()
    return frozenset(index for index in stated if isinstance(index, int))


def _backends(site: Site, host: str, look: Observation) -> tuple[BackendChoice, ...]:
    available = available_backends(look.facts.gpu.gpus)
    missing = not_ready(site, site.hosts[host], look.facts)
    # A build that no placement uses yet is looked at when the plan is made.
    missing = {b: why for b, why in missing.items() if not why.startswith("not checked")}
    return tuple(
        BackendChoice(name, missing.get(name) or available.reasons.get(name))
        for name in dict.fromkeys((*available.backends, *available.reasons))
    )


def _gpus(look: Observation, form: Form, edited: InstanceConfig | None) -> tuple[GPUChoice, ...]:
    gpus = look.facts.gpu.gpus
    chosen = _chosen(form, edited, gpus[0].index if gpus else None)
    return tuple(
        GPUChoice(
            index=gpu.index,
            name=gpu.device_name or gpu.gfx_version or str(gpu.gpu_type),
            free=_gib(gpu.memory_free_mb),
            total=_gib(gpu.memory_total_mb),
            chosen=gpu.index in chosen,
        )
        for gpu in gpus
    )


def _gib(mib: int | None) -> str | None:
    return None if mib is None else f"{mib / 1024:.1f}"
