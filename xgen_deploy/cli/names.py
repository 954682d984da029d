"""Names on the command line: what there is, and which one was meant."""

from collections.abc import Iterable

from xgen_deploy.errors import UsageError
from xgen_deploy.manifest.diagnostics import listing, nearest
from xgen_deploy.resolve.gateway_needs import gateway_hosts
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.site import Site


def instance_hosts(site: Site) -> dict[str, tuple[str, ...]]:
    """Instance -> its hosts, the gateway among them, as far as `--limit` leaves them."""
    hosts: dict[str, tuple[str, ...]] = {}
    for instance in site.declared:
        hosts[instance.name] = (*hosts.get(instance.name, ()), instance.host)
    with_gateway = gateway_hosts(site)
    return {**hosts, GATEWAY: with_gateway} if with_gateway else hosts


def no_instance(site: Site, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is none of the `known` ones."""
    elsewhere = [i.host for i in site.elsewhere if i.name == name]
    if name == GATEWAY and site.gateway is not None:
        elsewhere += site.gateway.hosts or ()
    if elsewhere:
        limits = ",".join(site.limited_to)
        return UsageError(
            f"`{name}` is on {listing(elsewhere)}, which `--limit {limits}` leaves out"
        )
    of_model = [i.name for i in site.declared if i.model == name]
    if of_model:
        return UsageError(f"`{name}` is a model; its instances are {listing(of_model)}")
    return unknown("instance", name, known)


def unknown(what: str, name: str, known: Iterable[str]) -> UsageError:
    """`there is no host `x` in the manifest; it has a, b. Did you mean `a`?`"""
    known = list(known)
    has = f"it has {listing(known)}" if known else "it has none"
    hint = nearest(name, known)
    sentence = f"there is no {what} `{name}` in the manifest; {has}"
    return UsageError(f"{sentence}.{hint}" if hint else sentence)
