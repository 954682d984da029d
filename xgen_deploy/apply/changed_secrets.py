"""Whether a secret has another value than the one that was delivered: known to apply alone.

The delivered file is read back over the same connection and compared in memory; neither value
is shown, kept or logged.
"""

from xgen_deploy.apply.secrets import references, resolve_secrets
from xgen_deploy.layout import Layout
from xgen_deploy.manifest.host import Host
from xgen_deploy.manifest.placement import Site
from xgen_deploy.plan.make import decide
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.render.instance import Rendering
from xgen_deploy.resolve.instance import Instance
from xgen_deploy.transport.base import Connection, Session


def changed_secrets(
    site: Site,
    host: Host,
    facts: HostFacts,
    layout: Layout,
    rendering: Rendering,
    connection: Connection,
) -> frozenset[str]:
    """Names of instances that run with an older value; what the plan refuses is left out. Raises
    XgenError for a secret that cannot be resolved.
    """
    decided = decide(site, host, facts, layout, rendering)
    known = decided.record.instances if decided.record else {}
    applied = [i for i in decided.resolved.instances if references(i) and i.name in known]
    if not applied:
        return frozenset()
    with connection.session() as session:
        return frozenset(i.name for i in applied if _differs(i, rendering, session))


def _differs(instance: Instance, rendering: Rendering, session: Session) -> bool:
    rendered = rendering.render(instance, resolve_secrets(instance, session))
    return any(session.read_file(f.path) != f.content.encode() for f in rendered.files if f.secret)
