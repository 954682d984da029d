"""`--limit`: a site reduced to some hosts, groups or models."""

from collections.abc import Collection, Sequence

from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import listing, nearest
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site


def limit(site: Site, names: Sequence[str]) -> Site:
    """The part of a site that `names` stand for; no names, the whole site.

    Hosts, groups and models (or instances) may be mixed: an instance is kept if it is on one of the
    named hosts, where any is named, and of one of the named models, where any is named. A name
    that is several of these is a host, else a group, else a model. The rest goes to
    `elsewhere` and `other_hosts`; the gateway stays, because the addresses that instances listen on
    depend on it.
    Raises UsageError for an unknown name.
    """
    limits = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if not limits:
        return site
    known = {name for i in site.declared for name in (i.model, i.name)}
    for name in limits:
        if name not in site.hosts and name not in site.groups and name not in known:
            names_known = [*site.hosts, *site.groups, *sorted(known)]
            raise UsageError(
                f"--limit: there is no host, group, model or instance `{name}`; there are "
                f"{listing(names_known, 20)}.{nearest(name, names_known)}"
            )
    on = [host for name in limits for host in _hosts(site, name)]
    models = [name for name in limits if _is_model(site, name, known)]
    limited = restricted(site, hosts=on or None, models=models or None)
    if not limited.hosts:
        raise UsageError(f"--limit {','.join(limits)}: the manifest places nothing there")
    return replace(limited, limited_to=tuple(limits))


def restricted(
    site: Site, *, hosts: Collection[str] | None, models: Collection[str] | None
) -> Site:
    """The same for hosts, and models or instances; None: all of them."""

    def of_limited_model(instance: InstanceConfig) -> bool:
        return models is None or instance.model in models or instance.name in models

    kept_hosts = {n: host for n, host in site.hosts.items() if hosts is None or n in hosts}
    if models is not None:
        running = {i.host for i in site.declared if of_limited_model(i)}
        kept_hosts = {name: host for name, host in kept_hosts.items() if name in running}
    kept = [i.host in kept_hosts and of_limited_model(i) for i in site.declared]
    pairs = list(zip(site.declared, kept, strict=True))
    return replace(
        site,
        hosts=kept_hosts,
        other_hosts={n: h for n, h in site.hosts.items() if n not in kept_hosts},
        declared=tuple(instance for instance, is_kept in pairs if is_kept),
        elsewhere=tuple(instance for instance, is_kept in pairs if not is_kept),
        limited_to=(*(hosts or ()), *(models or ())),
        limited_models=tuple(models or ()),
    )


def _hosts(site: Site, name: str) -> tuple[str, ...]:
    return (name,) if name in site.hosts else site.groups.get(name, ())


def _is_model(site: Site, name: str, models: set[str]) -> bool:
    return name not in site.hosts and name not in site.groups and name in models
