"""Prometheus and what belongs to it on the monitoring host: delivered and started."""

from collections.abc import Iterable

from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.written_files import WrittenFiles
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.plan.file_drift import digest
from xgen_deploy.render.rendered import File
from xgen_deploy.secrets.monitoring import ServerSecrets
from xgen_deploy.state.monitoring import MonitoringRecord, MonitoringSpec
from xgen_deploy.state.monitoring_config import PROMETHEUS
from xgen_deploy.state.monitoring_paths import shown_folder, token_file
from xgen_deploy.watch.server_files import is_ours, server_files, targets_path
from xgen_deploy.watch.server_units import server_units

_ASK = 180.0


class OpenedServer(Frozen):
    """`files` maps those without secrets to the SHA-256 of their content; `restarted` are programs
    that were started anew.
    """

    files: dict[str, str]
    restarted: tuple[str, ...] = ()


def server_secrets(context: HostContext) -> ServerSecrets:
    return ServerSecrets(context.secrets, context.files, context.layout)


def open_server(
    execution: Execution,
    spec: MonitoringSpec,
    before: MonitoringRecord | None,
    written: WrittenFiles,
) -> OpenedServer:
    """Creates, updates or repairs them. What changes targets alone restarts and reloads nothing.
    Raises XgenError.
    """
    context, server = execution.context, spec.server
    layout = context.layout
    if server is None:
        raise XgenError(f"{context.name}: there is no Prometheus to start")
    last = before.spec.server if before else None
    token = execution.watching.token()
    if token is None:
        raise XgenError(f"{context.name}: there is no token to ask the exporters with")
    shown = server_files(server, layout, execution.watching.certificates())
    secret = (
        File(token_file(layout), token.reveal(), 0o600, secret=True),
        *server_secrets(context).files(server, last),
    )
    units = server_units(server, layout, context.rendering.templates)
    _make_folders(context, spec, (*shown, *secret))
    written.write((*shown, *secret, *units))
    old = (before.files if before else {}).keys() - {f.path for f in (*shown, *units)}
    written.remove(path for path in sorted(old) if is_ours(path, layout, last))
    if written.units_changed:
        context.service_manager.reload()
    restarted = tuple(p for p in spec.programs if _started(context, p, written))
    return OpenedServer(files={f.path: digest(f) for f in (*shown, *units)}, restarted=restarted)


def _make_folders(context: HostContext, spec: MonitoringSpec, files: Iterable[File]) -> None:
    """What a program's user is shown may be read by all who get as far; nobody else does."""
    layout, session = context.layout, context.session
    session.make_dir(layout.etc_dir, mode=0o700)
    for program in spec.programs:
        session.make_dir(layout.settings(program), mode=0o700)
        session.make_dir(shown_folder(layout, program), mode=0o755)
    folders = dict.fromkeys(f.path.rpartition("/")[0] for f in files if not f.secret)
    for folder in sorted(folders):
        session.make_dir(folder, mode=0o755)


def _started(context: HostContext, program: str, written: WrittenFiles) -> bool:
    """Whether the program was started anew; a change of what it is shown only has it read that."""
    layout = context.layout
    service, settings = layout.service(program), f"{layout.settings(program)}/"
    shown = f"{shown_folder(layout, program)}/"
    changed = {p for p in written.changed if p.startswith(settings)}
    anew = layout.definition(program) in written.changed or any(
        not p.startswith(shown) for p in changed
    )
    running = context.service_manager.state(service).alive
    if anew or not running or (program != PROMETHEUS and changed):
        context.service_manager.start(service)
        return True
    context.service_manager.restore(service, reload=True)
    if changed - {targets_path(layout)}:
        context.must("systemctl", "reload", f"{service}.service")
    return False
