"""Names of images, as Docker reads them. Pure."""

import re

_HUB, _OFFICIAL = "docker.io", "library"
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def full_name(name: str) -> str:
    """`docker.io/library/debian:latest` for `debian`."""
    bare = _DIGEST.sub("", name)
    digest = name[len(bare) :]
    first, slash, rest = bare.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = _HUB, bare
    if first == _HUB and "/" not in rest:
        rest = f"{_OFFICIAL}/{rest}"
    tagged = ":" in rest.rpartition("/")[2]
    return f"{first}/{rest}" + ("" if tagged or digest else ":latest") + digest


def registry_of(name: str) -> str:
    """`docker.io` for `debian`; of others the host, with its port where it has one."""
    return full_name(name).partition("/")[0]


def has_digest(name: str) -> bool:
    return _DIGEST.search(name) is not None
