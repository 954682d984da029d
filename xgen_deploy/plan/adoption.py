"""The plan of an instance that takes the place of what was started by hand. Pure."""

from xgen_deploy.frozen import replace
from xgen_deploy.state.plan import Operation


def adopting(operation: Operation) -> Operation:
    """The operation that creates it; as it is where it takes nobody's place."""
    adopted = operation.instance.adopts if operation.instance else None
    if operation.instance is None or adopted is None:
        return operation
    port = operation.instance.spec.port
    unit = f"xgen-{operation.instance.project}-{operation.instance.name_on_host}.service"
    if not adopted.running:
        note = f"{adopted} does not run; it is kept from starting at boot"
        return replace(operation, notes=(*operation.notes, note))
    return replace(
        operation,
        cause=f"takes over from {adopted}, which listens on its port {port}",
        strategy="stop-first",
        why=f"a process cannot move to another unit: it starts anew under {unit}",
        interrupts=True,
        notes=(*operation.notes, f"{adopted} stays there, stopped, and does not start at boot"),
    )
