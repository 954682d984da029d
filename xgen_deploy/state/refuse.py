"""The error with which resolving refuses what a host cannot do."""

from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.instance_config import InstanceConfig


class Refused(Exception):
    """Carries the refusal; `resolve_host` collects it, so it is never shown itself."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def refuse(declared: InstanceConfig, reason: str, hint: str = "", field: str = "") -> Refused:
    """A refusal of one instance, marked with the line where `field` was written."""
    mark = declared.marks.get(field) or declared.marks.get("")
    return Refused(
        Refusal(
            host=declared.host,
            instance=declared.name,
            reason=reason,
            hint=hint,
            mark=mark,
        )
    )
