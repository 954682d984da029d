"""`status --where`: which instances are asked for. Pure."""

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import UsageError
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status

FIELDS = ("backend", "build", "digest", "file", "host", "instance", "model", "state", "unit")
_NUMBERS = ("build", "unit")
_CONDITION = re.compile(r"\s*([a-z]+)\s*(<=|>=|!=|=|<|>)\s*(\S.*?)\s*")
_ALONE = re.compile(r"[bv]?\d[\d.]*")
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}")


@dataclass(frozen=True)
class Condition:
    """`values` are alternatives; for a comparison there is one."""

    field: str
    operator: str
    values: tuple[str, ...]

    def holds(self, instance: Status) -> bool | None:
        """None where it cannot be told, because the instance's own value is unknown."""
        own = _values(instance, self.field)
        if not own:
            return None
        if self.operator in ("=", "!="):
            equal = any(_equals(self.field, o, value) for o in own for value in self.values)
            return equal is (self.operator == "=")
        return _compared(own[0], self.operator, self.values[0])


def condition(text: str) -> Condition:
    """`build<11434`, `state=failed,absent`, `host=gpu-0*`. Raises UsageError."""
    match = _CONDITION.fullmatch(text)
    if match is None or match[1] not in FIELDS:
        raise UsageError(
            f"--where {text}: expected FIELD=VALUE, such as state=failed or build<11434; "
            f"FIELD is one of {', '.join(FIELDS)}"
        )
    field, operator, values = match[1], match[2], tuple(match[3].split(","))
    if operator not in ("=", "!=") and (field not in _NUMBERS or _number(match[3]) is None):
        raise UsageError(
            f"--where {text}: `{operator}` compares numbers of {' and '.join(_NUMBERS)}; "
            f"use = or != for {field}"
        )
    return Condition(field, operator, values)


def narrowed(
    status: SiteStatus, conditions: tuple[Condition, ...]
) -> tuple[SiteStatus, tuple[Status, ...]]:
    """The same with the instances for which all conditions hold; and those of which it cannot be
    told.
    """
    if not conditions:
        return status, ()
    told = [(instance, [c.holds(instance) for c in conditions]) for instance in status.instances]
    held = tuple(instance for instance, answers in told if all(answers))
    unknown = tuple(i for i, answers in told if None in answers and False not in answers)
    return replace(status, instances=held, gateways=()), unknown


def _values(instance: Status, field: str) -> tuple[str, ...]:
    """All that it may be called; () where it is unknown."""
    values: dict[str, tuple[object, ...]] = {
        "backend": _backends(instance.backend),
        "build": (instance.build,),
        "digest": (instance.digest,),
        "file": (instance.model_sha256, instance.model_state),
        "host": (instance.host,),
        "instance": (instance.instance,),
        "model": (instance.model_id,),
        "state": (instance.status,),
        "unit": (instance.unit_version,),
    }
    return tuple(str(value) for value in values[field] if value is not None)


def _backends(name: str | None) -> tuple[object, ...]:
    backend = backend_named(name) if name else None
    return (name, backend.family) if backend else (name,)


def _equals(field: str, own: str, value: str) -> bool:
    """A pattern as a shell's; a digest by its beginning, a number as a number."""
    if field in ("digest", "file"):
        return own.startswith(value.lower())
    if field in _NUMBERS and _ALONE.fullmatch(value):
        return _number(own) == _number(value)
    return fnmatchcase(own, value)


def _compared(own: str, operator: str, value: str) -> bool | None:
    """None where these are not versions of one kind: vLLM's 0.11.2 is no build of llama.cpp."""
    left, right = _number(own), _number(value)
    if left is None or right is None or (len(left) > 1) != (len(right) > 1):
        return None
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def _number(text: str) -> tuple[int, ...] | None:
    """`b11434-0a1b2c3` is (11434,), `0.11.2` is (0, 11, 2)."""
    number = _NUMBER.search(text)
    return tuple(map(int, number[0].split("."))) if number else None
