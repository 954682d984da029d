"""From a locked host and what was seen of it to everything that changing it needs."""

from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.apply.service_manager import Supervision
from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.apply.systemd import Systemd
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.control_node import Workplace
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.record import read_record
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Session


def arrive(
    site: Site,
    workplace: Workplace,
    name: str,
    session: Session,
    facts: HostFacts,
    secrets: SecretResolver,
) -> HostAtWork:
    """`secrets` are those of the whole apply. Raises XgenError for a record it cannot use."""
    host = site.hosts[name]
    layout = workplace.layout(site, host)
    rendering = workplace.rendering(site, host, Templates(read_templates()))
    supervision: Supervision
    if layout.process_dir is None:
        supervision = Systemd(name, session)
    else:
        supervision = Supervisord(name, session, layout, rendering.supervisor(), workplace.python)
    return HostAtWork(
        name=name,
        session=session,
        layout=layout,
        rendering=rendering,
        supervision=supervision,
        record=read_record(facts.record, site.project, name),
        python=facts.python_path,
        secrets=secrets,
    )
