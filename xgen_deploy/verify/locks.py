"""Who has a host's lock and who waits for it, from one look at the host: pure."""

from datetime import datetime

from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.limits import PAGE
from xgen_deploy.state.facts import LockFacts
from xgen_deploy.transport.remote.locks import PUTTING_BACK
from xgen_deploy.visible import on_one_line

# As `apply.crew.owner_of_lock` writes it.
SINCE = "%Y-%m-%d %H:%M:%S %z"
_LONG = 100


class Owner(Frozen):
    """What somebody wrote of themselves: a host's text, cut short; None where it says nothing."""

    by: str | None = None
    since: str | None = None
    doing: str | None = None

    @property
    def clause(self) -> str:
        """`kim@ops since 21:03:10 (apply)`."""
        since = f" since {_clock(self.since)}" if self.since else ""
        return (self.by or "somebody") + since + (f" ({self.doing})" if self.doing else "")


class LockStatus(Frozen):
    """`by`, `since` and `doing` of the owner are None where the lock is free and others wait."""

    by: str | None = None
    since: str | None = None
    doing: str | None = None
    pid: int | None = None
    waiting: tuple[Owner, ...] = ()

    @property
    def line(self) -> str:
        """A clause for people."""
        waiting = len(self.waiting)
        wait = f"{waiting} wait{'s'[: waiting == 1]}"
        if self.pid is None:
            return f"{wait} for the lock, {self.waiting[0].clause} is next"
        owner = Owner(by=self.by, since=self.since, doing=self.doing)
        return f"locked by {owner.clause}" + (f"; {wait}" if waiting else "")


def lock_status(lock: LockFacts | None) -> LockStatus | None:
    """None where nobody has the lock or waits for it."""
    if lock is None or (lock.pid is None and not lock.queue):
        return None
    owner = _holder(lock)
    waiting = tuple(_owner(_fields(text)) for text in lock.queue)
    return LockStatus(**owner.model_dump(), pid=lock.pid, waiting=waiting)


def _holder(lock: LockFacts) -> Owner:
    """Where its owner is gone, the guard that it left behind has the lock."""
    fields = _fields(lock.holder)
    owner = _owner(fields)
    if lock.pid is not None and fields and str(fields.get("pid")) != str(lock.pid):
        return replace(owner, doing=PUTTING_BACK)
    return owner


def _fields(text: str | None) -> dict[str, object]:
    try:
        found = read_json(text or "", PAGE)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _owner(fields: dict[str, object]) -> Owner:
    said = {k: fields.get(k) for k in Owner.model_fields}
    return Owner.model_validate(
        {k: on_one_line(v[:_LONG]) for k, v in said.items() if isinstance(v, str)}
    )


def _clock(since: str) -> str:
    """Today's time of day here, else with the day; what is no time is shown as it is."""
    try:
        then = datetime.strptime(since, SINCE).astimezone()
    except ValueError:
        return since
    today = then.date() == datetime.now(tz=then.tzinfo).date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
