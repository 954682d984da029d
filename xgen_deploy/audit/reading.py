"""Reads a host's audit log back. Its content is untrusted."""

from dataclasses import dataclass

from pydantic import ValidationError

from xgen_deploy.audit.event import AuditEvent
from xgen_deploy.audit.remote.log import LARGEST, PRUNED, check
from xgen_deploy.frozen import replace
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Session

_MOST = LARGEST + (1 << 20)


@dataclass(frozen=True)
class Entry:
    """`number` is its line; `follows` is False where the hash chain is broken before it."""

    number: int
    follows: bool
    event: AuditEvent


@dataclass(frozen=True)
class HostEvents:
    """`broken`: the numbers of lines that do not follow from the one before, or are no events."""

    entries: tuple[Entry, ...]
    broken: tuple[int, ...]


def read_events(session: Session, layout: Layout, host: str) -> HostEvents:
    """Reads a host's log, oldest event first."""
    content = b""
    while len(content) < _MOST:
        chunk = session.read_file(layout.audit, offset=len(content))
        if not chunk:
            break
        content += chunk
    return parsed(content[:_MOST], host)


def parsed(content: bytes, host: str) -> HostEvents:
    """Pure. A log counts for its own host only, whatever host its lines name."""
    lines = content.split(b"\n")[: content.count(b"\n") + (not content.endswith(b"\n"))]
    broken = set(check(lines))
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            event = AuditEvent.model_validate_json(line)
        except ValidationError:
            if f'"what": "{PRUNED}"'.encode() not in line:
                broken.add(number)
            continue
        entries.append(Entry(number, number not in broken, replace(event, host=host)))
    return HostEvents(tuple(entries), tuple(sorted(broken)))
