"""`xgen-deploy unlock`: for a lock whose holder does not end by itself."""

import click
from rich.markup import escape

from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import XgenError
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each

_ASK = 30.0
_OWNER = 500
# Places in the line for the lock whose process is gone: those that live have theirs locked.
_CLEAR = (
    "sh",
    "-c",
    'for one in "$1"/[0-9]*; do [ ! -f "$one" ] || flock --nonblock "$one" rm -f "$one"; done',
    "sh",
)


@click.command("unlock")
@host_options
def command(settings: Settings) -> int:
    """End whatever holds the project's lock on each host, and clear the line of those who waited
    for it and are gone.

    A lock frees itself within 30 s when its apply is gone; this is for the rest. Only processes
    that hold this project's own lock file are ended.
    """
    with open_run(settings) as run:
        auditing = Auditing(run, "unlock")
        trail = auditing.trail()

        def one(connection: Connection) -> str:
            layout = run.layout(connection.name)
            with connection.session() as session:
                said = free(session, layout.lock)
                session.run([*_CLEAR, layout.lock_queue], timeout=_ASK)
                if said != "not locked":
                    auditing.at(trail, connection.name, session).tell(_outcome(said), reason=said)
                return said

        found = each(list(run.connections.values()), one)
        trail.close()
    screen = Screen(settings)
    told = {h: str(s).removeprefix(f"{h}: ") for h, s in found.items()}
    screen.lines(escape(f"{host}: {said}") for host, said in told.items())
    screen.value({"hosts": {host: {"lock": said} for host, said in told.items()}})
    failed = any(isinstance(s, XgenError) or s.startswith("still") for s in found.values())
    return int(failed)


def _outcome(said: str) -> str:
    return "failed" if said.startswith("still") else "ok"


def free(session: Session, lock: str) -> str:
    """A word for people about one host's lock."""
    owner = session.read_file(lock)
    if owner is None or _take(session, lock, 0):
        return "not locked"
    listed = session.run(["lslocks", "--noheadings", "--output", "PID,PATH"], timeout=_ASK)
    for line in listed.stdout.splitlines():
        pid, _, path = line.strip().partition(" ")
        if path.strip() == lock and pid.isdigit():
            # A guard's lock is held by what it started too.
            session.run(["pkill", "-TERM", "-P", pid], timeout=_ASK)
            session.run(["kill", "-TERM", pid], timeout=_ASK)
    if _take(session, lock, 10):
        return "freed"
    now = session.read_file(lock) or b""
    who = now.decode(errors="replace").strip()[:_OWNER]
    return f"still held: {who}" if now == owner else f"freed; the next in line has it: {who}"


def _take(session: Session, lock: str, wait: int) -> bool:
    argv = ["flock", "--wait", str(wait), lock, "true"]
    return session.run(argv, timeout=_ASK).returncode == 0
