"""Hosts taken under their locks, and how an apply was asked for."""

import getpass
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from xgen_deploy.apply.host_sessions import LockedHosts, owner_of_lock
from xgen_deploy.cli.options import Settings
from xgen_deploy.errors import XgenError
from xgen_deploy.plan.maintenance import Request
from xgen_deploy.plan.saved import SavedPlan
from xgen_deploy.run.run import Run


@dataclass(frozen=True)
class How:
    """`destroy`: the site wants nothing, and what is left of the project goes too. `expected`:
    a saved plan's fingerprints; where the hosts differ from them it is refused. `lock_wait` is
    in seconds. `what` goes into the history. `refresh` as in plan/make.py, Scope. `skip_refused`:
    hosts with refusals are left out. `ask_first`: no secret is looked up before the answer.
    `trust_history` as `rollback` was given it. `maintain`: instead of what the manifest says.
    """

    yes: bool
    repin: bool = False
    refresh: bool = False
    destroy: bool = False
    expected: SavedPlan | None = None
    lock_wait: float = 0.0
    what: str = "apply"
    skip_refused: bool = False
    ask_first: bool = False
    trust_history: bool = False
    maintain: Request | None = None

    @property
    def compares_secrets(self) -> bool:
        """Maintenance leaves them as they were delivered, and a saved plan knew of none."""
        return self.maintain is None and self.expected is None


# What was asked for that goes past a safeguard, or past what a plan does by itself.
_OVERRIDES = ("repin", "refresh", "skip_refused", "trust_history")


def overrides(how: How, settings: Settings) -> tuple[str, ...]:
    """As they are called on the command line, without its dashes: for the audit log."""
    stated = [name for name in _OVERRIDES if getattr(how, name)]
    stated += ["accept_new_host_keys"] if settings.accept_new_host_keys else []
    return tuple(name.replace("_", "-") for name in stated)


def take(
    run: Run, locked_hosts: LockedHosts, settings: Settings, how: How, hosts: Iterable[str]
) -> dict[str, XgenError]:
    """Locks these hosts; those that were lost on the way, with the reason. Raises LockedError."""
    wanted = frozenset(hosts)
    chosen = [c for n, c in run.connections.items() if n in wanted]
    owner = owner_of_lock(by(), os.getpid(), how.what)
    if not how.lock_wait:
        return locked_hosts.lock(chosen, owner)
    from xgen_deploy.cli.progress import progress  # not needed before there is something to tell

    with progress(settings) as tell:
        return locked_hosts.lock(chosen, owner, wait=how.lock_wait, tell=tell)


def by() -> str:
    """Who is at work, for locks and records."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
