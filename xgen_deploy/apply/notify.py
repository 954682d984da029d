"""Tells a webhook how an apply went. Whatever is wrong with it never fails an apply.

Its address may hold a token anywhere, so no sentence shows any part of it.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from xgen_deploy.apply.events import Event
from xgen_deploy.errors import XgenError
from xgen_deploy.render.rendered import describe
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.secret_uses import WEBHOOK, SecretUse
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site

_TIMEOUT = 10.0


@dataclass(frozen=True)
class Webhook:
    """Where it is and how to get in. `login` is `user:password`, "" without one."""

    tls: bool
    host: SecretText
    port: int | None
    path: SecretText
    login: SecretText

    def connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        port = self.port or (443 if self.tls else 80)
        return kind(self.host.reveal(), port, timeout=_TIMEOUT)

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
    webhook = webhook_for(WEBHOOK, ref, secrets)
    return f"{webhook}; no notification will be sent" if isinstance(webhook, str) else webhook


def webhook_for(use: SecretUse, ref: SecretRef, secrets: SecretResolver) -> Webhook | str:
    """A clause where it cannot be used."""
    try:
        return _parsed(secrets.value(use, ref))
    except XgenError as error:
        return str(error)
    except ValueError:
        return (
            f"{use.owner}.{use.field}: the {describe(ref)} is no http or https URL with a host "
            "and a port that can be"
        )


def _parsed(url: SecretText) -> Webhook:
    """Raises ValueError."""
    parts = urlsplit(url.reveal())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError
    return Webhook(
        tls=parts.scheme == "https",
        host=SecretText(parts.hostname),
        port=parts.port,
        path=SecretText((parts.path or "/") + (f"?{parts.query}" if parts.query else "")),
        login=SecretText(parts.netloc.rpartition("@")[0]),
    )


def notify(webhook: Webhook, summary: dict[str, object], events: Sequence[Event]) -> str | None:
    """POST `{..summary, "events": […]}` as JSON; a sentence where that failed, else None."""
    value = {**summary, "events": [e.model_dump(exclude_none=True) for e in events]}
    return post(webhook, WEBHOOK, value)


def post(webhook: Webhook, use: SecretUse, value: dict[str, object]) -> str | None:
    """POST it as JSON; a sentence where that failed, else None."""
    name, body = f"{use.owner}.{use.field}", json.dumps(value)
    try:
        connection = webhook.connection()
        try:
            connection.request("POST", webhook.path.reveal(), body, webhook.headers())
            status = connection.getresponse().status
        finally:
            connection.close()
    except Exception as error:  # noqa: BLE001 - what it tells of has happened: nothing here may change how
        return f"{name}: delivery failed: {_reason(error)}"
    return None if status < 400 else f"{name} answered HTTP {status}"


def _reason(error: Exception) -> str:
    """Of what the system says, not of what it was given."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
