"""What the instances that are to be started will take of memory. Pure; a forecast takes some
milliseconds.
"""

from collections.abc import Mapping

from xgen_deploy.backends.forecasting import forecast_of
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.plan import HostPlan, Operation


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
    return replace(
        operation, instance=replace(instance, forecast=forecast_of(instance, facts.models))
    )
