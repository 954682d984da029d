"""One thing that was done to a host, refused or overridden, and by whom. Pure."""

import re
from datetime import UTC, datetime

from pydantic import ConfigDict

from xgen_deploy.frozen import Frozen
from xgen_deploy.log_lines import cut

_LONGEST = 500
# Each takes a whole URL's beginning, with or without what goes: they cost what the text is long.
_USER_IN_URL = re.compile(r"(?<!\w)(\w+://)(?:[^/\s@]*@)?")
_QUERY_IN_URL = re.compile(r"(?<!\w)(\w+://[^\s?#]*)(?:[?#]\S*)?")


class Actor(Frozen):
    """Who is at work on the control side: `login` there and its host name, `ci` where a CI job
    is at work.
    """

    login: str
    control_host: str
    ci: str | None = None


class AuditEvent(Frozen):
    """`time` is UTC in ISO 8601. `host` None: of no host. `remote_login`, `remote_address` and
    `ssh_key` are what that host's own sshd says of the connection, None where it does not.
    `plan` is the plan's fingerprint. `before` and `after` are digests of specs, None where there
    was or will be nothing. `outcome`: began, ok, failed, refused, left alone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    time: str
    project: str
    host: str | None = None
    login: str | None = None
    control_host: str | None = None
    ci: str | None = None
    remote_login: str | None = None
    remote_address: str | None = None
    ssh_key: str | None = None
    what: str
    overrides: tuple[str, ...] = ()
    apply: int | None = None
    manifest: str | None = None
    git: str | None = None
    manifest_digest: str | None = None
    plan: str | None = None
    instance: str | None = None
    action: str | None = None
    cause: str | None = None
    before: str | None = None
    after: str | None = None
    outcome: str
    reason: str | None = None


class Subject(Frozen):
    """What all events of one command have in common."""

    project: str
    actor: Actor
    what: str
    manifest: str
    manifest_digest: str
    git: str | None = None
    overrides: tuple[str, ...] = ()
    apply: int | None = None
    plan: str | None = None

    def event(self, now: float, outcome: str, **more: str | None) -> AuditEvent:
        """`now` in seconds since the epoch. Texts are cut, and URLs lose what may be secret."""
        shown = {k: safe(v) if k in ("cause", "reason") else v for k, v in more.items()}
        common = self.model_dump(exclude={"actor"}) | self.actor.model_dump()
        time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        return AuditEvent.model_validate({**common, "time": time, "outcome": outcome, **shown})


def safe(text: str | None) -> str | None:
    """Without users, passwords, queries and fragments in URLs, and not too long."""
    if not text:
        return None
    text = _QUERY_IN_URL.sub(r"\1", _USER_IN_URL.sub(r"\1", text))
    return cut(text, _LONGEST)
