"""From a locked host and what was seen of it to everything that changing it needs."""

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.service_manager import ServiceManager
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.systemd import Systemd
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.control_node import ControlNode
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.record import read_record
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Session


def arrive(
    site: Site,
    control_node: ControlNode,
    name: str,
    session: Session,
    facts: HostFacts,
    secrets: SecretResolver,
) -> HostContext:
    """`secrets` are those of the whole apply. Raises XgenError for a record it cannot use."""
    host = site.hosts[name]
    layout = control_node.layout(site, host)
    rendering = control_node.rendering(site, host, Templates(read_templates()))
    service_manager: ServiceManager
    if layout.process_dir is None:
        service_manager = Systemd(name, session)
    else:
        service_manager = Supervisord(
            name, session, layout, rendering.supervisor(), control_node.python
        )
    return HostContext(
        name=name,
        session=session,
        layout=layout,
        rendering=rendering,
        service_manager=service_manager,
        record=read_record(facts.record, site.project, name),
        python=facts.python_path,
        secrets=secrets,
    )
