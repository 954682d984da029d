"""Tells a webhook how an apply went. A deaf webhook never fails an apply."""

import http.client
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from xgen_deploy.apply.events import Event
from xgen_deploy.apply.secrets import secret_value
from xgen_deploy.errors import XgenError
from xgen_deploy.manifest.schema import SecretRef

_TIMEOUT = 10.0


def notify(webhook: SecretRef, summary: dict[str, object], events: Sequence[Event]) -> str | None:
    """POST `{..summary, "events": […]}` as JSON; a sentence where that failed, else None."""
    try:
        url = secret_value(webhook, "notify.webhook")
    except XgenError as error:
        return str(error)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "notify.webhook: its address is no http or https URL"
    body = json.dumps({**summary, "events": [e.model_dump(exclude_none=True) for e in events]})
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        # The address itself may hold a token, so only the host is named.
        return f"notify.webhook: {parts.hostname} could not be told: {error}"
    finally:
        connection.close()
    return None if status < 400 else f"notify.webhook: {parts.hostname} answered HTTP {status}"
