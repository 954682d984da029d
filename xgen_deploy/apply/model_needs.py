"""What needs models' files on a host: its projects' records, their last good applies, and the
manifest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xgen_deploy.apply.history import read_entries
from xgen_deploy.files.places import folder_of_build
from xgen_deploy.probe.observe import observe
from xgen_deploy.resolve.request import model_requests
from xgen_deploy.resolve.stated_files import model_files, stated_files
from xgen_deploy.run.projects import HostProject, host_projects
from xgen_deploy.run.run import Run
from xgen_deploy.state.facts import ProbeRequest
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import HistoryEntry
from xgen_deploy.state.stock import Need
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.read_only import ReadOnly

_GOOD_APPLIES = 2
MANIFEST = "the manifest"


@dataclass(frozen=True)
class Needs:
    """`unknown` are projects whose record cannot be used, each with why: what they need is not
    known."""

    paths: tuple[Need, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class _Declared:
    """Instances as they are asked for by something that `by` names."""

    by: str
    configs: tuple[InstanceConfig, ...]


def needs_on(run: Run, connection: Connection, *, history: bool) -> Needs:
    """`history`: with what the last good applies had. Raises XgenError where the host is lost."""
    host = run.site.hosts[connection.name]
    with connection.session() as session:
        projects = host_projects(session, host, run.control_node)
        applied = list(_applied(session, projects, run.site.project)) if history else []
    recorded = [need for project in projects for need in _recorded(project, run.site.project)]
    declared = [_Declared(MANIFEST, run.site.on(host.name)), *applied]
    located = [*_located(run, connection, host, declared), *_builds(host.archives, MANIFEST)]
    for each in declared:
        programs = (p for c in each.configs for p in (c.binary, *c.binaries.values()))
        located += _builds(filter(None, programs), each.by)
    unknown = tuple(f"{p.name}: {p.error}" for p in projects if p.record is None)
    return Needs((*recorded, *located), unknown)


def _recorded(project: HostProject, own: str) -> Iterator[Need]:
    for name, last in project.record.instances.items() if project.record else ():
        by = _by(project.name, name, own)
        for path in (last.spec.model_path, *(file.path for file in last.spec.beside)):
            yield Need(path, by)
        if last.spec.binary is not None:
            yield from _builds([last.spec.binary], by)


def _builds(programs: Iterable[str], by: str) -> Iterator[Need]:
    """Of programs of engine builds that were brought."""
    for program in programs:
        if (folder := folder_of_build(program)) is not None:
            yield Need(folder, by)


def _applied(session: Session, projects: Sequence[HostProject], own: str) -> Iterator[_Declared]:
    for project in projects:
        entries = read_entries(session, project.layout)
        for entry in [e for e in entries if _is_good(e)][-_GOOD_APPLIES:]:
            yield _Declared(_by(project.name, f"apply #{entry.apply.number}", own), entry.declared)


def _is_good(entry: HistoryEntry) -> bool:
    return entry.apply.outcome == "ok" and not entry.apply.is_maintenance


def _by(project: str, what: str, own: str) -> str:
    return what if project == own else f"{project}/{what}"


def _located(
    run: Run, connection: Connection, host: Host, declared: Sequence[_Declared]
) -> Iterator[Need]:
    """Where the probe finds what they ask for."""
    configs = tuple(config for each in declared for config in each.configs)
    request = ProbeRequest(
        project="",
        state_dir=run.layout(host.name).state_dir,
        etc_dir="/none",
        models=model_requests(host, configs),
    )
    facts = observe(ReadOnly(connection), request)
    paths = {model.key: model.path for model in facts.models if not model.missing}
    for each in declared:
        for config in each.configs:
            for stated in (*model_files(config), *stated_files(config, host)):
                path = paths.get(stated.key)
                if path is not None:
                    yield Need(path, each.by)
