"""What of a change a user is shown: no hash of a password; where he is limited, his part. Pure."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xgen_deploy.documents.plan import PlanDocument, plan_document
from xgen_deploy.frozen import replace
from xgen_deploy.serve.changes.planned import Planned
from xgen_deploy.serve.security.scope import hosts_of
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.manifest_edit import ManifestEdit
from xgen_deploy.state.plan import HostPlan, Plan

_HASHES = re.compile(r"((?:password|token)_hash[\"']?\s*:\s*|scrypt:)[^,}\n]+")
_AROUND = 3  # lines


def diff_of(edit: ManifestEdit, manifest: str, around: int = _AROUND) -> str:
    """As `git diff` and `patch -p1` have it."""
    name = Path(manifest).name
    lines = difflib.unified_diff(
        edit.before.splitlines(keepends=True),
        edit.after.splitlines(keepends=True),
        f"a/{name}",
        f"b/{name}",
        n=around,
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def shown_diff(edit: ManifestEdit | None, manifest: str, user: User) -> str:
    """The lines around it are for who may see the whole manifest."""
    if edit is None:
        return ""
    around = 0 if _is_limited(user) else _AROUND
    return _HASHES.sub(r"\1…", diff_of(edit, manifest, around))


def shown_plan(planned: Planned, user: User) -> Plan:
    if not _is_limited(user):
        return planned.plan
    hosts = hosts_of(user, planned.run.site)
    kept = {n: _of_models(h, planned, user) for n, h in planned.plan.hosts.items() if n in hosts}
    names = {o.instance.spec.model for h in kept.values() for o in h.operations if o.instance}
    fetches = tuple(f for f in planned.plan.fetches if f.artifact.name in names)
    return replace(planned.plan, hosts=kept, fetches=fetches, warnings=(), quantizings=())


def shown_document(planned: Planned, user: User) -> PlanDocument:
    return plan_document(shown_plan(planned, user))


def shown_line(line: str, planned: Planned, user: User) -> str:
    """A line of the process that applies it; "" where it is of others, or of nobody."""
    if not _is_limited(user):
        return line
    try:
        value = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(value, dict):
        return ""
    if value.get("kind", "end") != "end":
        return line if _is_his(value, planned, user) else ""
    errors = value.get("errors")
    own = [e for e in errors if _is_his(e, planned, user)] if isinstance(errors, list) else []
    kept = {key: value[key] for key in ("kind", "number", "exit_code") if key in value}
    return json.dumps({**kept, "errors": own}, ensure_ascii=False)


def _is_his(told: Mapping[str, Any], planned: Planned, user: User) -> bool:
    host, instance = str(told.get("host")), str(told.get("instance"))
    if host not in hosts_of(user, planned.run.site):
        return False
    return user.models is None or planned.models.get((host, instance), "") in user.models


def _of_models(host: HostPlan, planned: Planned, user: User) -> HostPlan:
    """What others' models do there is not told."""
    models = user.models
    if models is None:
        return host

    def is_his(name: str) -> bool:
        return planned.models.get((host.host, name)) in models

    return replace(
        host,
        operations=tuple(o for o in host.operations if is_his(o.name)),
        unchanged=tuple(name for name in host.unchanged if is_his(name)),
        refusals=tuple(r for r in host.refusals if r.instance is None or is_his(r.instance)),
        memory=(),
        warnings=(),
    )


def _is_limited(user: User) -> bool:
    return user.hosts is not None or user.models is not None
