"""The record of a project on a host: the specs that were last applied there, and by whom.

The host is the state: this record lies on it, is read by the probe and written by apply alone.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Duration, Frozen, Moment, UrlPath, replace
from xgen_deploy.limits import CHANGES, CORDONS, HOSTS, INSTANCES, RECORD
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.driver_memory import DriverMemory
from xgen_deploy.state.field_types import is_instance_name
from xgen_deploy.state.forecast_record import ForecastRecord
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import Slot
from xgen_deploy.state.load_report import MOST, LoadReport
from xgen_deploy.state.monitoring import MonitoringRecord
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.stopped import Stopped
from xgen_deploy.visible import on_one_line

# 1 is what 0.1.0 wrote: it is read, and written as 2 by the next change.
FORMAT = 2
_SHOWN = 200

# Far above any real number, so that no host can name one from which counting on would fail.
LAST_APPLY = 10**9
FAR = 10**6


class InstanceRecord(Frozen):
    """An instance as it was last applied with success; `declared` is what was asked for then.

    `files` maps each file that was written to the SHA-256 of its content. `pins` maps what the
    manifest called a GPU (an index) to the identity that it had then. `ready_seconds` is how
    long the start took until a real request was answered. `slot` is where on the host it lies
    (see layout.py), `other_port` the one of the slot that it was in before. `unit_version` is of
    the templates that its unit was written with (see render/unit_version.py). `forecast` is what
    was told of its memory before it started.
    """

    spec: Spec
    digest: str
    declared: InstanceConfig | None = None
    stopped: Stopped | None = None
    files: dict[str, str] = Field(default_factory=dict)
    pins: dict[str, str] = Field(default_factory=dict)
    health_path: UrlPath = "/health"
    applied_at: Moment | None = None
    apply: int | None = None
    ready_seconds: Duration | None = None
    invocation: str | None = None
    report: LoadReport | None = None
    forecast: ForecastRecord | None = None
    slot: Slot = ""
    other_port: int | None = None
    unit_version: int = 1


class ApplyRecord(Frozen):
    """One apply of the project as this host saw it. `ended` None: it never ended. `git` is the
    commit of the manifest's checkout, `changes` a clause an operation, `values` the fields that
    it was to change. `failures`: instance -> why it failed, in the engine's own words where there
    are some.
    """

    number: Annotated[int, Field(ge=0, le=LAST_APPLY)]
    by: str
    manifest: str
    manifest_digest: str
    began: Moment
    ended: Moment | None = None
    outcome: str | None = None
    what: str = "apply"
    git: str | None = None
    changes: Annotated[tuple[str, ...], Field(max_length=CHANGES)] = ()
    values: Annotated[tuple[str, ...], Field(max_length=CHANGES)] = ()
    failures: Annotated[dict[str, str], Field(max_length=INSTANCES)] = Field(default_factory=dict)

    @property
    def is_maintenance(self) -> bool:
        """It changed no version, so there is nothing to roll back to."""
        return self.what in ("stop", "start", "restart", "cordon", "uncordon")


class HistoryEntry(Frozen):
    """What ran on a host after one apply, as it was declared: what `rollback` goes back to."""

    format: int = FORMAT
    apply: ApplyRecord
    declared: Annotated[tuple[InstanceConfig, ...], Field(max_length=INSTANCES)] = ()


class Record(Frozen):
    """`cordons`: what is out of service. `pending` names instances that an apply began to change,
    and has not finished with. `host` is the inventory's name for this host and `origin` of the
    manifest, both of the last apply; None where an older version wrote the record. `bundle` is the
    last one that was applied here. `drivers` are what they were seen to take of GPUs for a process.
    """

    format: int = FORMAT
    revision: int = 0
    project: str
    host: str | None = None
    hosts: Annotated[tuple[str, ...], Field(max_length=HOSTS)] = ()
    last_apply: ApplyRecord | None = None
    instances: dict[str, InstanceRecord] = Field(default_factory=dict, max_length=INSTANCES)
    pending: dict[str, str] = Field(default_factory=dict, max_length=INSTANCES)
    gateway: GatewayRecord | None = None
    monitoring: MonitoringRecord | None = None
    origin: Origin | None = None
    bundle: BundleOrigin | None = None
    cordons: Annotated[tuple[Cordon, ...], Field(max_length=CORDONS)] = ()
    drivers: Annotated[tuple[DriverMemory, ...], Field(max_length=MOST)] = ()

    def begun(self, instance: str, digest: str) -> "Record":
        """An apply begins to bring the instance to the spec of this digest."""
        return replace(self, pending={**self.pending, instance: digest})

    def settled(self, instance: str) -> "Record":
        """The change of the instance has ended, with or without success."""
        return replace(self, pending={n: d for n, d in self.pending.items() if n != instance})

    def with_instance(self, name: str, last: InstanceRecord) -> "Record":
        return replace(self, instances={**self.instances, name: last})

    def without_instance(self, name: str) -> "Record":
        return replace(self, instances={n: r for n, r in self.instances.items() if n != name})

    def with_cordon(self, cordon: Cordon) -> "Record":
        others = tuple(c for c in self.cordons if c.key != cordon.key)
        return replace(self, cordons=(*others, cordon))

    def in_force(self, now: float, *, lifting: str | None = None) -> "Record":
        """Without cordons whose time is over, or that is being lifted; what they stopped counts as
        not stopped, or as stopped by another one that it is under too."""
        cordons = tuple(c for c in self.cordons if c.holds(now) and c.key != lifting)
        keys = {c.key for c in cordons}
        freed = {
            name: _under_another(last, cordons)
            for name, last in self.instances.items()
            if last.stopped and last.stopped.cordon and last.stopped.cordon not in keys
        }
        if not freed and cordons == self.cordons:
            return self
        return replace(self, cordons=cordons, instances={**self.instances, **freed})

    def name_on_host(self, instance: str) -> str:
        """An instance's name on the host, by the slot that it lies in."""
        last = self.instances.get(instance)
        return instance + (last.slot if last else "")


