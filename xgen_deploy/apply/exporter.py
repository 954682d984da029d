"""The exporter on a host: made, kept in step with what runs there, asked once, taken away."""

import time

from xgen_deploy.apply.exporter_certificate import new_certificate
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.written_files import WrittenFiles
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.plan.file_drift import digest
from xgen_deploy.render.rendered import File
from xgen_deploy.render.watchdog import usable
from xgen_deploy.resolve.monitoring import certificate_holds
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.monitoring import ExporterSpec
from xgen_deploy.state.monitoring_config import EXPORTER
from xgen_deploy.transport.base import HostError
from xgen_deploy.watch.exporter_files import ExporterHost, exporter_files, exporter_units
from xgen_deploy.watch.exporter_paths import program_file, settings_file, text_file, tls_file
from xgen_deploy.watch.exporter_settings import Watched
from xgen_deploy.watch.program import exporter_program

_ASK = 60.0
_ANSWERS = 30.0
# Those that may open GPUs, where a distribution has them.
_GROUPS = ("render", "video")


class Opened(Frozen):
    """`files` maps each to the SHA-256 of its content; `certificate` is base64."""

    files: dict[str, str]
    certificate: str
    certificate_ends: float


def open_exporter(
    context: HostContext, spec: ExporterSpec, token_digest: str, written: WrittenFiles
) -> Opened:
    """Creates, updates or repairs it. Raises XgenError."""
    last, layout, session = context.record.monitoring, context.layout, context.session
    session.make_dir(layout.etc_dir, mode=0o700)
    session.make_dir(layout.settings(EXPORTER), mode=0o700)
    there = session.read_file(tls_file(layout)) is not None
    if there and last is not None and certificate_holds(last, spec.address, time.time()):
        certificate, ends = last.certificate or "", last.certificate_ends or 0.0
    else:
        made = new_certificate(context.record.project, context.name, spec.address)
        written.write([File(tls_file(layout), made.whole.decode(), 0o600, secret=True)])
        certificate, ends = made.certificate, made.ends
    files = _files(context, spec, token_digest)
    written.write(files)
    if written.units_changed:
        context.service_manager.reload()
    socket, service, timer, facts = exporter_units(layout)
    context.must("systemctl", "enable", "--quiet", "--no-reload", socket, timer)
    if written.changed:
        context.session.run(["systemctl", "stop", service], timeout=_ASK)
        context.must("systemctl", "restart", socket)
    context.must("systemctl", "start", socket, timer)
    context.must("systemctl", "start", facts)
    return Opened(files=_digests(files), certificate=certificate, certificate_ends=ends)


def follow_record(context: HostContext) -> None:
    """What the exporter asks follows the instances and the gateway that there are now."""
    last = context.record.monitoring
    if last is None or last.spec.exporter is None or last.token_digest is None:
        return
    files = _files(context, last.spec.exporter, last.token_digest)
    written = WrittenFiles(context)
    written.write(files)
    if not written.changed:
        return
    if written.units_changed:
        context.service_manager.reload()
    _, service, _, facts = exporter_units(context.layout)
    context.session.run(["systemctl", "try-restart", service], timeout=_ASK)
    context.session.run(["systemctl", "start", "--no-block", facts], timeout=_ASK)
    known = replace(last, files={**last.files, **_digests(files)})
    context.keep(lambda record: replace(record, monitoring=known))


def prove_exporter(context: HostContext, spec: ExporterSpec, token: SecretText | None) -> str:
    """Asked on its own host as Prometheus asks it; a clause. Raises HostError."""
    if token is None:
        return "not asked: its token is on another host"
    reply = context.session.request(
        "GET",
        spec.listen if spec.listen not in ("0.0.0.0", "::") else "127.0.0.1",  # noqa: S104
        spec.port,
        "/metrics",
        headers={"Authorization": f"Bearer {token.reveal()}"},
        timeout=_ANSWERS,
        tls=True,
    )
    if reply.status != 200 or b"xgen_" not in reply.body:
        said = reply.body[:200].decode(errors="replace") if reply.status == 0 else ""
        how = f"answered with {reply.status}" if reply.status else f"did not answer: {said}"
        raise HostError(context.name, f"the exporter on port {spec.port} {how}")
    return f"exporter answers on port {spec.port}"


def close_exporter(context: HostContext, spec: ExporterSpec | None) -> None:
    """`spec` is what it was. What is not there is no error."""
    layout, session = context.layout, context.session
    units = exporter_units(layout)
    socket, service, timer, facts = units
    session.run(["systemctl", "disable", "--now", "--quiet", socket, timer], timeout=_ASK)
    session.run(["systemctl", "stop", socket, timer, service, facts], timeout=_ASK)
    paths = [f"{layout.unit_dir}/{unit}" for unit in units]
    removed = [session.remove(path, within=layout.unit_dir) for path in paths]
    if any(removed):
        context.service_manager.reload()
    session.run(["systemctl", "reset-failed", *units], timeout=_ASK)
    session.remove(layout.settings(EXPORTER), within=layout.etc_dir)
    for path in (program_file(layout), settings_file(layout)):
        session.remove(path, within=layout.state_dir)
    if spec is not None:
        remove_textfile(context, spec)


def remove_textfile(context: HostContext, spec: ExporterSpec) -> None:
    """What was written for a node exporter."""
    if spec.textfile is not None:
        path = text_file(context.layout, spec.textfile)
        context.session.remove(path, within=spec.textfile)


def _files(context: HostContext, spec: ExporterSpec, token_digest: str) -> tuple[File, ...]:
    record, layout = context.record, context.layout
    if context.host is None or not usable(context.python):
        raise XgenError(f"{context.name}: the exporter needs a Python interpreter by its path")
    gateway = record.gateway.spec.tls if record.gateway else None
    server = record.monitoring.spec.server if record.monitoring else None
    certificates = {"exporter": tls_file(layout)}
    certificates |= {"gateway": gateway.cert} if gateway else {}
    certificates |= {"prometheus": server.tls.cert} if server and server.tls else {}
    watched = Watched(
        host=context.host,
        token_sha256=token_digest,
        certificates=certificates,
        textfile=spec.textfile,
    )
    host = ExporterHost(exporter_program(), context.python, _groups(context))
    return exporter_files(record, layout, watched, spec, host, context.rendering.templates)


def _groups(context: HostContext) -> tuple[str, ...]:
    said = context.session.run(["getent", "group", *_GROUPS], timeout=_ASK).stdout
    there = {line.partition(":")[0] for line in said.splitlines()}
    return tuple(name for name in _GROUPS if name in there)


def _digests(files: tuple[File, ...]) -> dict[str, str]:
    """Of those that the plan looks at: what follows the record is only to be there."""
    return {file.path: digest(file) for file in files}
