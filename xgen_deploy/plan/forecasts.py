"""What the instances that are to be started will take of memory. Pure; a forecast takes some
milliseconds.
"""

from collections.abc import Mapping

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import HostFacts, ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import HostPlan, Operation


def forecast_of(instance: Instance, facts: HostFacts) -> Forecast | None:
    backend, model = backend_named(instance.spec.backend), model_of(instance, facts)
    if backend is None or model is None:
        return None
    spec, gpus, engine = instance.spec, instance.gpus, instance.engine
    told = backend.forecast(spec, model, gpus, engine)
    return told and backend.with_beside(told, spec, gpus, engine, facts.models)


def model_of(instance: Instance, facts: HostFacts) -> ModelFacts | None:
    return next((m for m in facts.models if m.path == instance.spec.model_path), None)


def with_forecasts(
    hosts: Mapping[str, HostPlan], facts: Mapping[str, HostFacts]
) -> dict[str, HostPlan]:
    """Also of what is only started again, for whoever asks to see it."""
    return {
        name: replace(plan, operations=tuple(_with(o, facts[name]) for o in plan.operations))
        if name in facts and plan.operations
        else plan
        for name, plan in hosts.items()
    }


def _with(operation: Operation, facts: HostFacts) -> Operation:
    instance = operation.instance
    if instance is None or instance.forecast is not None:
        return operation
    return replace(operation, instance=replace(instance, forecast=forecast_of(instance, facts)))
