"""Refuses a host that is to be changed by a login that may not do that there. Pure."""

from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.resolve.host_rights import no_programs, not_root
from xgen_deploy.state.facts import UnwritableFolder
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.site import Site


def with_rights(
    site: Site, plans: Mapping[str, HostPlan], observations: Mapping[str, Observation]
) -> dict[str, HostPlan]:
    """The plans, with what forbids the change; what stays as it is needs no rights."""
    return {
        name: replace(plan, refusals=plan.refusals + _missing(site, observations[name]))
        if name in observations and (plan.operations or plan.left)
        else plan
        for name, plan in plans.items()
    }


def _missing(site: Site, observation: Observation) -> tuple[Refusal, ...]:
    name, facts = observation.host, observation.facts
    host = site.hosts[name]
    refusal = no_programs(name, facts) or not_root(host, facts, observation.layout)
    if refusal is not None:
        return (refusal,)
    by_place = {folder.at: folder for folder in reversed(facts.unwritable)}
    return tuple(_closed(name, facts.user, by_place[at]) for at in reversed(by_place))


def _closed(host: str, user: str, folder: UnwritableFolder) -> Refusal:
    at = "" if folder.at == folder.path else f" ({folder.at})"
    match folder.why:
        case "read-only":
            reason = f"{folder.path}{at} is on a file system that is mounted read-only"
            way_out = (
                "Mount it for writing. Where the system's image keeps it so (NixOS, for one), "
                "xgen-deploy cannot be used."
            )
        case "immutable":
            reason = f"{folder.path}{at} is immutable"
            way_out = f"If nothing needs that: `chattr -i {folder.at}` there."
        case "denied":
            reason = f"{user} may not write to {folder.path}{at}"
            way_out = f"Look there at `ls -ld {folder.at}`"
            if user == "root":
                way_out += " and at what confines root (SELinux, a container, root_squash of NFS)"
            way_out += "."
    return Refusal(host=host, reason=reason, hint=way_out)
