"""What a plan needs of the secrets of this machine, told before a host is locked."""

from collections.abc import Iterator, Mapping

from xgen_deploy.errors import XgenError
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.state.plan import Kind, Operation, Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.secret_uses import (
    SecretUse,
    gateway_uses,
    instance_uses,
    monitoring_uses,
    route_key,
)
from xgen_deploy.state.settings import SecretRef


def require_at_hand(plan: Plan, records: Mapping[str, Record], resolver: SecretResolver) -> None:
    """Raises XgenError with every value that carrying out the plan takes, that is not available
    here and that no earlier apply can have delivered. Files on hosts are not looked at.
    """
    problems: dict[str, None] = {}
    for operation in plan.operations:
        record = records.get(operation.host)
        delivered = dict(_recorded(operation, record)) if record is not None else {}
        for use, ref in _needed(operation):
            if ref.host_file is None and not _is_known_there(
                use, ref, delivered, operation, record
            ):
                problem = _problem(use, ref, resolver)
                if problem is not None:
                    problems[problem] = None
    if problems:
        raise XgenError("\n".join([*problems, "Nothing was changed, and no host was locked."]))


def _problem(use: SecretUse, ref: SecretRef, resolver: SecretResolver) -> str | None:
    try:
        resolver.value(use, ref)
    except NotStated:  # a record's: refused where it is used
        return None
    except NotAtHand as error:
        return f"{error}, and no earlier value was delivered"
    except XgenError as error:
        return str(error)
    return None


def _needed(operation: Operation) -> Iterator[tuple[SecretUse, SecretRef]]:
    if operation.instance is not None and operation.kind is not Kind.CLEAR_SLOT:
        spec = operation.instance.spec
        yield from instance_uses(operation.host, operation.name, spec.api_key, spec.env)
    if operation.gateway is not None:
        yield from gateway_uses(operation.gateway)
    if operation.monitoring is not None:
        yield from monitoring_uses(operation.monitoring)


def _recorded(operation: Operation, record: Record) -> Iterator[tuple[SecretUse, SecretRef]]:
    last = record.instances.get(operation.name)
    if last is not None:
        yield from instance_uses(operation.host, operation.name, last.spec.api_key, last.spec.env)
    if operation.gateway is not None and record.gateway is not None:
        yield from gateway_uses(record.gateway.spec)
    if operation.monitoring is not None and record.monitoring is not None:
        yield from monitoring_uses(record.monitoring.spec)


def _is_known_there(
    use: SecretUse,
    ref: SecretRef,
    delivered: Mapping[SecretUse, SecretRef],
    operation: Operation,
    record: Record | None,
) -> bool:
    """The same reference was delivered before: to this use, or to an engine beside the gateway
    whose key it shows that engine."""
    if delivered.get(use) == ref:
        return True
    routes = operation.gateway.routes if operation.gateway is not None else ()
    if record is None or use not in [route_key(route.model) for route in routes]:
        return False
    return any(last.spec.api_key == ref for last in record.instances.values())
