"""What `stop`, `start` and `restart` share: chosen by name, planned, asked, carried out."""

import time
from dataclasses import replace

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.preload import APPLYING
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.plan.maintenance import Maintaining, Request
from xgen_deploy.run.run import Run


def maintain(
    run: Run, settings: Settings, action: Maintaining, names: tuple[str, ...], *, yes: bool
) -> int:
    """The exit code."""
    request = Request(action, _requested(run, names))
    options = ApplyOptions(yes=yes, what=action, maintain=request)
    if not settings.json:
        return carry_out(run, settings, options)
    if not yes:
        raise UsageError("there is no terminal to ask at; give -y to carry this plan out")
    return _as_document(run, settings, options, request)


def _as_document(run: Run, settings: Settings, options: ApplyOptions, request: Request) -> int:
    """Nothing is shown but one JSON document, at the end."""
    began = time.monotonic()
    observed = run.observe(preload=APPLYING)
    from xgen_deploy.apply.flow import Apply
    from xgen_deploy.cli.operator import TerminalOperator
    from xgen_deploy.cli.progress import Gathering

    gathering = Gathering()
    silent = replace(settings, json=False, quiet=True)
    operator = TerminalOperator(silent, options, gathering)
    code = Apply(run, options, operator).go(observed, began)
    hosts = gathering.by_host(request.wanted)
    for name, observation in observed.items():
        if isinstance(observation, XgenError) and name in hosts:
            hosts[name]["error"] = str(observation)
    Screen(settings).value({"hosts": hosts})
    return code


def _requested(run: Run, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
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
