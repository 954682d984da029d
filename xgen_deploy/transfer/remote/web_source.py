"""A file on the web, read from any byte on: https, redirects with care, tokens to one origin only.

A token goes to the origin (scheme, host, port) of the address that was stated and to no other. A
redirect never leads from https to http, nor to a loopback, link-local or private address unless
that is the stated host.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import threading
from typing import Callable, Iterator, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from xgen_deploy.transfer.remote.web_connection import PORTS, WebConnection, connection_to

REDIRECTS = 6
SILENCE = 60.0
CONNECT = 10.0
AGENT = "xgen-deploy"
WEB_PAGE = "WebPage"
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


class Access(NamedTuple):
    """`token` is for the stated address's own origin. `proxy` is `http://[user:password@]host:port`;
    `ca` PEM text of further authorities."""

    token: str | None = None
    proxy: str | None = None
    ca: str | None = None


# As `connected` below.
Connect = Callable[..., socket.socket]


class Refused(Exception):
    """Another try would not help. `status` and `code` are the server's, 0 and "" without any;
    `code` is WEB_PAGE where it sent a page for people."""

    def __init__(self, text: str, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status, self.code = status, code


class Unavailable(Exception):
    """Another try may help; `after` seconds where the server said so."""

    def __init__(self, text: str, after: float = 0.0) -> None:
        super().__init__(text)
        self.after = after


class Answer(NamedTuple):
    """`start` is the first byte that comes, `total` the file's length where it is told. `etag` is
    what tells its version, or when it was changed."""

    response: http.client.HTTPResponse
    start: int
    total: int | None
    etag: str | None


def open_at(
    url: str,
    access: Access,
    start: int,
    etag: str | None,
    *,
    silence: float = SILENCE,
    connect: Connect | None = None,
) -> Answer:
    """`connect` in place of this machine's own way. Raises Refused, Unavailable and OSError."""
    try:
        return _followed(url, access, start, etag, silence, connect or connected)
    except ValueError:  # of what a server wrote; its text may repeat a header of ours
        raise Refused(f"{_host(url)} gives an address that cannot be") from None


def _followed(
    url: str, access: Access, start: int, etag: str | None, silence: float, connect: Connect
) -> Answer:
    stated = urlsplit(url)
    for _ in range(REDIRECTS):
        target = urlsplit(url)
        _check(stated, target, by_proxy=access.proxy is not None)
        checked = _same_host(stated, target)
        connection, _, asked, login = _connection(target, access, silence, connect, checked=checked)
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", **login}
        if start:
            headers["Range"] = f"bytes={start}-"
            if etag:
                headers["If-Range"] = etag
        if access.token and _origin(target) == _origin(stated):
            headers["Authorization"] = f"Bearer {access.token}"
        try:
            with bounded(connection, silence):
                connection.request("GET", asked, headers=headers)
                response = connection.getresponse()
        except http.client.HTTPException as error:
            raise Unavailable(f"{target.hostname}: {type(error).__name__}") from None
        if response.status in (301, 302, 303, 307, 308):
            url = urljoin(url, response.headers.get("Location", ""))
            connection.close()
            continue
        return _answer(response, target, start)
    raise Refused(f"{stated.hostname} redirects more than {REDIRECTS} times")


@contextlib.contextmanager
def bounded(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """However slowly the other side drips: then the connection ends."""

    def hang_up() -> None:
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    limit = threading.Timer(seconds, hang_up)
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _answer(response: http.client.HTTPResponse, target: SplitResult, start: int) -> Answer:
    etag = response.headers.get("ETag")
    if etag is None or etag.startswith("W/"):  # no promise about bytes
        etag = response.headers.get("Last-Modified")
    if response.status == 206:
        got = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if got is None or int(got[1]) != start:
            raise Refused(f"{target.hostname} answers with another range than was asked for")
        total = None if got[3] == "*" else int(got[3])
        return Answer(response, start, total, etag)
    if response.status == 200 and _is_page(response):
        raise Refused(f"{target.hostname} answers with a web page, not with a file", 200, WEB_PAGE)
    if response.status == 200:
        length = response.headers.get("Content-Length", "")
        return Answer(response, 0, int(length) if length.isdigit() else None, etag)
    raise _problem(response, target)


def _is_page(response: http.client.HTTPResponse) -> bool:
    """A site's own page about a model, a proxy's, or a request to log in. Where a server calls
    everything HTML that it does not know, the first bytes tell."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in ("text/html", "application/xhtml+xml"):
        return False
    return response.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _problem(response: http.client.HTTPResponse, target: SplitResult) -> Exception:
    status, host = response.status, target.hostname
    code = response.headers.get("X-Error-Code", "")
    text = f"{host} answers {status}"
    if status in (408, 425, 429) or status >= 500:
        after = response.headers.get("Retry-After", "")
        return Unavailable(text, min(60.0, float(after)) if after.isdigit() else 0.0)
    if status in (401, 403):
        text = f"{host} refuses access ({status}): a token is missing, or lacks the right"
    if status == 407:
        text = f"the proxy on the way to {host} asks for a login (407)"
    if status in (404, 410):
        text = f"{host} has no such file ({status})"
    return Refused(text, status, code)


def _check(stated: SplitResult, target: SplitResult, *, by_proxy: bool) -> None:
    if target.scheme not in PORTS or not target.hostname:
        raise Refused(f"{stated.hostname} redirects to what is no web address")
    if stated.scheme == "https" and target.scheme != "https":
        raise Refused(f"{stated.hostname} redirects from https to http")
    if by_proxy and not _same_host(stated, target) and is_inner(target.hostname):
        raise Refused(f"{stated.hostname} redirects to the inner address {target.hostname}")


def _same_host(stated: SplitResult, target: SplitResult) -> bool:
    return stated.hostname == target.hostname


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or PORTS.get(url.scheme)


def is_inner(host: str) -> bool:
    """By its text alone."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def connected(host: str, port: int, silence: float, *, inner_allowed: bool) -> socket.socket:
    """To an address that was looked at, so that no second look-up gives another. Raises Refused and
    Unavailable."""
    error: Exception = Unavailable(f"{host} has no address")
    try:
        looked_up = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as reason:
        raise Unavailable(f"{host}: {reason.strerror}") from None
    for family, kind, protocol, _, place in looked_up:
        if not inner_allowed and not ipaddress.ip_address(place[0]).is_global:
            error = Refused(f"a redirect leads to {host}, the inner address {place[0]}")
            continue
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(min(silence, CONNECT))
        try:
            sock.connect(place)
            sock.settimeout(silence)
        except OSError as reason:
            sock.close()
            error = Unavailable(f"{host}: {reason.strerror or reason}")
            continue
        return sock
    raise error


def _connection(
    target: SplitResult, access: Access, silence: float, connect: Connect, *, checked: bool
) -> WebConnection:
    web = connection_to(target, silence, access.proxy, access.ca)
    allowed = checked or access.proxy is not None

    def dial(address: tuple[str, int], *_: object) -> socket.socket:
        return connect(*address, silence, inner_allowed=allowed)

    # http.client's own seam for how a connection is made.
    web.connection._create_connection = dial  # type: ignore[attr-defined]
    return web
