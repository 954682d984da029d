"""A connection to a web server, through a proxy where one is stated."""

from __future__ import annotations

import base64
import http.client
import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

PORTS = {"https": 443, "http": 80}
_PROXY_PORT = 3128


class WebConnection(NamedTuple):
    """Not connected yet. `asks_for` and `headers` go into the request. `place` is what is connected
    to."""

    connection: http.client.HTTPConnection
    place: tuple[str, int]
    asks_for: str
    headers: dict[str, str]


def connection_to(
    target: SplitResult, silence: float, proxy: str | None = None, ca: str | None = None
) -> WebConnection:
    """Through a proxy, https by CONNECT, and http by the whole address: many proxies allow CONNECT
    for https alone. Raises ValueError for an address that cannot be."""
    host, port = target.hostname or "", target.port or PORTS[target.scheme]
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    by = urlsplit(proxy) if proxy else None
    place = (by.hostname or "", by.port or _PROXY_PORT) if by is not None else (host, port)
    login = _login(by) if by is not None else {}
    if target.scheme != "https":
        plain = http.client.HTTPConnection(*place, timeout=silence)
        if by is None:
            return WebConnection(plain, place, path, {})
        whole = f"http://{target.netloc.rpartition('@')[2]}{path}"
        return WebConnection(plain, place, whole, login)
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cadata=ca)
    secured = http.client.HTTPSConnection(*place, timeout=silence, context=context)
    if by is not None:
        secured.set_tunnel(host, port, headers=login)
    return WebConnection(secured, place, path, {})


def _login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
