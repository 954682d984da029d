"""Gathers what `xgen-deploy support` writes. Nothing is changed on the hosts."""

import platform
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from rich.markup import escape
from rich.text import Text

from xgen_deploy import __version__
from xgen_deploy.apply.history import read_entries
from xgen_deploy.backends.log_errors import marked_errors
from xgen_deploy.cli.screens.status import status_lines
from xgen_deploy.cli.screens.support_text import HostReport, ProjectReport, SupportReport
from xgen_deploy.errors import XgenError
from xgen_deploy.plan.build import make_plan
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.text import plan_text
from xgen_deploy.probe.observe import observe_machine
from xgen_deploy.run.logs.request import LogRequest, log_argv
from xgen_deploy.run.projects import HostProject, host_projects
from xgen_deploy.run.run import Run
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.observation import Observed
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each
from xgen_deploy.verify.site_status import site_status
from xgen_deploy.visible import on_one_line

_OURS = ("click", "fabric", "jinja2", "paramiko", "pydantic", "pyyaml", "rich")
_ASK = 60.0
_LOG = 1 << 20  # bytes of a failed attempt's log
_LINES = 1000  # of the newest log
_ERRORS = 10
_APPLIES = 5
_INSTANCES = 100


def manifest_report(run: Run) -> SupportReport:
    """Of a manifest's hosts, with its plan and the states of its instances."""
    observed = run.observe(health=True)
    now = time.time()

    def read_host(connection: Connection) -> HostReport:
        observation = observed[connection.name]
        if isinstance(observation, XgenError):
            raise observation
        return _host_report(run, connection, observation.facts, run.site.project)

    return SupportReport(
        made=now,
        versions=_versions(),
        hosts=each(list(run.connections.values()), read_host),
        plan=_plain(_plan(run, observed, now)),
        status=_plain(status_lines(site_status(run.site, observed), now, None)),
    )


def named_report(run: Run) -> SupportReport:
    """Of hosts alone, with all projects there."""

    def read_host(connection: Connection) -> HostReport:
        return _host_report(run, connection, observe_machine(connection), None)

    return SupportReport(
        made=time.time(),
        versions=_versions(),
        hosts=each(list(run.connections.values()), read_host),
    )


def _host_report(
    run: Run, connection: Connection, facts: HostFacts, project: str | None
) -> HostReport:
    """`project` None: all that are there."""
    if facts.no_python is not None:
        return HostReport(facts, ())
    with connection.session() as session:
        projects = host_projects(session, run.site.hosts[connection.name], run.control_node)
        chosen = [p for p in projects if project in (None, p.name)]
        return HostReport(facts, tuple(_project_report(session, p) for p in chosen))


def _project_report(session: Session, project: HostProject) -> ProjectReport:
    if project.record is None:
        return ProjectReport(project)
    names = list(project.record.instances)[:_INSTANCES]
    entries = read_entries(session, project.layout)[-_APPLIES:]
    return ProjectReport(
        project,
        complaints={name: _errors(session, project.layout, name) for name in names},
        applies=tuple(entry.apply for entry in entries),
    )


def _errors(session: Session, layout: Layout, instance: str) -> tuple[str, ...]:
    """Of the last failed attempt, and of the newest log."""
    failed = session.read_file(layout.failed_log(instance), limit=_LOG) or b""
    newest = session.run(log_argv(layout, (instance,), LogRequest(lines=_LINES)), timeout=_ASK)
    lines = [*failed.decode(errors="replace").splitlines(), *newest.stdout.splitlines()]
    return tuple(dict.fromkeys(marked_errors(lines, _ERRORS)))


def _plan(run: Run, observed: Observed, now: float) -> list[str]:
    try:
        plan = make_plan(run.site, observed, DesiredState(run.site, run.renderer), {}, now=now)
    except XgenError as error:
        return [escape(str(error))]
    return plan_text(plan, 0.0)


def _plain(lines: list[str]) -> tuple[str, ...]:
    return tuple(Text.from_markup(on_one_line(line)).plain for line in lines)


def _versions() -> dict[str, str]:
    """Of this machine."""
    versions = {
        "xgen-deploy": __version__,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
    }
    for name in _OURS:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
