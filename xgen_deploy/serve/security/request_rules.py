"""What is refused of a request before anything looks at it, and what stands on every answer. Pure.

A page of a stranger must not read or change anything through the browser of somebody who is logged
in: neither under a name that points here (DNS rebinding) nor from another origin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_BODY = 64 << 10
BODY_WITHIN = 10.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN = frozenset({"same-origin", "none"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Refused:
    status: int
    reason: str


def refusal(
    method: str, headers: Mapping[str, str], known: frozenset[str], own_address: str
) -> Refused | None:
    """`headers` by lower-case name; `known` are the names that this program has, `own_address` is
    where this connection arrived, with its port."""
    host = headers.get("host", "").lower()
    if host not in known and host != own_address:
        return Refused(
            421,
            "this is no name of xgen-deploy serve; the manifest's `serve.hosts` has further ones",
        )
    site = headers.get("sec-fetch-site")
    if method in SAFE_METHODS:
        navigates = headers.get("sec-fetch-mode") == "navigate"
        if site is not None and site not in _OWN and not navigates:
            return Refused(403, "another site's page asked for this")
        return None
    origin = headers.get("origin")
    if origin is not None and not _is_own(origin, host):
        return Refused(403, "another origin's page sent this")
    if site is not None and site not in _OWN:
        return Refused(403, "another site's page sent this")
    if _length(headers) > MOST_BODY:
        return TOO_LARGE
    return None


TOO_LARGE = Refused(413, "a request has at most 64 KB")
TOO_SLOW = Refused(408, "the request took too long to arrive")


def _is_own(origin: str, host: str) -> bool:
    """The scheme may differ: a proxy in front has the TLS."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else MOST_BODY + 1