def _under_another(last: InstanceRecord, cordons: tuple[Cordon, ...]) -> InstanceRecord:
    other = next((c.key for c in cordons if c.covers(last.spec.gpus)), None)
    stopped = replace(last.stopped, cordon=other) if last.stopped and other else None
    return replace(last, stopped=stopped)


def last_number(applies: Mapping[str, ApplyRecord | None]) -> tuple[int, tuple[str, ...]]:
    """The newest apply's number by what each host says (0 without any), and the hosts whose own is
    so far beyond all others that it cannot be: counting on from it would soon end.
    """
    numbers = sorted((a.number, host) for host, a in applies.items() if a is not None)
    last = numbers[0][0] if numbers else 0
    for number, _ in numbers:
        if number > last + FAR:
            break
        last = number
    return last, tuple(host for number, host in numbers if number > last)


def digest_of(value: object) -> str:
    """SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_record(text: str | None, project: str, host: str) -> Record:
    """The record in a host's file; an empty one where there is none.

    Raises XgenError when a newer tool wrote it, or when it cannot be understood.
    """
    if text is None:
        return Record(project=project)
    try:
        raw = read_json(text, RECORD)
        record_format = int(raw["format"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise XgenError(
            f"{host}: the record of project {project} is damaged ({str(error)[:_SHOWN]}); "
            "restore the file record.json in the project's folder there "
            f"(/var/lib/xgen-deploy/{project} unless the runtime is process) or move it away"
        ) from error
    if record_format > FORMAT:
        raise XgenError(
            f"{host}: the record of project {project} has format {record_format}, newer than "
            f"this tool knows ({FORMAT}); use the newer xgen-deploy that wrote it"
        )
    try:
        record = Record.model_validate(on_one_line(raw))
    except ValidationError as error:
        raise XgenError(
            f"{host}: the record of project {project} cannot be understood: "
            f"{error.errors()[0]['msg'][:_SHOWN]}"
        ) from error
    for name in (*record.instances, *record.pending):
        if not is_instance_name(name):
            raise XgenError(
                f"{host}: the record of project {project} names an instance {name[:80]!r}, which "
                "no instance can be called; restore the file record.json there or move it away"
            )
    edited = [n for n, entry in record.instances.items() if entry.digest != entry.spec.digest]
    if record.gateway is not None and record.gateway.digest != record.gateway.spec.digest:
        edited.append(GATEWAY)
    if record.monitoring is not None and record.monitoring.digest != record.monitoring.spec.digest:
        edited.append(MONITORING)
    if edited:
        raise XgenError(
            f"{host}: the record of project {project} was edited: what it says of "
            f"{', '.join(sorted(edited))} is not what was applied (its digest is another one); "
            "restore the file record.json there or move it away"
        )
    return record
