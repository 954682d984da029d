"""What the tool states where the manifest does not, and where an older version left that open."""

from xgen_deploy.backends.base import Backend
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.record import InstanceRecord


def completed(spec: Spec, backend: Backend, last: InstanceRecord | None) -> Spec:
    """What was applied without it stays as it is until something of it changes."""
    return spec if last is not None and last.digest == spec.digest else backend.completed(spec)


def completed_as(spec: Spec, before: Spec, backend: Backend) -> Spec:
    """Completed where the spec before was."""
    return backend.completed(spec) if before == backend.completed(before) else spec
