"""Whether what watches a host still is what was applied. Pure."""

from collections.abc import Iterator

from xgen_deploy.plan.file_drift import DISABLED
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring import MonitoringRecord
from xgen_deploy.state.monitoring_config import EXPORTER
from xgen_deploy.state.observation import Observation


def monitoring_drift(last: MonitoringRecord, observation: Observation) -> tuple[str, ...]:
    """Clauses; none where files and units are as applied and run."""
    facts, layout = observation.facts, observation.layout
    return tuple(dict.fromkeys((*_files(last, facts), *_units(last, facts, layout))))


def _files(last: MonitoringRecord, facts: HostFacts) -> Iterator[str]:
    """What the probe compares with the record, and what it was asked for by its path."""
    for edited in facts.edited:
        if edited.path in last.files:
            how = "was edited by hand" if edited.exists else "is missing"
            yield f"{edited.path} {how}"
    for file in facts.files:
        digest = last.files.get(file.path)
        if digest is not None and file.kind == "absent":
            yield f"{file.path} is missing"
        elif digest is not None and file.sha256 is not None and file.sha256 != digest:
            yield f"{file.path} was edited by hand"


def _units(last: MonitoringRecord, facts: HostFacts, layout: Layout) -> Iterator[str]:
    """The exporter's service runs only while it is asked, its socket always."""
    units = {unit.name: unit for unit in facts.services}
    for name in unit_names(last, layout):
        unit = units.get(name)
        if unit is None or unit.state not in ("active", "activating", "reloading"):
            yield f"{name} is {unit.state if unit else 'not there'}"
        elif unit.enabled is False:
            yield f"{name}: {DISABLED}"
        if unit is not None and unit.overridden:
            yield f"drop-ins change {name}: {', '.join(unit.overridden)}"


def unit_names(last: MonitoringRecord, layout: Layout) -> Iterator[str]:
    """The units that are to run."""
    if last.spec.exporter is not None:
        yield f"{layout.service(EXPORTER)}.socket"
    yield from (f"{layout.service(program)}.service" for program in last.spec.programs)
