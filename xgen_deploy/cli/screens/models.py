"""The screen of `models`: what lies on each host, and who uses it."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from rich.markup import escape

from xgen_deploy.apply.models_on_hosts import HostModels, Looked
from xgen_deploy.cli.screens.table import Cell, Table
from xgen_deploy.documents.models import ModelEntry
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.files.places import ENGINES
from xgen_deploy.files.uses import Uses
from xgen_deploy.plan.headlines import ago, named
from xgen_deploy.sizes import size_text
from xgen_deploy.state.stock import OtherFile, StoredFile

_HEAD = ("MODEL", "SIZE", "DIGEST", "BROUGHT", "USED BY")
_DROP = ("DIGEST", "BROUGHT")
_COMMIT = re.compile(r"@([0-9a-f]{12})[0-9a-f]{28}$")
_CONTENT = re.compile(r"^.*/[0-9a-f]{12}(?=/)")
_CACHED = re.compile(r"(.*/models--[^/]+)/blobs/")


def model_entries(found: HostModels) -> tuple[ModelEntry, ...]:
    """What was brought together in one entry, by its origin; then the others."""
    there = [file for file in found.stock.files if file.state != "gone"]
    idle = {file.place for file in found.idle}
    brought = [_brought(files, found.uses, idle) for files in _together(there)]
    others: dict[str, list[OtherFile]] = {}
    for other in found.stock.others:
        cached = _CACHED.match(other.place)
        others.setdefault(cached[1] if cached else other.place, []).append(other)
    return (*brought, *(_other(place, files, found.uses) for place, files in others.items()))


def _together(files: Sequence[StoredFile]) -> Iterable[list[StoredFile]]:
    """Files by where they came from; of this machine's, by their content too, which their folder
    is named by."""
    groups: dict[tuple[str, str, str], list[StoredFile]] = {}
    for file in files:
        content = _CONTENT.match(file.place)
        key = (file.root, file.origin, content[0] if content else "")
        groups.setdefault(key, []).append(file)
    return groups.values()


def _brought(files: Sequence[StoredFile], uses: Uses, idle: set[str]) -> ModelEntry:
    digests = sorted(file.digest or "" for file in files)
    several = sha256("\n".join(digests).encode()).hexdigest()
    return ModelEntry(
        origin=files[0].origin,
        place=_common([(file.links or (file.place,))[0] for file in files]),
        files=len(files),
        size=sum(file.size for file in files),
        digest=files[0].digest if len(files) == 1 else several,
        at=max((file.at for file in files if not file.found), default=None),
        used_by=_users(files, uses),
        unused_bytes=sum(file.size for file in files if file.place in idle),
        changed=tuple(file.place for file in files if file.state == "changed"),
    )


def _other(place: str, files: Sequence[OtherFile], uses: Uses) -> ModelEntry:
    return ModelEntry(
        origin=None,
        place=place,
        files=len(files),
        size=sum(file.size for file in files),
        digest=None,
        at=None,
        used_by=_users(files, uses),
        unused_bytes=sum(file.size for file in files if file.place not in uses),
    )


def _users(files: Sequence[StoredFile | OtherFile], uses: Uses) -> tuple[str, ...]:
    return tuple(dict.fromkeys(by for file in files for by in uses.get(file.place, ())))


def _common(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else posixpath.commonpath(places)


def model_lines(looked: Looked, now: float, width: int | None) -> Iterator[str]:
    for host, found in looked.items():
        if isinstance(found, XgenError):
            yield unreached_line(host, found)
            continue
        entries = model_entries(found)
        yield f"[bold]{escape(host)}[/bold]" + ("" if entries else "  no models")
        if entries:
            table = Table(_HEAD, _DROP)
            for entry in entries:
                table.add(*_cells(entry, now))
            yield from table.whole(width)
        yield from _remarks(entries, found)


def unreached_line(host: str, error: XgenError) -> str:
    return f"[bold]{escape(host)}[/bold]  [red]UNREACHABLE[/red]  {escape(reason_of(error))}"


def _cells(entry: ModelEntry, now: float) -> tuple[str | Cell, ...]:
    users = Cell(named(entry.used_by)) if entry.used_by else Cell("nobody", "yellow")
    return (
        origin_text(entry.origin) if entry.origin else entry.place,
        size_text(entry.size),
        entry.digest[:12] if entry.digest else "-",
        f"{ago(now - entry.at)} ago" if entry.at is not None else "not by us",
        users,
    )


def origin_text(origin: str) -> str:
    return _COMMIT.sub(r"@\1", origin)


def _remarks(entries: Sequence[ModelEntry], found: HostModels) -> Iterator[str]:
    for place in (place for entry in entries for place in entry.changed):
        yield f"  [yellow]changed[/yellow]  {escape(place)} is not the file that was brought"
    for project in found.needs.unknown:
        yield f"  [yellow]unknown[/yellow]  what another project needs: {escape(project)}"
    idle = sum(file.size for file in found.idle)
    if idle:
        yield f"  {size_text(idle)} that nobody uses: `xgen-deploy models prune` removes them"


def prune_lines(chosen: Mapping[str, tuple[StoredFile, ...]], now: float) -> Iterator[str]:
    """What is to be removed."""
    for host, files in chosen.items():
        if not files:
            continue
        yield f"[bold]{escape(host)}[/bold]"
        for alike in _together(files):
            size = size_text(sum(file.size for file in alike))
            brought = ago(now - max(file.at for file in alike))
            what = f"{origin_text(alike[0].origin)}  {size}  brought {brought} ago"
            if any(file.state == "unpacked" for file in alike):
                what += ": what was unpacked out of an archive that is gone"
            elif any(f"/{ENGINES}/" in file.place for file in alike):
                what += ", and what was unpacked out of it"
            yield f"  [red]- remove[/red]  {escape(what)}"
            yield f"      [dim]{escape(_common([file.place for file in alike]))}[/dim]"
