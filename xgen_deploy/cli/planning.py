"""From what was seen to the plan on the screen and in a file, and its exit code."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.build import default_scope, make_plan
from xgen_deploy.plan.json_form import plan_json
from xgen_deploy.plan.make import record_in
from xgen_deploy.plan.saved import save
from xgen_deploy.plan.text import plan_text
from xgen_deploy.run.control_node import Seen
from xgen_deploy.run.run import Run
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.plan import Plan


@dataclass(frozen=True)
class Accepting:
    """What a plan does only where it was asked for (see plan/make.py, Scope)."""

    repin: bool
    refresh: bool


def planned(
    run: Run,
    seen: Mapping[str, Seen],
    settings: Settings,
    *,
    began: float,
    accepting: Accepting,
    output: str | None,
) -> Plan:
    """Made, shown, and written to `output`. `began` is in monotonic seconds."""
    repin, refresh = accepting.repin, accepting.refresh
    scopes = {h: default_scope(run.site, h, repin=repin, refresh=refresh) for h in seen}
    plan = make_plan(run.site, seen, run.control_node, scopes)
    screen = Screen(settings)
    lines = plan_text(plan, time.monotonic() - began, verbose=settings.verbose)
    screen.lines(lines, always=bool(plan.refusals or plan.unreachable))
    if output is not None and not plan.refusals:
        saved = save(plan, run.site, tuple(lines), refresh=refresh)
        write_file(output, saved.model_dump_json(exclude_none=True))
    screen.value(plan_json(plan))
    return plan


def as_applied(run: Run) -> Run:
    """The same hosts with what their records say was last applied. Unreachable ones keep what
    the manifest says: they are reported as such later.
    """
    declared: list[InstanceConfig] = []
    for name, one in run.observe().items():
        if one.facts is None:
            declared += run.site.on(name)
            continue
        try:
            record = record_in(one.facts, run.site.project, name)
        except XgenError:  # which its own plan will refuse
            declared += run.site.on(name)
            continue
        declared += [  # a record speaks for its own host and instance alone
            replace(r.declared, host=name, name=instance)
            for instance, r in record.instances.items()
            if r.declared
        ]
    site = replace(run.site, declared=tuple(declared))
    return Run(site, run.control_node, run.connections)


def write_file(path: str, text: str) -> None:
    """Whole or not at all. Only the owner may read it: it names hosts and files. Raises
    UsageError."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():  # a pipe, a device
            _write(target, text)
            return
        beside = target.with_name(f"{target.name}.new")
        try:
            _write(beside, text)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=_private) as file:
        file.write(text + "\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def exit_code(plan: Plan, *, detailed: bool = False) -> int:
    """The first that holds: 1 refused or nobody reached, 4 some host not reached, 2 or 3, 0."""
    if plan.refusals:
        return 1
    if plan.unreachable:
        return 4 if len(plan.unreachable) < len(plan.hosts) else 1
    if detailed and plan.operations:
        return 3 if all(o.action == "repair" for o in plan.operations) else 2
    return 0
