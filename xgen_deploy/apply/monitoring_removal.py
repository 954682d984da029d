"""Takes away what watches a host."""

from xgen_deploy.apply.exporter import close_exporter
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.frozen import replace
from xgen_deploy.state.monitoring_paths import PROGRAMS, run_folder

_STOP = 180.0


def remove_monitoring(context: HostContext) -> None:
    """With what Prometheus kept; files and units that do not exist are not an error."""
    for program in PROGRAMS:
        if program not in context.record.instances:
            close_program(context, program)
    if "exporter" not in context.record.instances:
        close_exporter(context)
    context.keep(lambda record: replace(record, monitoring=None))


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
