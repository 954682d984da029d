"""The sentence for a plan without operations: what holds, what waits, and why. Pure."""

from xgen_deploy.state.plan import HostPlan, Plan

_NAMED = 5
_OTHERWISE = {
    "nothing": "nothing of the project is left",
    "stop": "nothing is left to stop",
    "start": "nothing is left to start",
    "restart": "nothing may be restarted",
}


def nothing_sentence(plan: Plan) -> str:
    """A sentence without a full stop."""
    if plan.against not in ("manifest", "record"):
        why = _OTHERWISE.get(plan.against, "")
        return f"nothing to do: {why} on {_count(len(plan.hosts), 'host')}"
    held = [clause for host in plan.hosts.values() for clause in _held(host)]
    good = [
        name
        for host in plan.hosts.values()
        for name in host.unchanged
        if name not in (*host.stopped, *host.left_alone)
    ]
    kept = _kept(plan, len(good))
    if not held:
        return f"nothing to do: {kept}"
    more = len(held) - _NAMED
    shown = [*held[:_NAMED], *([f"{more} more wait"] if more > 0 else [])]
    return "nothing is done now: " + "; ".join([*([kept] if good else []), *shown])


def _kept(plan: Plan, good: int) -> str:
    are, they = ("is", "it was") if good == 1 else ("are", "they were")
    as_what = f"{they} last applied" if plan.against == "record" else f"{plan.manifest_file} says"
    return f"{_count(good, 'instance')} on {_count(len(plan.hosts), 'host')} {are} as {as_what}"


def _held(host: HostPlan) -> list[str]:
    stopped = [
        f"{name} stays stopped"
        + (", its changes wait until it is started" if name in host.waiting else "")
        for name in host.stopped
    ]
    alone = [
        f"{name} is left as it is" + (", its changes wait" if name in host.waiting else "")
        for name in host.left_alone
    ]
    return [*stopped, *alone, *(f"{name} is not changed yet" for name in host.held)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s'[: number != 1]}"
