"""What to do where Docker cannot have an image from its registry, by what it said. Pure."""

import re

_BY_HAND = "have this machine send it (`pull: push`)"
_OTHERWISE = f"or name one in a registry that {{host}} reaches, or {_BY_HAND}"
# The first that Docker's words match decides.
_HINTS = {
    r"proxyconnect": (
        "The proxy of {host}'s Docker does not answer. `systemctl show docker -p Environment` and "
        "/etc/docker/daemon.json there name it"
    ),
    r"\blookup ": (f"{{host}} cannot look up the name {{registry}}. Correct it, {_OTHERWISE}"),
    r"x509|certificate": (
        "{host}'s Docker does not trust the certificate of {registry}. Put its CA's into "
        "/etc/docker/certs.d/{registry}/ca.crt there"
    ),
    r"HTTP response to HTTPS client": (
        "{registry} has no TLS. Give it TLS, or name it under `insecure-registries` in "
        "/etc/docker/daemon.json on {host}"
    ),
    r"toomanyrequests|rate limit": (
        "Wait, or run `docker login {registry}` on {host} as root, or state a login under "
        "`registries:`"
    ),
    r"unauthorized|denied|authentication|no basic auth": (
        "Correct the name, run `docker login {registry}` on {host} as root, or state a login "
        "under `registries:`"
    ),
    r"no matching manifest": "It has no build for {host}'s architecture. Name one that has",
    r"manifest unknown|not found": "Correct the name and the tag",
    r"no space left": "Make room on {host}: `docker system df` says what Docker keeps there",
    r"dial tcp|timeout|deadline exceeded|unreachable|no route|connection re|\bEOF\b|not answer": (
        f"{{host}} does not reach {{registry}}. Open the way, {_OTHERWISE}"
    ),
}
_HUB = "registry-1.docker.io"


def registry_hint(host: str, image: str, said: str) -> str:
    """Sentences; "" where Docker's own words are all that is known."""
    for pattern, hint in _HINTS.items():
        if re.search(pattern, said, re.IGNORECASE):
            return f"{hint.format(host=host, image=image, registry=_registry(image))}."
    return ""


def missing_image_hint(host: str, image: str, reason: str) -> str:
    """The same of the probe's sentence, which ends in Docker's words where a registry was asked."""
    said = reason.partition(" is not on this host; ")[2]
    return registry_hint(host, image, said) if said else ""


def _registry(image: str) -> str:
    """As Docker reads the name: its first part where that can be a host's."""
    first, slash, _ = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return first if is_host else _HUB
