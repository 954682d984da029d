"""What the instances that are to be started will take of memory. Pure; only for these, since a
forecast takes some milliseconds.
"""

from collections.abc import Mapping

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.plan import HostPlan, Operation


def with_forecasts(
    hosts: Mapping[str, HostPlan], facts: Mapping[str, HostFacts]
) -> dict[str, HostPlan]:
    return {
        name: replace(plan, operations=tuple(_with(o, facts[name]) for o in plan.operations))
        if name in facts and plan.operations
        else plan
        for name, plan in hosts.items()
    }


def _with(operation: Operation, facts: HostFacts) -> Operation:
    instance = operation.instance
    if instance is None:
        return operation
    spec, backend = instance.spec, backend_named(instance.spec.backend)
    model = next((m for m in facts.models if m.path == spec.model_path), None)
    if backend is None or model is None:
        return operation
    told = backend.forecast(spec, model, instance.gpus, instance.engine)
    return replace(operation, instance=replace(instance, forecast=told))
