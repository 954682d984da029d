"""Looks at a host: one connection and one round trip. What makes plans of it is not needed yet."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from xgen_deploy.errors import XgenError
from xgen_deploy.manifest.expand_home import expand_home
from xgen_deploy.probe.observe import observe
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout, process_layout, system_layout
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection

if TYPE_CHECKING:
    from xgen_deploy.render.instance import Rendering
    from xgen_deploy.render.templates import Templates


@dataclass(frozen=True)
class ControlNode:
    """What a command works with on this machine: its home, state folder, interpreter."""

    home: str = field(default_factory=lambda: str(Path.home()))
    state_home: str = field(default_factory=lambda: _state_home())
    python: str = sys.executable

    def layout(self, site: Site, host: Host) -> Layout:
        """Where the project lies on a host, by the runtime that holds there."""
        if (host.runtime or site.runtime) == "process":
            return process_layout(site.project, self.state_home)
        return system_layout(site.project)

    def rendering(self, site: Site, host: Host, templates: "Templates") -> "Rendering":
        from xgen_deploy.render.instance import Rendering

        return Rendering(self.layout(site, host), templates, self.python)


@dataclass(frozen=True)
class Seen:
    """A host as it was seen, or why it was not."""

    facts: HostFacts | None
    error: XgenError | None = None


def localized(site: Site, control_node: ControlNode) -> Site:
    """`~/` replaced where a host is this machine."""
    return expand_home(site, control_node.home)


def look(
    connection: Connection,
    site: Site,
    host: Host,
    control_node: ControlNode,
    *,
    health: bool = False,
) -> HostFacts:
    """One observation of one host."""
    layout = control_node.layout(site, host)
    return observe(connection, probe_request(site, host, layout, health=health))


def _state_home() -> str:
    stated = os.environ.get("XDG_STATE_HOME", "")
    return stated if stated.startswith("/") else str(Path.home() / ".local" / "state")
