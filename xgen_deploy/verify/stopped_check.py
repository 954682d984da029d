"""What was stopped on purpose: no difference, unless it runs all the same. Pure."""

from xgen_deploy.plan.drift import is_up
from xgen_deploy.state.facts import ServiceFacts
from xgen_deploy.state.stopped import Stopped
from xgen_deploy.verify.checks import Check


def stopped_check(host: str, name: str, stopped: Stopped, service: ServiceFacts | None) -> Check:
    """`name` is an instance or the gateway; a stopped engine cannot be asked."""
    if not is_up(service):
        found = f"by {stopped.by}"
        return Check(host=host, instance=name, what="stopped on purpose", ok=True, found=found)
    starts = "uncordon" if stopped.cordon is not None else "start"
    found = (
        f"{stopped.by} stopped it, and it runs all the same, without a proof: a start was cut "
        f"short, or it was started by hand; `xgen-deploy {starts}` proves it, `stop` stops it"
    )
    return Check(host=host, instance=name, what="stopped", ok=False, found=found)
