"""The plan as the contract's JSON."""

from xgen_deploy.state.plan import HostPlan, Operation, Plan

FORMAT_VERSION = 1


def plan_json(plan: Plan) -> dict[str, object]:
    """Keys are only ever added."""
    return {
        "format_version": FORMAT_VERSION,
        "project": plan.project,
        "fingerprint": plan.fingerprint,
        "summary": plan.summary(),
        "warnings": list(plan.warnings),
        "hosts": {name: _host(host) for name, host in plan.hosts.items()},
    }


def _host(host: HostPlan) -> dict[str, object]:
    return {
        "reachable": host.reachable,
        "error": host.error,
        "operations": [_operation(o) for o in host.operations],
        "unchanged": list(host.unchanged),
        "refusals": [
            {
                "instance": r.instance,
                "reason": r.reason,
                "way_out": r.hint or None,
                "at": str(r.mark) if r.mark else None,
            }
            for r in host.refusals
        ],
        "left_out": host.left_out,
        "warnings": list(host.warnings),
        "secrets_kept": list(host.secrets_kept),
    }


def _operation(operation: Operation) -> dict[str, object]:
    return {
        "id": operation.id,
        "instance": operation.name,
        "action": operation.action,
        "cause": operation.cause,
        "strategy": operation.strategy,
        "interrupts": operation.interrupts,
        "needs": list(operation.needs),
        "moves": operation.moves,
        "diff": [{"path": d.path, "before": d.before, "after": d.after} for d in operation.diff],
    }
