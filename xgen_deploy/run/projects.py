"""The projects on a host, as their records there say."""

from collections.abc import Callable
from dataclasses import dataclass

from xgen_deploy.errors import XgenError
from xgen_deploy.limits import PROJECTS, RECORD
from xgen_deploy.state.control_node import ControlNode
from xgen_deploy.state.field_types import is_project_name
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout, process_layout, system_layout
from xgen_deploy.state.record import Record, read_record
from xgen_deploy.transport.base import HostError, Session

_ASK = 30.0


@dataclass(frozen=True)
class HostProject:
    """`record` None: it cannot be used, and `error` says why, as a clause."""

    layout: Layout
    record: Record | None
    error: str | None = None

    @property
    def name(self) -> str:
        return self.layout.project


def host_projects(
    session: Session, host: Host, control_node: ControlNode
) -> tuple[HostProject, ...]:
    """By name; a folder without a record is none. Those of the process runtime are looked for on
    this machine alone. Raises XgenError where the host is lost.
    """
    ways: list[Callable[[str], Layout]] = [system_layout]
    if host.connection == "local":
        ways.append(lambda project: process_layout(project, control_node.state_home))
    layouts = (layout_of(name) for layout_of in ways for name in _names(session, layout_of))
    projects = (_project(session, layout, host.name) for layout in layouts)
    return tuple(project for project in projects if project is not None)


def _names(session: Session, layout_of: Callable[[str], Layout]) -> list[str]:
    folder = layout_of("p").state_dir.rpartition("/")[0]
    done = session.run(["ls", folder], timeout=_ASK)
    names = done.stdout.split("\n") if done.returncode == 0 else []
    return sorted(filter(is_project_name, names))[:PROJECTS]


def _project(session: Session, layout: Layout, host: str) -> HostProject | None:
    try:
        content = session.read_file(layout.record, limit=RECORD)
    except HostError as error:  # another user's
        return HostProject(layout, None, error.reason)
    if content is None:
        return None
    try:
        record = read_record(content.decode(errors="replace"), layout.project, host)
    except XgenError as error:
        return HostProject(layout, None, str(error).removeprefix(f"{host}: "))
    return HostProject(layout, record)
