"""`xgen-deploy stop`, `start` and `restart`: chosen by name, planned, asked, carried out."""

import time
from dataclasses import replace

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.preload import APPLYING
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.plan.maintenance import Maintaining, Request
from xgen_deploy.run.run import Run

_yes = click.option("-y", "--yes", is_flag=True, help="Ask nothing. Needed without a terminal.")
_instances = click.argument("instances", nargs=-1)


@click.command("stop")
@_yes
@host_options
@_instances
def stop(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Stop INSTANCES (without names: all of the manifest's), and remember that.

    The plan is shown and asked about first. Behind a gateway each instance is drained before it
    stops. They stay stopped over boots and applies until `xgen-deploy start`.
    """
    return _maintain(settings, "stop", instances, yes=yes)


@click.command("start")
@_yes
@host_options
@_instances
def start(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Start INSTANCES that were stopped (without names: all of the manifest's).

    The plan is shown and asked about first. Each instance must answer a real request before it
    counts as started.
    """
    return _maintain(settings, "start", instances, yes=yes)


@click.command("restart")
@_yes
@host_options
@_instances
def restart(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Restart INSTANCES (without names: all of the manifest's).

    The plan is shown and asked about first. Behind a gateway each instance is drained before it
    stops; replicas of a model restart batch by batch, and each must answer a real request before
    the next. What was stopped stays stopped.
    """
    return _maintain(settings, "restart", instances, yes=yes)


def _maintain(
    settings: Settings, action: Maintaining, instances: tuple[str, ...], *, yes: bool
) -> int:
    """The exit code."""
    with open_run(settings) as run:
        request = Request(action, _requested(run, instances))
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
    requested: dict[str, tuple[str, ...]] = {}
    for instance in run.site.declared:
        if not names or instance.name in names:
            requested[instance.host] = (*requested.get(instance.host, ()), instance.name)
    known = {instance.name for instance in run.site.declared}
    unknown = set(names) - known
    if unknown:
        raise UsageError(
            f"there is no instance {', '.join(sorted(unknown))}; there are "
            f"{', '.join(sorted(known))}"
        )
    return requested
