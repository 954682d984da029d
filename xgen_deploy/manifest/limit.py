"""`--limit`: a site cut down to some hosts, groups or models."""

from collections.abc import Sequence

from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import nearest
from xgen_deploy.state.site import Site


def limit(site: Site, names: Sequence[str]) -> Site:
    """The part of a site that `names` stand for; no names, the whole site.

    Hosts, groups and models (or instances) may be mixed: the result is on one of the named hosts
    and of one of the named models, where either kind is named. Hosts, then groups, then models
    win where a name is several. What is cut stays in `elsewhere` and `other_hosts`; the gateway
    stays as stated, because what instances listen on depends on it.
    Raises UsageError for a name that is nothing of the site.
    """
    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if not wanted:
        return site
    models = {one.model for one in site.declared} | {one.name for one in site.declared}
    on = [host for name in wanted for host in _hosts(site, name)]
    of = [name for name in wanted if _is_model(site, name, models)]
    for name in wanted:
        if name not in site.hosts and name not in site.groups and name not in models:
            near = nearest(name, [*site.hosts, *site.groups, *sorted(models)])
            raise UsageError(f'--limit: no host, group or model "{name}".{near}')
    hosts = {name: host for name, host in site.hosts.items() if not on or name in on}
    if of:
        running = {one.host for one in site.declared if one.model in of or one.name in of}
        hosts = {name: host for name, host in hosts.items() if name in running}
    if not hosts:
        raise UsageError(f"--limit {','.join(wanted)}: nothing of this manifest is on those hosts")
    inside = [
        one.host in hosts and (not of or one.model in of or one.name in of) for one in site.declared
    ]
    pairs = list(zip(site.declared, inside, strict=True))
    return replace(
        site,
        hosts=hosts,
        other_hosts={n: h for n, h in site.hosts.items() if n not in hosts},
        declared=tuple(one for one, kept in pairs if kept),
        elsewhere=tuple(one for one, kept in pairs if not kept),
        limited_to=tuple(wanted),
        limited_models=tuple(of),
    )


def _hosts(site: Site, name: str) -> tuple[str, ...]:
    return (name,) if name in site.hosts else site.groups.get(name, ())


def _is_model(site: Site, name: str, models: set[str]) -> bool:
    return name not in site.hosts and name not in site.groups and name in models
