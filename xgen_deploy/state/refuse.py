"""How a resolving step says that the manifest cannot be met on a host."""

from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.instance_config import InstanceConfig


class Refused(Exception):
    """Carries the refusal; raised by a step and gathered by `resolve_host`, never shown."""

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
