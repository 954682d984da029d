"""An audit event: a change, refusal or override on a host, and by whom. Pure."""

import re
from datetime import UTC, datetime

from pydantic import ConfigDict

from xgen_deploy.frozen import Frozen
from xgen_deploy.log_lines import cut

_LONGEST = 500
# Both match every URL, with or without the part to remove, so that they take linear time.
_USER_IN_URL = re.compile(r"(?<!\w)(\w+://)(?:[^/\s@]*@)?")
_QUERY_IN_URL = re.compile(r"(?<!\w)(\w+://[^\s?#]*)(?:[?#]\S*)?")


class Actor(Frozen):
    """Who runs the tool: the login and host name of the control node, and the CI job, if any."""

    login: str
    control_host: str
    ci: str | None = None


class AuditEvent(Frozen):
    """`time` is UTC in ISO 8601. `host` is None for an event that concerns no host. `remote_login`,
    `remote_address` and `ssh_key` come from that host's sshd, None where unknown. `plan` is the
    plan's fingerprint. `before` and `after` are digests of specs, None for no instance. `outcome`:
    began, ok, failed, refused, left alone.
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
    bundle: str | None = None
    plan: str | None = None
    instance: str | None = None
    action: str | None = None
    cause: str | None = None
    before: str | None = None
    after: str | None = None
    outcome: str
    reason: str | None = None


class Subject(Frozen):
    """The fields that all events of a command share."""

    project: str
    actor: Actor
    what: str
    manifest: str
    manifest_digest: str
    bundle: str | None = None
    git: str | None = None
    overrides: tuple[str, ...] = ()
    apply: int | None = None
    plan: str | None = None

    def event(self, now: float, outcome: str, **more: str | None) -> AuditEvent:
        """`now` is in seconds since the epoch. Texts are cut, and URLs lose what may be secret."""
        shown = {k: safe(v) if k in ("cause", "reason") else v for k, v in more.items()}
        common = self.model_dump(exclude={"actor"}) | self.actor.model_dump()
        time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        return AuditEvent.model_validate({**common, "time": time, "outcome": outcome, **shown})


def safe(text: str | None) -> str | None:
    """The text cut to _LONGEST, its URLs without users, passwords, queries and fragments."""
    if not text:
        return None
    text = _QUERY_IN_URL.sub(r"\1", _USER_IN_URL.sub(r"\1", text))
    return cut(text, _LONGEST)
