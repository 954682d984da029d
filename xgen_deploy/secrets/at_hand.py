"""What a plan needs of the secrets of this machine, told before a host is locked."""

from collections.abc import Iterator, Mapping

from xgen_deploy.errors import XgenError
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.plan import Kind, Operation, Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.secret_uses import GATEWAY_KEY, SecretUse, instance_uses, route_key
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
            if ref.host_file is None and not _is_known_there(use, ref, delivered, record):
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
        yield from _gateway_uses(operation.gateway)


def _recorded(operation: Operation, record: Record) -> Iterator[tuple[SecretUse, SecretRef]]:
    last = record.instances.get(operation.name)
    if last is not None:
        yield from instance_uses(operation.host, operation.name, last.spec.api_key, last.spec.env)
    if operation.gateway is not None and record.gateway is not None:
        yield from _gateway_uses(record.gateway.spec)


def _gateway_uses(spec: GatewaySpec) -> Iterator[tuple[SecretUse, SecretRef]]:
    if spec.api_key is not None:
        yield GATEWAY_KEY, spec.api_key
    for route in spec.routes:
        if route.api_key is not None:
            yield route_key(route.model), route.api_key


def _is_known_there(
    use: SecretUse,
    ref: SecretRef,
    delivered: Mapping[SecretUse, SecretRef],
    record: Record | None,
) -> bool:
    """The same reference was delivered before: to this use, or for a gateway to an engine beside
    it."""
    if delivered.get(use) == ref:
        return True
    beside = record.instances.values() if record is not None and use.host == "" else ()
    return any(last.spec.api_key == ref for last in beside)
