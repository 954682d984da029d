"""`xgen-deploy unlock`: releases a lock whose holder does not end by itself."""

from typing import TypeGuard

import click
from rich.markup import escape

from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import ErrorEntry, host_errors
from xgen_deploy.documents.unlock import HostEntry, UnlockDocument
from xgen_deploy.errors import XgenError, exit_code_of
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each

_ASK = 30.0
_OWNER = 500
# Removes the queue files of dead waiters: a living one holds a lock on its file.
_CLEAR = (
    "sh",
    "-c",
    'for file in "$1"/[0-9]*; do [ ! -f "$file" ] || flock --nonblock "$file" rm -f "$file"; done',
    "sh",
)


@click.command("unlock", cls=ManifestCommand)
@host_options
def command(settings: Settings) -> int:
    """Release the project's lock on each host by ending the process that holds it, and remove dead
    waiters from its queue.

    A lock is released by itself within 30 s of its apply ending; use this if it is not. Only
    processes that hold this project's own lock file are ended.
    """
    with open_run(settings, brings=False) as run:
        auditing = Auditing(run, "unlock")
        trail = auditing.trail()

        def unlock_host(connection: Connection) -> str:
            layout = run.layout(connection.name)
            with connection.session() as session:
                result = free(session, layout.lock)
                session.run([*_CLEAR, layout.lock_queue], timeout=_ASK)
                if result != "not locked":
                    host_trail = auditing.at(trail, connection.name, session)
                    host_trail.tell(_outcome(result), reason=result)
                return result

        results = each(list(run.connections.values()), unlock_host)
        trail.close()
    screen = Screen(settings)
    shown = {h: str(r).removeprefix(f"{h}: ") for h, r in results.items()}
    screen.lines(escape(f"{host}: {text}") for host, text in shown.items())
    screen.value(
        UnlockDocument(
            hosts={h: HostEntry(lock=shown[h], locked=_locked(r)) for h, r in results.items()},
            errors=(
                *host_errors(results),
                *(ErrorEntry(message=r, host=h) for h, r in results.items() if _kept(r)),
            ),
        )
    )
    if any(_kept(r) for r in results.values()):
        return 1
    return exit_code_of(r for r in results.values() if isinstance(r, XgenError))


def _outcome(result: str) -> str:
    return "failed" if _kept(result) else "ok"


def _kept(result: str | XgenError) -> TypeGuard[str]:
    """Whether the lock could not be released."""
    return isinstance(result, str) and result.startswith("still held")


def _locked(result: str | XgenError) -> bool | None:
    if isinstance(result, XgenError):
        return None
    return result not in ("not locked", "freed")


def free(session: Session, lock: str) -> str:
    """Releases one host's lock; returns what was done, as a clause."""
    owner = session.read_file(lock)
    if owner is None or _take(session, lock, 0):
        return "not locked"
    listed = session.run(["lslocks", "--noheadings", "--output", "PID,PATH"], timeout=_ASK)
    for line in listed.stdout.splitlines():
        pid, _, path = line.strip().partition(" ")
        if path.strip() == lock and pid.isdigit():
            # Processes that a guard started hold its lock too.
            session.run(["pkill", "-TERM", "-P", pid], timeout=_ASK)
            session.run(["kill", "-TERM", pid], timeout=_ASK)
    if _take(session, lock, 10):
        return "freed"
    new_owner = session.read_file(lock) or b""
    who = new_owner.decode(errors="replace").strip()[:_OWNER]
    if new_owner == owner:
        return f"still held: {who}"
    return f"freed; the next in the queue has it: {who}"


def _take(session: Session, lock: str, wait: int) -> bool:
    argv = ["flock", "--wait", str(wait), lock, "true"]
    return session.run(argv, timeout=_ASK).returncode == 0
