"""Whether a secret has another value than the one that was delivered: known to apply alone.

The delivered file is read back over the same connection and compared in memory; neither value
is shown, kept or logged.
"""

from xgen_deploy.apply.secrets import references, resolve_secrets, secret_value
from xgen_deploy.gateway.config import keys_text
from xgen_deploy.gateway.demand import is_door
from xgen_deploy.gateway.paths import keys_file
from xgen_deploy.gateway.spec import GATEWAY, DoorSpec
from xgen_deploy.layout import Layout
from xgen_deploy.manifest.host import Host
from xgen_deploy.manifest.placement import Site
from xgen_deploy.plan.make import decide
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.rendered import Secrets
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.instance import Instance
from xgen_deploy.template_files import read_templates
from xgen_deploy.transport.base import Connection, Session


def changed_secrets(
    site: Site,
    host: Host,
    facts: HostFacts,
    layout: Layout,
    rendering: Rendering,
    connection: Connection,
) -> frozenset[str]:
    """Names of instances, and `gateway`, that run with an older value; what the plan refuses is
    left out. Raises XgenError for a secret that cannot be resolved.
    """
    decided = decide(site, host, facts, layout, rendering)
    known = decided.record.instances if decided.record else {}
    applied = [i for i in decided.resolved.instances if references(i) and i.name in known]
    last = decided.record.gateway if decided.record else None
    door = last.spec if last and last.spec.secrets and is_door(site, host.name) else None
    if not applied and door is None:
        return frozenset()
    with connection.session() as session:
        found = {i.name for i in applied if _differs(i, rendering, session)}
        if door is not None and _door_differs(site, host, door, layout, session):
            found.add(GATEWAY)
    return frozenset(found)


def _door_differs(site: Site, host: Host, door: DoorSpec, layout: Layout, session: Session) -> bool:
    """Its own key and the engines'. A reference that the manifest no longer has is no question of
    values: the gateway's change shows by itself."""
    wanted = {d.api_key for d in site.declared} | {site.gateway.api_key if site.gateway else None}
    if not wanted.issuperset(door.secrets):
        return False
    where = f"{host.name}/{GATEWAY}"
    secrets = Secrets({ref: secret_value(ref, where, session) for ref in door.secrets})
    text = keys_text(door, secrets, Templates(read_templates()))
    return session.read_file(keys_file(layout)) != text.encode()


def _differs(instance: Instance, rendering: Rendering, session: Session) -> bool:
    rendered = rendering.render(instance, resolve_secrets(instance, session))
    return any(session.read_file(f.path) != f.content.encode() for f in rendered.files if f.secret)
