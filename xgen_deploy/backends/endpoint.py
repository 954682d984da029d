"""An instance as the gateway needs to know it, by what its engine is."""

from xgen_deploy.backends.registry import backend_named, health_path_of
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig

# More than any engine has, and a number that HAProxy takes.
_MOST_SLOTS = 1 << 16
_UNKNOWN = 4


def endpoint_of(
    host: str,
    instance: str,
    spec: Spec,
    declared: InstanceConfig | None = None,
    *,
    second: bool = False,
) -> Endpoint:
    """Of a resolved or recorded spec. Further names are the manifest's word alone: `declared` is
    what it has for this instance.
    """
    backend = backend_named(spec.backend)
    return Endpoint(
        host=host,
        instance=instance,
        model=spec.model,
        names=further_names(spec, declared),
        type=spec.type,
        listen=spec.listen,
        port=spec.port,
        slots=min(backend.slots(spec) if backend else _UNKNOWN, _MOST_SLOTS),
        health_path=health_path_of(spec.backend),
        api_key=spec.api_key,
        second=second,
    )


def further_names(spec: Spec, declared: InstanceConfig | None) -> tuple[str, ...]:
    """Aliases and adapters that the engine answers to as it was started."""
    backend = backend_named(spec.backend)
    if declared is None or backend is None or declared.model != spec.model:
        return ()
    known = spec.also_serves if backend.checks_model_name else declared.aliases
    adapters = spec.loras if backend.names_adapters else {}
    return (
        *(name for name in declared.aliases if name in known),
        *(name for name in declared.loras if name in adapters),
    )
