"""A manifest written from a site: what the hosts keep of an apply, in one file without `extends:`,
groups or defaults. Pure.

Secrets are references. How hosts are reached and who is told of a change are left out: these are
the matter of whoever uses it.
"""

from collections.abc import Iterable, Mapping

from xgen_deploy.manifest.schema import Placement
from xgen_deploy.manifest.substitute import as_text
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site

Values = dict[str, object]
_OF_PLACEMENT = ("model", "name", "gpus", "port")
_OF_SITE = ("images", "binaries", "gateway", "monitoring")
_REQUIRED = ("models", "hosts")
# Of `accept`: a file of the machine that applies, and what it holds.
_OF_FILE = ("file", "vectors")
KEYS = ("project", "runtime", "pull", "ports", *_OF_SITE, "models", "hosts")
_LAYERS = "n_gpu_layers"
_FIELDS = tuple(
    name
    for name in Placement.model_fields
    if name in InstanceConfig.model_fields and name != _LAYERS
)
# Variable of an inventory -> field of a host.
VARIABLES = {
    "xgen_runtime": "runtime",
    "xgen_ports": "ports",
    "xgen_images": "images",
    "xgen_binaries": "binaries",
    "xgen_address": "client_address",
    "xgen_model_dir": "model_dir",
    "xgen_hf_home": "hf_home",
    "xgen_reserved_gpus": "reserved_gpus",
    "xgen_reserved_mb": "reserved_mb",
    "xgen_software_gpu": "software_gpu",
}


def as_applied(site: Site) -> Values:
    """With what `--limit` cut off."""
    configs = (*site.declared, *site.elsewhere)
    hosts = {**site.hosts, **site.other_hosts}
    ports = next((c.ports for c in configs if not hosts[c.host].ports), None)
    models = {c.model: _shared(configs, c.model) for c in configs}
    values: Values = {
        "project": site.project,
        "inventory": {"all": {"hosts": {name: _variables(h) for name, h in hosts.items()}}},
        "runtime": site.runtime,
        "pull": site.pull,
        "ports": None if ports is None else f"{ports[0]}-{ports[1]}",
        **site.model_dump(mode="json", exclude_none=True, include=set(_OF_SITE)),
        "models": models,
        "hosts": {
            name: [_placement(c, models[c.model]) for c in configs if c.host == name]
            for name in hosts
        },
    }
    if isinstance(gateway := values.get("gateway"), dict):
        gateway.pop("host", None)  # the first of `hosts`
    return {
        key: as_text(value)
        for key, value in values.items()
        if key in _REQUIRED or value not in (None, {})
    }


def _shared(configs: Iterable[InstanceConfig], model: str) -> Values:
    """The fields that are the same in all instances of a model, and its source."""
    of_model = [c for c in configs if c.model == model]
    all_fields = [_stated(c) for c in of_model]
    shared = {
        key: value
        for key, value in all_fields[0].items()
        if key == "source"
        or (key not in _OF_PLACEMENT and all(f.get(key) == value for f in all_fields))
    }
    layers = _model_layers(of_model)
    return shared if layers is None else {**shared, "n_gpu_layers": layers}


def _model_layers(of_model: Iterable[InstanceConfig]) -> object:
    """As the model stated them; on a CPU they became 0."""
    own = [c for c in of_model if not c.layers_here and c.n_gpu_layers is not None]
    return next((c.n_gpu_layers for c in sorted(own, key=lambda c: c.gpus == ())), None)


def _placement(config: InstanceConfig, shared: Mapping[str, object]) -> Values:
    fields = _stated(config)
    if config.layers_here or (config.gpus != () and config.n_gpu_layers != shared.get(_LAYERS)):
        fields[_LAYERS] = config.n_gpu_layers
    return {k: v for k, v in fields.items() if k == _LAYERS or shared.get(k) != v}


def _stated(config: InstanceConfig) -> Values:
    """Its fields as a placement has them, but for its layers."""
    fields = config.model_dump(
        mode="json", include=set(_FIELDS), exclude_none=True, exclude_defaults=True
    )
    if config.name == config.model:
        del fields["name"]
    accept = {k: v for k, v in fields.pop("accept", {}).items() if k not in _OF_FILE}
    fields |= {"accept": accept} if accept else {}
    return {key: fields[key] for key in (*_OF_PLACEMENT, *_FIELDS) if key in fields}


def _variables(host: Host) -> Values:
    unset = Host(name=host.name)
    stated = host.model_dump(mode="json", exclude_none=True)
    return {
        variable: stated[field]
        for variable, field in VARIABLES.items()
        if getattr(host, field) != getattr(unset, field)
    }
