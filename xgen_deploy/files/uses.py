"""Which of the files that lie on a host are needed, and by what. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from xgen_deploy.state.stock import Need, Stock, StoredFile

_PARTS = re.compile(r"-\d{5}-of-(\d{5})(?=\.)")
_SNAPSHOT = re.compile(r"^.*/snapshots/[^/]+")

Uses = Mapping[str, tuple[str, ...]]


def uses_of(stock: Stock, needs: Iterable[Need]) -> dict[str, tuple[str, ...]]:
    """What needs each file, by its place; a file that nothing needs is not in it.

    With a file of a GGUF in parts the others are needed, and with a file what was brought together
    with it for the same revision.
    """
    asked = [(need.by, tuple(_paths(need, stock))) for need in needs]
    uses: dict[str, list[str]] = {}
    together: dict[tuple[str, str], list[str]] = {}
    for file in stock.files:
        for by, paths in asked:
            for name in _names(file):
                if _is_at(name, paths):
                    uses.setdefault(file.place, []).append(by)
                    together.setdefault((file.origin, _folder(name)), []).append(by)
    for file in stock.files:
        for name in _names(file):
            uses.setdefault(file.place, []).extend(together.get((file.origin, _folder(name)), ()))
    for other in stock.others:
        uses[other.place] = [by for by, paths in asked if _is_at(other.place, paths)]
    return {place: tuple(dict.fromkeys(by)) for place, by in uses.items() if by}


def needless(
    stocks: Mapping[str, Stock], uses: Mapping[str, Uses]
) -> dict[str, tuple[StoredFile, ...]]:
    """By host the files that were brought and that nothing needs, on none of the hosts that share
    the folder."""
    needed = {f.shared for h, s in stocks.items() for f in s.files if f.place in uses[h]}
    return {
        host: tuple(f for f in stock.files if _may_go(f) and f.shared not in needed)
        for host, stock in stocks.items()
    }


def _may_go(file: StoredFile) -> bool:
    return file.state in ("whole", "unpacked") and not file.found


def _paths(need: Need, stock: Stock) -> Iterator[str]:
    for path in dict.fromkeys((need.path, stock.real.get(need.path, need.path))):
        yield _of_all_parts(path.rstrip("/"))


def _names(file: StoredFile) -> Sequence[str]:
    return (file.place, *file.links)


def _is_at(name: str, paths: tuple[str, ...]) -> bool:
    """Whether it is one of them, or lies beneath one."""
    plain = _of_all_parts(name)
    return any(plain == path or plain.startswith(path + "/") for path in paths)


def _of_all_parts(path: str) -> str:
    return _PARTS.sub(r"-*-of-\1", path)


def _folder(name: str) -> str:
    """What comes with a file lies there: the snapshot of a repository, else its own folder."""
    snapshot = _SNAPSHOT.match(name)
    return snapshot[0] if snapshot else name.rpartition("/")[0]
