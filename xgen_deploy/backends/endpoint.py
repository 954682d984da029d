"""An instance as the gateway needs to know it, by what its engine is."""

from xgen_deploy.backends.registry import backend_named, health_path_of
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.instance import Spec

# More than any engine has, and a number that HAProxy takes.
_MOST_SLOTS = 1 << 16
_UNKNOWN = 4


def endpoint_of(host: str, instance: str, spec: Spec, *, second: bool = False) -> Endpoint:
    """Of a resolved or recorded spec."""
    backend = backend_named(spec.backend)
    return Endpoint(
        host=host,
        instance=instance,
        model=spec.model,
        type=spec.type,
        listen=spec.listen,
        port=spec.port,
        slots=min(backend.slots(spec) if backend else _UNKNOWN, _MOST_SLOTS),
        health_path=health_path_of(spec.backend),
        api_key=spec.api_key,
        second=second,
    )
