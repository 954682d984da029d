"""Carries out the operation of what watches one host; decides nothing."""

import time

from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.exporter import (
    Opened,
    close_exporter,
    follow_record,
    open_exporter,
    prove_exporter,
    remove_textfile,
)
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.monitoring_proof import prove_server
from xgen_deploy.apply.monitoring_removal import close_program, remove_monitoring
from xgen_deploy.apply.monitoring_server import OpenedServer, open_server
from xgen_deploy.apply.written_files import WrittenFiles
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.monitoring_drift import unit_names
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.state.monitoring import MonitoringRecord, MonitoringSpec
from xgen_deploy.state.plan import Operation


def change_monitoring(execution: Execution, operation: Operation) -> str:
    """The exporter first, then Prometheus with the targets that there are by now. A clause about
    how it stands. Raises OperationFailed; what watched before was put back.
    """
    context, spec = execution.context, operation.monitoring
    if spec is None:
        raise XgenError(f"{operation.id}: the operation has nothing to watch with")
    written, first = WrittenFiles(context), context.record.monitoring is None
    before = context.record.monitoring
    try:
        return _changed(execution, spec, written)
    except UnreachableError:
        raise
    except XgenError as error:
        reason = str(error).removeprefix(f"{context.name}: ")
        ending = _put_back(context, written, before, first=first)
        raise OperationFailed(f"{reason}. {ending}") from None


def _changed(execution: Execution, spec: MonitoringSpec, written: WrittenFiles) -> str:
    context, watching = execution.context, execution.watching
    before = context.record.monitoring
    clauses: list[str] = []
    exporter: Opened | None = None
    digest = watching.token_digest(context.name)
    if spec.exporter is not None:
        exporter = open_exporter(context, spec.exporter, digest, written)
        clauses.append(prove_exporter(context, spec.exporter, watching.token()))
    files = dict(exporter.files) if exporter else {}
    known = MonitoringRecord(
        spec=replace(spec, server=before.spec.server if before else None),
        digest="",
        files={**(before.files if before else {}), **files},
        certificate=exporter.certificate if exporter else None,
        certificate_ends=exporter.certificate_ends if exporter else None,
        token_digest=digest,
        applied_at=time.time(),
        apply=execution.number,
        unit_version=UNIT_VERSION,
    )
    if spec.server is None:
        _keep(context, replace(known, spec=spec, files=files))
        _close_others(context, before, spec)
        return "; ".join(clauses)
    _keep(context, known)  # its certificate is among those that Prometheus is to know
    spec = replace(spec, server=replace(spec.server, targets=watching.targets()))
    server: OpenedServer = open_server(execution, spec, before, written)
    clauses.append(prove_server(execution, spec, before, server))
    _keep(context, replace(known, spec=spec, files={**files, **server.files}))
    follow_record(context)  # its own certificate is told of too
    _close_others(context, before, spec)
    return "; ".join(clauses)


def _close_others(
    context: HostContext, before: MonitoringRecord | None, spec: MonitoringSpec
) -> None:
    """What is no longer asked for."""
    if before is None:
        return
    old, new = before.spec.exporter, spec.exporter
    if old is not None and new is None:
        close_exporter(context, old)
    elif old is not None and new is not None and old.textfile != new.textfile:
        remove_textfile(context, old)
    for program in set(before.spec.programs) - set(spec.programs):
        close_program(context, program)


def _keep(context: HostContext, known: MonitoringRecord) -> None:
    known = replace(known, digest=known.spec.digest)
    context.keep(lambda record: replace(record, monitoring=known))


def _put_back(
    context: HostContext,
    written: WrittenFiles,
    before: MonitoringRecord | None,
    *,
    first: bool,
) -> str:
    try:
        if first:
            remove_monitoring(context, keeps_token=True)
            return "It was taken away; nothing was there before"
        written.put_back()
        for unit in unit_names(before, context.layout) if before is not None else ():
            context.must("systemctl", "restart", unit)
        context.keep(lambda record: replace(record, monitoring=before))
        return "What watched before does again"
    except UnreachableError:
        raise
    except XgenError as error:
        return f"Putting back what watched before failed too: {error}"
