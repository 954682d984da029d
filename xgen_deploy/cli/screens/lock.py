"""What `lock` shows: each source, and what of it moved."""

from collections.abc import Iterator, Sequence

from rich.markup import escape

from xgen_deploy.hub.locking import Change, FileChange, by_length, file_changes
from xgen_deploy.plan.headlines import named
from xgen_deploy.run.lock_parts import PartChange
from xgen_deploy.sizes import size_text
from xgen_deploy.state.lock_file import LockedImage, LockedModel

_FILES = 20
_SIGNS = {"added": "[green]+[/green]", "moved": "[yellow]~[/yellow]", "removed": "[red]-[/red]"}


def lock_lines(
    path: str, changes: Sequence[Change], parts: Sequence[PartChange], *, written: bool
) -> Iterator[str]:
    """With markup."""
    for change in changes:
        yield from _lines(change)
    for part in parts:
        yield f"{_SIGNS.get(part.verdict, ' ')} {escape(f'{part.name}  {_what_part(part)}')}"
    count = sum(c.now is not None for c in changes) + sum(p.now is not None for p in parts)
    sources = f"{count} source{'s'[: count != 1]}"
    if not count:
        yield f"{escape(path)}: nothing is locked; all models lie on the hosts"
    elif written:
        yield f"{escape(path)}: {sources} locked"
    else:
        yield f"{escape(path)}: {sources}, nothing moved"


def _lines(change: Change) -> Iterator[str]:
    entry = change.entry
    yield f"{_SIGNS.get(change.verdict, ' ')} {escape(f'{_name(entry)}  {_what(change)}')}"
    if change.verdict == "moved":
        changed = file_changes(change.before, change.now)
        yield from (f"    [dim]{escape(_file_line(f))}[/dim]" for f in changed[:_FILES])
        if len(changed) > _FILES:
            more = len(changed) - _FILES
            yield f"    [dim]and {more} file{'s'[: more != 1]} more[/dim]"
        if change.before is not None and change.before.license != entry.license:
            before, now = change.before.license or "none", entry.license or "none"
            yield f"    [yellow]its licence was {escape(before)} and is {escape(now)}[/yellow]"
    if change.now is not None and by_length(entry):
        yield (
            "    [yellow]its address tells no digest, so that its length alone is checked: state "
            "its `sha256:`[/yellow]"
        )
    if change.now is not None and entry.trusted:
        yield "    [yellow]trusted on first use: it came by way of a host, without TLS[/yellow]"
    if change.now is not None and entry.code_files:
        yield f"    [yellow]contains code: {escape(named(entry.code_files))}[/yellow]"


def _what_part(change: PartChange) -> str:
    before, now = change.before, change.now
    if now is None:
        return "is no longer in the manifest" if before else f"is not locked: {change.reason}"
    kind = "an image, " if isinstance(now, LockedImage) else ""
    if change.verdict == "moved" and before is not None:
        return f"moved from {before.identity[:19]} to {now.identity[:19]}"
    words = {"kept": "stays, not looked at: ", "same": "is still what it was: "}
    return f"{words.get(change.verdict, '')}{kind}{now.identity[:19]}"


def _name(entry: LockedModel) -> str:
    own = f" ({entry.local})" if entry.local else f" ({entry.source})"
    return f"{', '.join(entry.models)}{own}"


def _what(change: Change) -> str:
    entry = change.entry
    if change.verdict == "removed":
        return "is no longer in the manifest"
    if change.verdict == "moved":
        before = change.before
        if before is not None and before.commit != entry.commit:
            return f"{entry.revision} moved from {_short(before)} to {_short(entry)}"
        return "has other files than before"
    count = len(entry.files)
    words = {
        "added": "",
        "kept": "stays, not asked: ",
        "same": "is still what it was: ",
    }[change.verdict]
    at = f"{entry.revision} is {_short(entry)}, " if entry.commit else ""
    licence = f", {entry.license}" if entry.license else ""
    files = f"{count} file{'s'[: count != 1]}"
    return f"{words}{at}{files}, {size_text(entry.size)}{licence}"


def _short(entry: LockedModel) -> str:
    return (entry.commit or "")[:12]


def _file_line(change: FileChange) -> str:
    before, now = change.before, change.now
    if before is None and now is not None:
        return f"+ {change.path}  {size_text(now.size)}"
    if now is None:
        return f"- {change.path}"
    if before is not None and before.size != now.size:
        return f"~ {change.path}  {size_text(before.size)} -> {size_text(now.size)}"
    return f"~ {change.path}  {size_text(now.size)}, other content"
