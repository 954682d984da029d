"""Which instances of a host a plan removes. Pure."""

from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site


def leaving(site: Site, host: str, record: Record) -> frozenset[str]:
    """Those not in the manifest any more; with `--limit MODEL` what it does not name stays."""
    if site.limited_models:
        return frozenset()
    declared = {config.name for config in site.on(host)}
    return frozenset(record.instances.keys() | record.pending.keys()) - declared
