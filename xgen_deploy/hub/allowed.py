"""Whether `fetch.allow` names a source. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from xgen_deploy.state.source import Source


def is_allowed(source: Source, patterns: Sequence[str] | None) -> bool:
    """`patterns` are of repositories (`Qwen/*`), or beginnings of addresses; None: all are."""
    if patterns is None:
        return True
    if source.repository is not None:
        return any(fnmatchcase(source.repository, pattern) for pattern in patterns)
    return any(_begins(source.text, p) for p in patterns if p.startswith("https://"))


def _begins(url: str, beginning: str) -> bool:
    """Whole names of the host and of folders: `https://a.example/x` names neither
    `https://a.example.net` nor `https://a.example/xy`."""
    whole, start = urlsplit(url), urlsplit(beginning)
    if (whole.hostname, whole.port or 443) != (start.hostname, start.port or 443):
        return False
    parts, first = whole.path.split("/"), start.path.rstrip("/").split("/")
    if any(unquote(part) in (".", "..") for part in parts):
        return False
    return parts[: len(first)] == first
