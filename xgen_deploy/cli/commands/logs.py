"""`xgen-deploy logs`: the logs of instances and of the gateway."""

import sys
from datetime import UTC, datetime

import click

from xgen_deploy.cli.logs.previous import show_previous
from xgen_deploy.cli.logs.since import begin_of
from xgen_deploy.cli.logs.streams import (
    Target,
    follow_matching,
    matching_lines,
    show_lines,
    show_several,
)
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import instance_hosts, no_instance
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.run.logs.request import LogRequest, log_argv, pattern_of
from xgen_deploy.run.run import Run
from xgen_deploy.state.observation import records_of


@click.command("logs", cls=ManifestCommand)
@click.option("-f", "--follow", is_flag=True, help="Follow the log; Ctrl-C ends.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    help="The last LINES of each host; 200, or 10000 with --since or --grep.",
)
@click.option("--since", metavar="DATE", help="Since DATE: 2026-11-01T14:30 (UTC), or 30m, 12h.")
@click.option(
    "--grep", metavar="REGEX", help="Only lines that match; without a capital, in any case."
)
@click.option("--previous", is_flag=True, help="The log of the last failed attempt.")
@click.option("--raw", is_flag=True, help="Unescaped bytes; of one instance, to a file or a pipe.")
@host_options
@click.argument("instances", nargs=-1, metavar="[INSTANCE]...")
def command(
    settings: Settings,
    instances: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: str | None,
    grep: str | None,
    previous: bool,
    raw: bool,
) -> int:
    """Show the logs of INSTANCES, or of all of the manifest's; `gateway` is one too.

    Lines of several instances are in the order of their times, each with its host and instance.
    Control and other invisible characters are spelled out, unless --raw is given.
    """
    _check(settings, follow=follow, previous=previous, since=since, raw=raw)
    begin = begin_of(since, datetime.now(UTC))
    request = LogRequest(lines, begin.timestamp() if begin else None, pattern_of(grep), follow)
    screen = Screen(settings)
    with open_run(settings, brings=False) as run:
        targets = _targets(run, instances)
        if len(targets) > 1 and (raw or (previous and settings.json)):
            raise UsageError("--raw, and --previous with --json, show one instance: name it")
        if previous:
            return show_previous(run, targets, request, screen, raw=raw)
        if len(targets) == 1:
            return _one(run, targets[0], request, screen, raw=raw)
        return show_several(run, targets, request, screen)


def _check(
    settings: Settings, *, follow: bool, previous: bool, since: str | None, raw: bool
) -> None:
    if raw and (sys.stdout.isatty() or settings.json):
        raise UsageError(
            "--raw needs a file or a pipe: a log may contain terminal control sequences"
        )
    if settings.json and follow:
        raise UsageError("--json cannot follow a log; leave out -f")
    if previous and (follow or since):
        raise UsageError("--previous is one attempt's whole log; leave out -f and --since")


def _targets(run: Run, names: tuple[str, ...]) -> tuple[Target, ...]:
    """Each instance on each of its hosts. One that the manifest has no more is known where a host's
    record has it. Raises XgenError for other names."""
    known = instance_hosts(run.site)
    hosts = {name: known.get(name, ()) for name in names or known}
    missing = [name for name, on in hosts.items() if not on]
    if missing:
        observed = run.observe()
        records = records_of(observed)
        for name in missing:
            hosts[name] = tuple(h for h, r in records.items() if name in r.instances)
            if not hosts[name]:
                error = no_instance(run.site, name, known)
                lost = [o for o in observed.values() if isinstance(o, XgenError)]
                raise XgenError("\n".join(map(str, (error, *lost)))) if lost else error
    return tuple(Target(host, name) for name, on in hosts.items() for host in on)


def _one(run: Run, target: Target, request: LogRequest, screen: Screen, *, raw: bool) -> int:
    argv = log_argv(run.layout(target.host), (target.instance,), request)
    connection = run.connections[target.host]
    if request.pattern is None and not screen.json:
        return connection.follow(argv, raw=raw)
    if request.follow:
        return follow_matching(connection, argv, request, raw=raw)
    show_lines(screen, target, matching_lines(connection, argv, request), raw=raw)
    return 0
