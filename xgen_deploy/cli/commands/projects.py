"""`xgen-deploy projects`: whose instances, ports and GPUs are on a host."""

import time
from collections.abc import Iterator, Mapping

import click
from rich.markup import escape

from xgen_deploy.backends.registry import short_name_of
from xgen_deploy.cli.named_hosts import named_host_options, open_named
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.screen import Screen, aligned
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.projects import (
    HostEntry,
    InstanceEntry,
    ProjectEntry,
    ProjectsDocument,
)
from xgen_deploy.errors import XgenError, exit_code_of, reason_of
from xgen_deploy.plan.headlines import ago
from xgen_deploy.probe.observe import observe_machine
from xgen_deploy.run.projects import HostProject, host_projects
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.record import ApplyRecord, Record
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Entries = Mapping[str, tuple[ProjectEntry, ...] | XgenError]


@click.command("projects")
@named_host_options
def command(settings: Settings, hosts: tuple[str, ...]) -> int:
    """Show which projects are on each HOST, with their instances, ports and GPUs, the manifest and
    who applied it last.

    HOST is as ssh takes it, or with -i a host or group of the inventory. No manifest is needed.
    """
    with open_named(hosts, settings) as run:

        def read_host(connection: Connection) -> tuple[ProjectEntry, ...]:
            gpus = observe_machine(connection).gpu.gpus
            with connection.session() as session:
                host = run.site.hosts[connection.name]
                projects = host_projects(session, host, run.control_node)
            return tuple(_entry(project, gpus) for project in projects)

        entries = each(list(run.connections.values()), read_host)
    screen = Screen(settings)
    errors = [e for e in entries.values() if isinstance(e, XgenError)]
    screen.lines(_lines(entries, time.time()), always=bool(errors))
    screen.value(
        ProjectsDocument(
            hosts={host: _host_entry(projects) for host, projects in entries.items()},
            errors=tuple(host_errors(entries)),
        )
    )
    return exit_code_of(errors)


def _entry(project: HostProject, gpus: tuple[GPUInfo, ...]) -> ProjectEntry:
    record = project.record
    if record is None:
        return ProjectEntry(project=project.name, error=project.error)
    return ProjectEntry(
        project=project.name,
        last_apply=record.last_apply,
        origin=record.origin,
        hosts=record.hosts,
        instances=tuple(_instances(record, gpus)),
    )


def _instances(record: Record, gpus: tuple[GPUInfo, ...]) -> Iterator[InstanceEntry]:
    index = {name: gpu.index for gpu in gpus for name in gpu.names}
    for name, last in sorted(record.instances.items()):
        spec = last.spec
        cards = tuple(index[gpu] for gpu in spec.gpus if gpu in index)
        yield InstanceEntry(
            instance=name,
            model=spec.model,
            backend=spec.backend,
            port=spec.port,
            gpus=None if spec.gpus and not cards else cards,
            stopped=last.stopped is not None,
        )
    if record.gateway is not None:
        yield InstanceEntry(
            instance=GATEWAY,
            model=None,
            backend="haproxy",
            port=record.gateway.spec.port,
            gpus=(),
            stopped=record.gateway.stopped is not None,
        )


def _host_entry(projects: tuple[ProjectEntry, ...] | XgenError) -> HostEntry:
    if isinstance(projects, XgenError):
        return HostEntry(reachable=False, error=reason_of(projects))
    return HostEntry(reachable=True, projects=projects)


def _lines(entries: Entries, now: float) -> Iterator[str]:
    for host, projects in entries.items():
        if isinstance(projects, XgenError):
            reason = escape(reason_of(projects))
            yield f"[bold]{escape(host)}[/bold]  [red]UNREACHABLE[/red]  {reason}"
            continue
        yield f"[bold]{escape(host)}[/bold]" + ("" if projects else "  no project")
        for project in projects:
            yield from _project_lines(project, now)


def _project_lines(project: ProjectEntry, now: float) -> Iterator[str]:
    if project.error is not None:
        yield f"  {escape(project.project)}  [red]{escape(project.error)}[/red]"
        return
    last = _last_apply(project.last_apply, now) if project.last_apply else "never applied"
    yield f"  [bold]{escape(project.project)}[/bold]  {escape(last)}"
    if project.last_apply is not None:
        yield f"    [dim]{escape(_manifest(project, project.last_apply))}[/dim]"
    rows = [_cells(instance) for instance in project.instances or ()]
    yield from (f"    {escape(line)}" for line in (aligned(rows) if rows else ()))


def _last_apply(apply: ApplyRecord, now: float) -> str:
    outcome = apply.outcome or "not ended"
    ended = "" if outcome == "ok" else f": {outcome.upper()}"
    return f"{apply.what} #{apply.number} {apply.by} {ago(now - apply.began)} ago{ended}"


def _manifest(project: ProjectEntry, apply: ApplyRecord) -> str:
    """Its name as that was given, and where it is kept where that is known."""
    kept = f" = {project.origin}" if project.origin and project.origin.repository else ""
    return f"{apply.manifest}{kept}" + (f", commit {apply.git}" if apply.git else "")


def _cells(entry: InstanceEntry) -> tuple[str, ...]:
    stopped = "stopped" if entry.stopped else ""
    if entry.model is None:
        return entry.instance, entry.backend, f":{entry.port}", "", stopped
    gpus = "?" if entry.gpus is None else ",".join(map(str, entry.gpus))
    device = "CPU" if entry.gpus == () else f"GPU {gpus}"
    return entry.instance, short_name_of(entry.backend), f":{entry.port}", device, stopped
