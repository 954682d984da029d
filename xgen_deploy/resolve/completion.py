"""What the tool states where the manifest does not, and where an older version left that open."""

from xgen_deploy.backends.base import Backend
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import InstanceRecord


def completed(
    config: InstanceConfig,
    spec: Spec,
    backend: Backend,
    model: ModelFacts,
    last: InstanceRecord | None,
) -> Spec:
    """What was applied without it stays as it is until something of it changes. Raises Refused."""
    if last is not None and last.digest == spec.digest:
        return spec
    whole = backend.completed(spec)
    if last is None or last.digest != whole.digest:
        backend.check_completed(config, whole, model)
    return whole


def completed_as(spec: Spec, before: Spec, backend: Backend) -> Spec:
    """Completed where the spec before was."""
    return backend.completed(spec) if before == backend.completed(before) else spec
