"""What `stop`, `start` and `restart` share: chosen by name, planned, asked, carried out."""

import time
from dataclasses import replace

from xgen_deploy.cli.carry_out import NEXT, carry_out
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.take import How
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.maintenance import Maintaining, Request
from xgen_deploy.run.run import Run


def maintain(
    run: Run, settings: Settings, action: Maintaining, names: tuple[str, ...], *, yes: bool
) -> int:
    """The exit code."""
    request = Request(action, _wanted(run, names))
    how = How(yes=yes, what=action, maintain=request)
    if not settings.json:
        return carry_out(run, settings, how)
    if not yes:
        raise UsageError("there is no terminal to ask at; give -y to carry this plan out")
    return _as_document(run, settings, how, request)


def _as_document(run: Run, settings: Settings, how: How, request: Request) -> int:
    """Nothing is shown but one JSON document, at the end."""
    began = time.monotonic()
    seen = run.observe(then=NEXT)
    from xgen_deploy.cli.applying import Applying
    from xgen_deploy.cli.progress import Gathering

    told = Gathering()
    code = Applying(run, replace(settings, json=False, quiet=True), how, told).go(seen, began)
    hosts = told.by_host(request.wanted)
    for name, one in seen.items():
        if one.facts is None and name in hosts:
            hosts[name]["error"] = str(one.error)
    Screen(settings).value({"hosts": hosts})
    return code


def _wanted(run: Run, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """By host: those of these names, or all where none is named. Raises UsageError for a name
    that no host of the manifest has.
    """
    wanted: dict[str, tuple[str, ...]] = {}
    for one in run.site.declared:
        if not names or one.name in names:
            wanted[one.host] = (*wanted.get(one.host, ()), one.name)
    unknown = set(names) - {n for mine in wanted.values() for n in mine}
    if unknown:
        known = ", ".join(sorted({d.name for d in run.site.declared}))
        raise UsageError(f"there is no instance {', '.join(sorted(unknown))}; there are {known}")
    return wanted
