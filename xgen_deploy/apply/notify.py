"""Tells a webhook how an apply went. Whatever is wrong with it never fails an apply.

Its address may hold a token anywhere, so no sentence shows any part of it.
"""

import base64
import json
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from xgen_deploy.apply.events import Event
from xgen_deploy.errors import XgenError
from xgen_deploy.render.rendered import describe
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.hub import authorities, proxy_of
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.secret_uses import WEBHOOK, SecretUse
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site
from xgen_deploy.transfer.remote.web_connection import PORTS, WebConnection, connection_to
from xgen_deploy.transfer.remote.web_source import bounded, is_inner

_TIMEOUT = 10.0
# However slowly an answer drips.
_LONGEST = 30.0
_LOGIN_ASKED = 407
# http.client's words.
_NO_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")


@dataclass(frozen=True)
class Webhook:
    """Where it is and how to get there. `url` is without a login, `login` is `user:password`, ""
    without one; `ca` PEM text of authorities besides the system's."""

    url: SecretText
    login: SecretText
    proxy: SecretText | None = None
    ca: str | None = None

    @property
    def by_proxy(self) -> bool:
        """A proxy is on the way out, not to what is inside."""
        host = urlsplit(self.url.reveal()).hostname or ""
        return self.proxy is not None and not is_inner(host)

    def connection(self) -> WebConnection:
        proxy = self.proxy.reveal() if self.proxy is not None and self.by_proxy else None
        return connection_to(urlsplit(self.url.reveal()), _TIMEOUT, proxy, self.ca)

    def headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.login.reveal():
            token = base64.b64encode(unquote(self.login.reveal()).encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        return headers


def find_webhook(site: Site, secrets: SecretResolver) -> Webhook | str | None:
    """The webhook; a sentence where it cannot be used, None where the manifest has none."""
    ref = site.notify.webhook if site.notify else None
    if ref is None:
        return None
    webhook = webhook_for(WEBHOOK, ref, site, secrets)
    return f"{webhook}; no notification will be sent" if isinstance(webhook, str) else webhook


def webhook_for(
    use: SecretUse, ref: SecretRef, site: Site, secrets: SecretResolver
) -> Webhook | str:
    """A clause where it cannot be used."""
    try:
        webhook = _parsed(secrets.value(use, ref))
        proxy = proxy_of(site, secrets)
        ca = authorities(site.fetch.ca)
    except XgenError as error:
        return str(error)
    except ValueError:
        return (
            f"{use.owner}.{use.field}: the {describe(ref)} is no http or https URL with a host "
            "and a port that can be"
        )
    if proxy is not None and not _is_proxy(proxy):
        return f"{use.owner}.{use.field}: `fetch.proxy` is not http://[user:password@]host:port"
    return replace(webhook, proxy=proxy, ca=ca)


def _parsed(url: SecretText) -> Webhook:
    """Raises ValueError."""
    parts = urlsplit(url.reveal())
    if parts.scheme not in PORTS or not parts.hostname or parts.port == 0:
        raise ValueError
    login, _, place = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=place, fragment=""))
    return Webhook(url=SecretText(plain), login=SecretText(login))


def _is_proxy(address: SecretText) -> bool:
    try:
        parts = urlsplit(address.reveal())
        return parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def notify(webhook: Webhook, summary: dict[str, object], events: Sequence[Event]) -> str | None:
    """POST `{..summary, "events": […]}` as JSON; a sentence where that failed, else None."""
    value = {**summary, "events": [e.model_dump(exclude_none=True) for e in events]}
    return post(webhook, WEBHOOK, value)


def post(webhook: Webhook, use: SecretUse, value: dict[str, object]) -> str | None:
    """POST it as JSON; a sentence where that failed, else None."""
    name, body = f"{use.owner}.{use.field}", json.dumps(value)
    try:
        connection, _, asked, login = webhook.connection()
        try:
            with bounded(connection, _LONGEST):
                connection.request("POST", asked, body, {**webhook.headers(), **login})
                status = connection.getresponse().status
        finally:
            connection.close()
    except Exception as error:  # noqa: BLE001 - what it tells of has happened: nothing here may change how
        return f"{name}: delivery failed: {_reason(error, by_proxy=webhook.by_proxy)}"
    if status == _LOGIN_ASKED and webhook.by_proxy:
        return f"{name}: delivery failed: `fetch.proxy` answers HTTP {status}"
    return None if status < 400 else f"{name} answered HTTP {status}"


def _reason(error: Exception, *, by_proxy: bool) -> str:
    """Of what the system says, not of what it was given."""
    tunnel = _NO_TUNNEL.match(str(error))
    if by_proxy and tunnel is not None:
        return f"`fetch.proxy` answers HTTP {tunnel[1]}"
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    text = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    # Through a proxy, nothing else is looked up or connected to from here.
    own = by_proxy and isinstance(error, ConnectionRefusedError | socket.gaierror)
    return f"`fetch.proxy`: {text}" if own else text
