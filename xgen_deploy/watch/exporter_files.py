"""The files of the exporter on a host: its program and settings, and its units. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.render.rendered import File
from xgen_deploy.render.templates import Templates
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring import ExporterSpec
from xgen_deploy.state.record import Record
from xgen_deploy.watch.exporter_paths import (
    EXPORTER,
    facts_folder,
    facts_unit,
    program_file,
    settings_file,
    tls_file,
)
from xgen_deploy.watch.exporter_settings import (
    Watched,
    engine_addresses,
    engine_keys,
    exporter_settings,
)


@dataclass(frozen=True)
class ExporterHost:
    """`program` is `watch.program`'s, `python` the path of the interpreter that the probe ran in,
    `groups` the host's groups that may open GPUs.
    """

    program: str
    python: str
    groups: tuple[str, ...] = ()


def exporter_files(
    record: Record,
    layout: Layout,
    watched: Watched,
    spec: ExporterSpec,
    host: ExporterHost,
    templates: Templates,
) -> tuple[File, ...]:
    """() under the process runtime, which has no units. The certificate and its key (`tls_file`)
    are not among them; all of these are root's.
    """
    if layout.process_dir is not None:
        return ()
    program, settings = program_file(layout), settings_file(layout)
    return (
        File(program, host.program, 0o600),
        File(settings, exporter_settings(record, layout, watched), 0o600),
        _service(record, layout, host, templates),
        _unit(layout, "exporter.socket.j2", templates, _socket(spec)),
        *_facts(layout, spec, (host.python, "-I", "-S", program, "facts", settings), templates),
    )


def exporter_units(layout: Layout) -> tuple[str, ...]:
    """Their names: the socket, the service that it starts, the facts' timer and service."""
    name, facts = layout.service(EXPORTER), facts_unit(layout)
    return (f"{name}.socket", f"{name}.service", f"{facts}.timer", f"{facts}.service")


def _service(record: Record, layout: Layout, host: ExporterHost, templates: Templates) -> File:
    folder = f"/run/credentials/{layout.service(EXPORTER)}.service"
    keys = engine_keys(record, layout)
    values = {
        "argv": (host.python, "-I", "-S", f"{folder}/program", EXPORTER),
        "credentials": (
            ("program", program_file(layout)),
            ("settings", settings_file(layout)),
            ("tls.pem", tls_file(layout)),
            *((key.name, key.file) for key in keys),
        ),
        "groups": host.groups,
        "reached": engine_addresses(record),
    }
    return _unit(layout, "exporter.service.j2", templates, values)


def _socket(spec: ExporterSpec) -> dict[str, object]:
    address = f"[{spec.listen}]" if ":" in spec.listen else spec.listen
    return {"listen": f"{address}:{spec.port}", "allow": spec.allow}


def _facts(
    layout: Layout, spec: ExporterSpec, argv: tuple[str, ...], templates: Templates
) -> tuple[File, ...]:
    values = {"argv": argv, "folder": facts_folder(layout), "textfile": spec.textfile}
    return (
        _unit(layout, "facts.service.j2", templates, values),
        _unit(layout, "facts.timer.j2", templates, {}),
    )


def _unit(
    layout: Layout, template: str, templates: Templates, values: Mapping[str, object]
) -> File:
    kind = template.split(".")[1]
    name = facts_unit(layout) if template.startswith("facts") else layout.service(EXPORTER)
    text = templates.text(template, {"project": layout.project, **values})
    return File(f"{layout.unit_dir}/{name}.{kind}", text, 0o644)
