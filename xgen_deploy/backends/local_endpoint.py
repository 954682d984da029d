"""How an engine is asked on its own host. Pure."""

from dataclasses import dataclass

from xgen_deploy.backends.base import KeyFile
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.endpoint import local_address
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import InstanceRecord


@dataclass(frozen=True)
class LocalEndpoint:
    """`key_file` has its key there, which `key_pattern` finds in it; None without a key, and where
    the engine takes its key from the environment.
    """

    address: str
    port: int
    key_file: str | None
    key_pattern: str | None


def local_endpoint(name: str, last: InstanceRecord, layout: Layout) -> LocalEndpoint:
    """Of an instance as it was applied last."""
    spec, backend = last.spec, backend_named(last.spec.backend)
    how = backend.api_key if backend is not None else None
    file = how if spec.api_key is not None and isinstance(how, KeyFile) else None
    return LocalEndpoint(
        address=local_address(spec.listen),
        port=spec.port,
        key_file=f"{layout.settings(name + last.slot)}/{file.name}" if file else None,
        key_pattern=file.pattern if file else None,
    )
