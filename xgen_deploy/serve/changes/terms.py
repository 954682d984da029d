"""On which terms a plan may be applied: by whom, after which name is typed. Pure."""

from collections.abc import Iterable, Iterator

from xgen_deploy.serve.changes.change import Asked, Terms
from xgen_deploy.serve.changes.planned import Planned
from xgen_deploy.serve.security.scope import hosts_of
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.observation import records_of
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.serve import Role
from xgen_deploy.state.site import Site

_TAKES_AWAY = frozenset({"remove", "stop"})


def terms_of(asked: Asked, planned: Planned, before: Site) -> Terms:
    """`before` is the site of the manifest as it is."""
    heavy = [o for o in planned.plan.operations if interrupts(o)]
    return Terms(
        role=_role(asked, planned, heavy),
        confirm=_confirm(asked, planned, heavy),
        blocked=_blocked(planned, before, heavy),
    )


def interrupts(operation: Operation) -> bool:
    """Whether requests fail, or an instance is gone afterwards."""
    return operation.interrupts or operation.action in _TAKES_AWAY


def _role(asked: Asked, planned: Planned, heavy: list[Operation]) -> Role:
    if asked.what in ("start", "restart"):
        return "operator"
    new = asked.what == "load" and not heavy
    return "operator" if new and all(map(_is_forecast, planned.plan.operations)) else "admin"


def _is_forecast(operation: Operation) -> bool:
    """Only new instances, which fit by what is known."""
    if operation.name == GATEWAY:
        return operation.action == "update"
    instance = operation.instance
    told = instance.forecast if instance is not None else None
    return operation.action == "create" and told is not None and told.fails is None


def _confirm(asked: Asked, planned: Planned, heavy: list[Operation]) -> str | None:
    """The instance's name where it is the only one, else the project's."""
    if not heavy and asked.what != "rollback":
        return None
    own = all((o.host, o.name) == (asked.host, asked.instance) for o in heavy)
    return asked.instance if own and asked.instance else planned.plan.project


def _blocked(planned: Planned, before: Site, heavy: list[Operation]) -> str | None:
    if planned.plan.forbidden:
        return "the plan is refused; see its refusals"
    protected = sorted(
        set(_protected(planned, before))
        & {(o.host, o.name) for o in heavy if o.action in _TAKES_AWAY}
    )
    if protected:
        names = ", ".join(f"{host}/{name}" for host, name in protected)
        return f"{names} is protected (`protect: true`); only the command line stops or removes it"
    return None


def _protected(planned: Planned, before: Site) -> Iterator[tuple[str, str]]:
    """By the manifest before the change, and by what was last applied."""
    yield from ((d.host, d.name) for d in before.declared if d.protect)
    for host, record in records_of(planned.observed).items():
        for name, instance in record.instances.items():
            if instance.declared is not None and instance.declared.protect:
                yield host, name


def beyond(user: User, planned: Planned) -> str:
    """What of a plan is not this user's to change, as a sentence; "" where all of it is."""
    hosts = hosts_of(user, planned.run.site)
    others = [
        o.id
        for o in planned.plan.operations
        if not _is_his(user, hosts, planned, o) and not (o.name == GATEWAY and not interrupts(o))
    ]
    if not others:
        return ""
    return f"the plan changes {_listed(others)} as well, which {user.name} may not"


def _is_his(user: User, hosts: frozenset[str], planned: Planned, operation: Operation) -> bool:
    if operation.host not in hosts:
        return False
    if user.models is None:
        return True
    model = planned.models.get((operation.host, operation.name)) or _recorded(planned, operation)
    return model in user.models


def _recorded(planned: Planned, operation: Operation) -> str | None:
    record = records_of(planned.observed).get(operation.host)
    instance = record.instances.get(operation.name) if record is not None else None
    return instance.declared.model if instance is not None and instance.declared else None


def _listed(names: Iterable[str]) -> str:
    first, *more = names
    return f"{first} and {len(more)} more" if more else first
