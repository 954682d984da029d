"""The machine that xgen-deploy runs on, as far as it matters to the hosts."""

from dataclasses import dataclass

from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout, process_layout, system_layout
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class ControlNode:
    """`home` and `state_home` ($XDG_STATE_HOME) are the login's, `python` is this interpreter."""

    home: str
    state_home: str
    python: str

    def layout(self, site: Site, host: Host) -> Layout:
        """The project's paths on a host, which depend on the host's runtime."""
        if (host.runtime or site.runtime) == "process":
            return process_layout(site.project, self.state_home)
        return system_layout(site.project)
