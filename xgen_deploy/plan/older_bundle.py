"""A bundle that is older than the last one that was applied: an old stick, or one that somebody
kept for the day that its engines have a known hole. Pure."""

from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.record import Record


def with_older_bundles(
    plans: Mapping[str, HostPlan], records: Mapping[str, Record], bundle: BundleOrigin | None
) -> dict[str, HostPlan]:
    """With a refusal on each such host."""
    if bundle is None or bundle.older:
        return dict(plans)
    return {
        host: _held(plan, last, bundle)
        if (last := _last(records.get(host))) is not None and last.serial > bundle.serial
        else plan
        for host, plan in plans.items()
    }


def _last(record: Record | None) -> BundleOrigin | None:
    return record.bundle if record is not None else None


def _held(plan: HostPlan, last: BundleOrigin, bundle: BundleOrigin) -> HostPlan:
    refusal = Refusal(
        host=plan.host,
        instance=None,
        reason=f"{bundle.file} has serial {bundle.serial}, and {last.serial} was applied here last "
        f"({last.file})",
        hint="Take the newer bundle; `--older` takes this one all the same.",
    )
    return replace(plan, refusals=(*plan.refusals, refusal))
