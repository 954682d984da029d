"""`xgen-deploy stop`, `start` and `restart`: planned, shown and carried out like an apply."""

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out, observe_and_apply
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import instance_hosts, no_instance
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.plan.maintenance import Maintaining, Request
from xgen_deploy.resolve.gateway_needs import gateway_hosts
from xgen_deploy.run.run import Run
from xgen_deploy.state.gateway import GATEWAY

_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask. Required without a terminal.")
_instances = click.argument("instances", nargs=-1)


@click.command("stop", cls=ManifestCommand)
@_yes
@host_options
@_instances
def stop(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Stop INSTANCES (default: all of the manifest's) until `xgen-deploy start`;
    `gateway` is one that has to be named.

    The plan is shown and confirmed first. Behind a gateway each instance is drained before it
    stops. Stopped instances stay stopped over boots and applies.
    """
    return _maintain(settings, "stop", instances, yes=yes)


@click.command("start", cls=ManifestCommand)
@_yes
@host_options
@_instances
def start(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Start stopped INSTANCES (default: all of the manifest's); `gateway` is one that has to be
    named.

    The plan is shown and confirmed first. Each instance must answer a real request before it
    counts as started.
    """
    return _maintain(settings, "start", instances, yes=yes)


@click.command("restart", cls=ManifestCommand)
@_yes
@host_options
@_instances
def restart(settings: Settings, instances: tuple[str, ...], yes: bool) -> int:
    """Restart INSTANCES (default: all of the manifest's); `gateway` is one that has to be named.

    The plan is shown and confirmed first. Behind a gateway each instance is drained before it
    stops; replicas of a model restart batch by batch, and each must answer a real request before
    the next. What was stopped stays stopped.
    """
    return _maintain(settings, "restart", instances, yes=yes)


def _maintain(
    settings: Settings, action: Maintaining, instances: tuple[str, ...], *, yes: bool
) -> int:
    """Returns the exit code."""
    with open_run(settings, brings=False) as run:
        request = Request(action, _requested(run, instances))
        options = ApplyOptions(yes=yes, what=action, maintain=request)
        if not settings.json:
            return carry_out(run, settings, options)
        if not yes:
            raise UsageError("cannot ask without a terminal; add -y to carry out this plan")
        return _as_document(run, settings, options, request)


def _as_document(run: Run, settings: Settings, options: ApplyOptions, request: Request) -> int:
    """Prints nothing but one JSON document, at the end."""
    from xgen_deploy.cli.screens.progress import Gathering
    from xgen_deploy.documents.maintain import MaintainDocument

    gathering = Gathering()
    lost: dict[str, str] = {}
    try:
        code, observed = observe_and_apply(run, settings, options, gathering)
        lost = {n: str(o) for n, o in observed.items() if isinstance(o, XgenError)}
    finally:
        hosts = {name: gathering.on(name, lost.get(name)) for name in request.instances}
        settings.output.document(MaintainDocument(hosts=hosts, errors=gathering.failed))
    return code


def _requested(run: Run, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Host -> its instances with these names (and the gateway); without names, all instances.
    Raises UsageError for a name that the manifest does not have.
    """
    requested: dict[str, tuple[str, ...]] = {}
    for instance in run.site.declared:
        if not names or instance.name in names:
            requested[instance.host] = (*requested.get(instance.host, ()), instance.name)
    if GATEWAY in names:
        for host in gateway_hosts(run.site):
            requested[host] = (*requested.get(host, ()), GATEWAY)
    known = instance_hosts(run.site)
    for name in names:
        if name not in known:
            raise no_instance(run.site, name, known)
    return requested
