"""The end of an apply: the reporter's last line, the exit code, the webhook."""

from collections.abc import Mapping

from xgen_deploy.apply.host import ApplyIdentity
from xgen_deploy.apply.notify import Webhook, notify
from xgen_deploy.apply.outcomes import HostResult
from xgen_deploy.apply.user_interface import Reporter
from xgen_deploy.errors import XgenError
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.site import Site


def end(
    site: Site,
    plan: Plan,
    results: Mapping[str, HostResult | XgenError],
    identity: ApplyIdentity,
    report: Reporter,
    webhook: Webhook | str | None,
) -> int:
    """The exit code. What was wrong with the `webhook` has been said where it is a sentence."""
    whole = [r for r in results.values() if isinstance(r, HostResult)]
    errors = {n: r if isinstance(r, XgenError) else r.error for n, r in results.items()}
    lost = {n: e for n, e in errors.items() if e is not None}
    for name, error in lost.items():
        report.problem(name, str(error))
    for name in plan.unreachable:
        report.problem(name, plan.hosts[name].error or "unreachable")
    report.summary(identity, whole, len(lost), plan.unreachable)
    failed = bool(lost) or bool(plan.left_out) or not all(r.ok for r in whole)
    code = 1 if failed else plan.exit_code()
    if isinstance(webhook, Webhook):
        _notify(site, identity, code, report, webhook)
    return code


def _notify(
    site: Site, identity: ApplyIdentity, code: int, report: Reporter, webhook: Webhook
) -> None:
    summary: dict[str, object] = {
        "project": site.project,
        "what": identity.what,
        "number": identity.number,
        "by": identity.by,
        "exit_code": code,
    }
    error = notify(webhook, summary, report.events)
    if error:
        report.warning(error)
