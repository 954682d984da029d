"""Who holds a host's lock and who waits for it, from one observation of the host. Pure."""

from datetime import datetime

from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.limits import PAGE
from xgen_deploy.state.facts import LockFacts
from xgen_deploy.visible import on_one_line

PUTTING_BACK = "putting back what worked before, because that apply was interrupted"
# As `apply.host_sessions.lock_owner` writes it.
SINCE = "%Y-%m-%d %H:%M:%S %z"
_LONG = 100


class Owner(Frozen):
    """The fields that a lock's owner wrote on the host, cut short; None where missing. `operation`
    is the one that it is at.
    """

    by: str | None = None
    since: str | None = None
    doing: str | None = None
    operation: str | None = None

    @property
    def clause(self) -> str:
        """`kim@ops since 21:03:10 (apply: update qwen3-8b)`."""
        since = f" since {_clock(self.since)}" if self.since else ""
        what = ": ".join(word for word in (self.doing, self.operation) if word)
        return (self.by or "somebody") + since + (f" ({what})" if what else "")


class LockStatus(Frozen):
    """`by`, `since`, `doing`, `operation`, `pid` are the owner's; None where the lock is free and
    runs wait.
    """

    by: str | None = None
    since: str | None = None
    doing: str | None = None
    operation: str | None = None
    pid: int | None = None
    waiting: tuple[Owner, ...] = ()

    @property
    def line(self) -> str:
        """For people: `locked by kim@ops since 21:03:10 (apply: update q); 1 waits`."""
        waiting = len(self.waiting)
        wait = f"{waiting} wait{'s'[: waiting == 1]}"
        if self.pid is None:
            return f"{wait} for the lock, {self.waiting[0].clause} is next"
        return f"locked by {self.owner.clause}" + (f"; {wait}" if waiting else "")

    @property
    def owner(self) -> Owner:
        return Owner(by=self.by, since=self.since, doing=self.doing, operation=self.operation)

    @property
    def at_work(self) -> bool:
        """A command is changing the host; not the guard of one that was interrupted."""
        return self.pid is not None and not self.putting_back

    @property
    def putting_back(self) -> bool:
        return self.pid is not None and self.doing == PUTTING_BACK


def lock_status(lock: LockFacts | None) -> LockStatus | None:
    """None where no run holds the lock or waits for it."""
    if lock is None or (lock.pid is None and not lock.queue):
        return None
    owner = _holder(lock)
    waiting = tuple(_owner(_fields(text)) for text in lock.queue)
    return LockStatus(**owner.model_dump(), pid=lock.pid, waiting=waiting)


def _holder(lock: LockFacts) -> Owner:
    """Another process than the owner that the file names: the guard of a run that ended early."""
    fields = _fields(lock.holder)
    owner = _owner(fields)
    if lock.pid is not None and fields and str(fields.get("pid")) != str(lock.pid):
        return replace(owner, doing=PUTTING_BACK, operation=None)
    return owner


def _fields(text: str | None) -> dict[str, object]:
    try:
        fields = read_json(text or "", PAGE)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _owner(fields: dict[str, object]) -> Owner:
    known = {k: fields.get(k) for k in Owner.model_fields}
    return Owner.model_validate(
        {k: on_one_line(v[:_LONG]) for k, v in known.items() if isinstance(v, str)}
    )


def _clock(since: str) -> str:
    """In local time, with the date unless it is today; what is not a time is shown unchanged."""
    try:
        then = datetime.strptime(since, SINCE).astimezone()
    except ValueError:
        return since
    today = then.date() == datetime.now(tz=then.tzinfo).date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
