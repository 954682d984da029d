"""`fit MANIFEST MODEL`: what would fit on every host that the manifest places the model on."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.markup import escape

from xgen_deploy.backends.forecasting import forecasting_for
from xgen_deploy.cli.fit_rows import entry_of, yaml_of
from xgen_deploy.cli.names import unknown
from xgen_deploy.cli.opening import open_run_or_fleet
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.preload import PLANNING
from xgen_deploy.cli.screens.fit_table import fit_table, recommendation
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.fit import FitDocument
from xgen_deploy.errors import XgenError, exit_code_of, reason_of
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.choosing.available import Available
from xgen_deploy.resolve.fitting.recommended import recommended
from xgen_deploy.resolve.fitting.rows import NotKnown, Place, Row, rows
from xgen_deploy.resolve.host import resolve_host
from xgen_deploy.resolve.leaving import leaving
from xgen_deploy.resolve.room import rooms
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class _Table:
    """Of one instance on a host; `why` there is no table."""

    host: str
    instance: str
    gpus: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    why: str = ""

    @property
    def label(self) -> str:
        return f"{self.host}/{self.instance}"


def fit_hosts(settings: Settings, model: str, fleet: str | None) -> int:
    """`model` is one of the manifest's, or an instance of it. Raises XgenError."""
    with open_run_or_fleet(settings, fleet) as run:
        site = run.site
        names = {i.name for i in site.declared if model in (i.model, i.name)}
        if not names:
            raise unknown("model", model, sorted({i.model for i in site.declared}))
        hosts = frozenset(i.host for i in site.declared if i.name in names)
        observed = run.observe(among=hosts, preload=PLANNING, to_bring=True)
    tables = [
        table
        for observation in observed.values()
        if isinstance(observation, Observation)
        for table in _on_host(site, observation, names)
    ]
    errors = {name: o for name, o in observed.items() if isinstance(o, XgenError)}
    screen = Screen(settings)
    for table in tables:
        screen.lines([f"[bold]{escape(table.label)}[/]"])
        if table.why:
            screen.lines([escape(table.why), ""])
        else:
            screen.lines(fit_table(table.rows, table.gpus, screen.width))
            screen.lines(recommendation(_line(table), "hosts"), exact=True)
    screen.lines((escape(f"{n}  {reason_of(e)}") for n, e in errors.items()), always=True)
    entries = [entry_of(row, table.host, table.instance) for table in tables for row in table.rows]
    lines = tuple(line for table in tables if (line := _line(table)) is not None)
    document = FitDocument(
        rows=tuple(entries),
        recommended=lines,
        notes=tuple(f"{table.label}: {table.why}" for table in tables if table.why),
        errors=tuple(host_errors(errors)),
    )
    screen.value(document)
    return exit_code_of(errors.values())


def _line(table: _Table) -> str | None:
    best = recommended(table.rows)
    if best is None:
        return None
    return f"- {yaml_of(best, {'model': best.spec.model})}"


def _on_host(site: Site, observation: Observation, names: set[str]) -> Iterator[_Table]:
    host, record = site.hosts[observation.host], observation.record
    if record is None:
        for name in sorted(names & {i.name for i in site.on(host.name)}):
            yield _Table(host.name, name, why=observation.record_error)
        return
    resolved = resolve_host(site, host, observation.facts, record, observation.layout)
    seen = rooms(observation.facts, record, observation.layout, host)
    for instance in resolved.instances:
        if instance.name in names:
            others = [i for i in resolved.instances if i.name != instance.name]
            available = Available(
                name=instance.name,
                model=instance.spec.model,
                rooms=seen,
                record=record,
                files=observation.facts.models,
                before=others,
                leaving=leaving(site, host.name, record),
            )
            yield _instance(instance, available)
    for refusal in resolved.refusals:
        if refusal.instance in names:
            yield _Table(host.name, refusal.instance or "", why=refusal.reason)


def _instance(instance: Instance, available: Available) -> _Table:
    name, host = instance.name, instance.host
    asked = forecasting_for(instance, available.files)
    free = [available.of(gpu) for gpu in instance.gpus] or [available.of_host()]
    known = [size for size in free if size is not None]
    gone = available.leaving | {name}
    whole = [available.rooms.of(gpu).available(gone) or 0 for gpu in instance.gpus]
    labels = tuple(gpu.label for gpu in instance.gpus)
    if asked is None or len(known) < len(free):
        why = "the free memory there, or the model, is not known"
        return _Table(host, name, labels, why=why)
    place = Place(
        backend=asked.backend,
        engine=asked.engine,
        gpus=instance.gpus,
        free=tuple(known),
        whole=tuple(whole),
        files=tuple(asked.files),
    )
    spec = instance.spec
    # What the tool makes of slots that are not stated is not asked for here.
    if asked.backend.offloads_layers and instance.declared.llama.parallel is None:
        spec = replace(spec, llama=replace(spec.llama, parallel=1))
    try:
        return _Table(host, name, labels, tuple(rows(spec, asked.model, place)))
    except NotKnown as error:
        return _Table(host, name, labels, why=str(error))
