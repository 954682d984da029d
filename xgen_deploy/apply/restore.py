"""Puts files right beside a process that runs as it was applied; the process is left alone."""

from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.state.plan import Operation


def restore_files(execution: Execution, operation: Operation) -> str:
    """Content and mode, the unit's drop-ins, its start at boot. Raises OperationFailed where what
    ran is not there any more afterwards."""
    context, instance = execution.context, operation.instance
    if instance is None:
        raise XgenError(f"{operation.id}: the operation has no instance to restore")
    rendered = context.rendering.render(instance)
    manager = context.service_manager
    before = manager.state(rendered.service)
    _write(context, rendered)
    manager.restore(rendered.service, reload=operation.reload)
    after = manager.state(rendered.service)
    if not after.alive or after.run != before.run:
        raise OperationFailed(
            f"its files are as they were applied, but meanwhile it ended: {after.detail}"
        )
    return "its files are as they were applied; what runs was left alone"


def _write(context: HostContext, rendered: Rendered) -> None:
    """Only what differs. A secret's file is there as it was delivered, but for its mode."""
    for file in (*rendered.files, rendered.definition):
        if not file.secret and context.session.read_file(file.path) != file.content.encode():
            _put(context, file)
        else:
            context.must("chmod", f"{file.mode:04o}", file.path)


def _put(context: HostContext, file: File) -> None:
    content = file.content.encode()
    context.session.write_file(file.path, content, mode=file.mode, uid=file.uid, gid=file.uid)
