"""Units that an older version of this tool wrote, which run unchanged until `--refresh`. Pure."""

from collections.abc import Iterable, Mapping

from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.record import Record

OLDER_UNIT = "its unit was written by an older xgen-deploy"


def outdated(record: Record, unchanged: Iterable[str]) -> tuple[str, ...]:
    """Which of these instances run units of an older version; stopped ones are left out."""
    known = ((name, record.instances.get(name)) for name in unchanged)
    return tuple(
        name
        for name, last in known
        if last is not None and last.stopped is None and last.unit_version < UNIT_VERSION
    )


def outdated_warning(plans: Mapping[str, HostPlan]) -> tuple[str, ...]:
    """One warning for all hosts, or none."""
    names = [name for plan in plans.values() for name in plan.outdated]
    count = sum(name != GATEWAY for name in names)
    who = [f"{count} instance{'s'[: count != 1]}"] if count else []
    who += ["the gateway"] if GATEWAY in names else []
    if not who:
        return ()
    verb = "runs a unit" if len(who) == 1 and count <= 1 else "run units"
    renew = "renew with `xgen-deploy apply --refresh`"
    return (f"{' and '.join(who)} {verb} of an older xgen-deploy; {renew}",)
