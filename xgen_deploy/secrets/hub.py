"""The token, proxy and certificate authority with which models' sources are asked; webhooks too,
but for the token."""

from pathlib import Path

from xgen_deploy.errors import XgenError
from xgen_deploy.hub.catalog import Catalog
from xgen_deploy.hub.local_digests import LocalDigests, cache_folder
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.resolver import NotAtHand, SecretResolver
from xgen_deploy.state.secret_uses import HUB_TOKEN, PROXY, SecretUse
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site
from xgen_deploy.transfer.remote.web_source import Access

_LONGEST = 1 << 20


def site_catalog(site: Site, secrets: SecretResolver, *, commands: bool) -> Catalog:
    """`commands`: a secret's `command:` may be run, which a plan never does. Raises XgenError."""
    access = hub_access(site, secrets, commands=commands)
    return Catalog(site.fetch, access, lambda: LocalDigests(cache_folder()))


def hub_access(site: Site, secrets: SecretResolver, *, commands: bool) -> Access:
    """Raises XgenError where the stated file of authorities cannot be read."""
    stated = site.fetch
    token = _value(secrets, HUB_TOKEN, stated.token, commands=commands)
    proxy = stated.proxy
    if isinstance(proxy, SecretRef):
        proxy = _value(secrets, PROXY, proxy, commands=commands)
    return Access(token, proxy, authorities(stated.ca))


def proxy_of(site: Site, secrets: SecretResolver) -> SecretText | None:
    """Raises XgenError where it is a secret that is not at hand."""
    proxy = site.fetch.proxy
    if isinstance(proxy, SecretRef):
        return secrets.value(PROXY, proxy)
    return None if proxy is None else SecretText(proxy)


def _value(
    secrets: SecretResolver, use: SecretUse, ref: SecretRef | None, *, commands: bool
) -> str | None:
    """None where it is not at hand: a source that is open to all is read all the same."""
    if ref is None or ref.host_file is not None or (ref.command is not None and not commands):
        return None
    try:
        return secrets.value(use, ref).reveal()
    except NotAtHand:
        return None


def authorities(path: str | None) -> str | None:
    """What the stated file has, as PEM text. Raises XgenError where it cannot be read."""
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file:
            return file.read(_LONGEST).decode("ascii", "replace")
    except OSError as error:
        raise XgenError(f"fetch.ca: {path} cannot be read: {error.strerror}") from None
