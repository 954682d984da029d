"""Takes away what watches a host."""

import posixpath

from xgen_deploy.apply.exporter import close_exporter
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.frozen import replace
from xgen_deploy.state.monitoring_config import PROMETHEUS
from xgen_deploy.state.monitoring_paths import PROGRAMS, run_folder, token_file
from xgen_deploy.watch.server_files import is_ours

_STOP = 180.0


def remove_monitoring(context: HostContext, *, keeps_token: bool = False) -> None:
    """With what Prometheus kept; files and units that do not exist are not an error. `keeps_token`:
    other hosts' exporters know it by now.
    """
    last, path = context.record.monitoring, token_file(context.layout)
    token = context.session.read_file(path) if keeps_token else None
    for program in PROGRAMS:
        if program not in context.record.instances:
            close_program(context, program)
    if "exporter" not in context.record.instances:
        close_exporter(context, last.spec.exporter if last else None)
    _remove_provided(context)
    if token is not None:
        context.session.make_dir(context.layout.settings(PROMETHEUS), mode=0o700)
        context.session.write_file(path, token, mode=0o600)
    context.keep(lambda record: replace(record, monitoring=None))


def _remove_provided(context: HostContext) -> None:
    """What was written for a Grafana that is there, and what programs were shown."""
    last = context.record.monitoring
    server = last.spec.server if last is not None else None
    for path in last.files if last is not None and server is not None else ():
        if is_ours(path, context.layout, server):
            context.session.remove(path, within=posixpath.dirname(path))


def close_program(context: HostContext, program: str) -> None:
    """Its unit, its settings and its data."""
    layout, session = context.layout, context.session
    unit = f"{layout.service(program)}.service"
    path = layout.definition(program)
    if session.read_file(path) is not None:
        context.service_manager.stop(layout.service(program))
        session.run(["systemctl", "clean", "--what=all", unit], timeout=_STOP)
        session.remove(path, within=layout.unit_dir)
        context.service_manager.reload()
    session.remove(layout.settings(program), within=layout.etc_dir)
    session.run(["rmdir", run_folder(layout, program)], timeout=_STOP)
