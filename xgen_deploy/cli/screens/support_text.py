"""The text of `xgen-deploy support`, readable on paper. Pure."""

import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xgen_deploy.backends.registry import sharing_slots_of, short_name_of
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.plan.headlines import gib
from xgen_deploy.run.projects import HostProject
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.record import ApplyRecord, InstanceRecord, Record

WIDTH = 96
_LEFT_OUT = (
    "Left out: secrets and values of environment variables, prompts and answers, engine log lines "
    "that are no errors. Read it before you send it."
)
_ANONYMOUS = (
    "Names of hosts, users, projects and registries, addresses, paths and cards are replaced."
)


@dataclass(frozen=True)
class ProjectReport:
    """`complaints` are error lines of the engines, by instance; `applies` the newest ones."""

    project: HostProject
    complaints: Mapping[str, Sequence[str]] = field(default_factory=dict)
    applies: Sequence[ApplyRecord] = ()


@dataclass(frozen=True)
class HostReport:
    facts: HostFacts
    projects: tuple[ProjectReport, ...]


@dataclass(frozen=True)
class SupportReport:
    """`versions` are this machine's; `plan` and `status` are lines without markup, () where there
    is no manifest; `made` is in seconds since the epoch.
    """

    made: float
    versions: Mapping[str, str]
    hosts: Mapping[str, HostReport | XgenError]
    plan: Sequence[str] = ()
    status: Sequence[str] = ()
    anonymous: bool = False


def support_lines(
    report: SupportReport, clean: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[str]:
    """Lines of at most WIDTH, as far as they have blanks; `clean` is called with the whole ones of
    each section.
    """
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(report.made))
    yield from _wrapped(f"xgen-deploy support, {made}. {_LEFT_OUT}")
    if report.anonymous:
        yield from _wrapped(_ANONYMOUS)
    for title, lines in _sections(report):
        body = [part for line in clean(tuple(lines)) for part in _wrapped(line)]
        if body:
            (shown,) = clean((title,))
            yield from ("", shown, "-" * min(len(shown), WIDTH), *body)


def _sections(report: SupportReport) -> Iterator[tuple[str, Iterable[str]]]:
    yield "This machine", (f"{n} {v}" for n, v in report.versions.items())
    yield "Plan", report.plan
    yield "Status", report.status
    for name, host in report.hosts.items():
        if isinstance(host, XgenError):
            yield name, [f"not reached: {reason_of(host)}"]
            continue
        yield name, _host(host.facts)
        for project in host.projects:
            yield f"{name}: project {project.project.name}", _project(project)


def _wrapped(line: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())] + "    "
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _host(facts: HostFacts) -> Iterator[str]:
    systemd = f", systemd {facts.systemd}" if facts.systemd else ""
    yield f"{facts.os or '?'}, Linux {facts.kernel}, {facts.arch}{systemd}, user {facts.user}"
    yield f"Python {facts.python or '?'} (probe: {facts.probe}); Docker {_docker(facts)}"
    memory = f"{gib(facts.memory_total_mb)}, {gib(facts.memory_available_mb)} available"
    yield f"{facts.cores} cores {facts.cpu_model or ''}; memory {memory}"
    yield f"GPUs by {facts.gpu.detection_method}:" if facts.gpu.gpus else "no GPU was found"
    for gpu in facts.gpu.gpus:
        used = f"{gib(gpu.memory_used_mb)} of {gib(gpu.memory_total_mb)} used"
        gfx = gpu.gfx_version or gpu.compute_capability or "?"
        driver = gpu.driver_version or "?"
        name = gpu.device_name or gpu.gpu_type
        yield f"  {gpu.index}  {name}  {gfx}  driver {driver}  {gpu.pci_bus_id}  {used}"
        for part in gpu.mig_instances:
            yield f"     MIG {part.profile or '?'}  {gib(part.memory_total_mb)}  {part.uuid}"
    for attempt in facts.gpu.attempts:
        if not attempt.ok and not attempt.expected_absent:
            yield f"  {attempt.detector} failed: {attempt.reason or '?'}"
    for engine in facts.engines:
        state = engine.error or f"state {(engine.state or '?')[:19]}, {len(engine.flags)} options"
        yield f"engine {engine.backend} {engine.image or engine.binary or ''}: {state}"
    yield from (f"probe: {part}: {why}" for part, why in facts.errors.items())


def _docker(facts: HostFacts) -> str:
    docker = facts.docker
    if docker.state != "ok":
        return f"{docker.state}: {docker.reason or '?'}"
    return f"{docker.version or '?'}, runtimes {', '.join(docker.runtimes)}"


def _project(report: ProjectReport) -> Iterator[str]:
    record = report.project.record
    if record is None:
        yield f"its record cannot be used: {report.project.error}"
        return
    yield f"record: format {record.format}, revision {record.revision}"
    yield from (f"pending: {name}" for name in record.pending)
    for apply in reversed(report.applies):
        yield _apply(apply)
        yield from (f"    {change}" for change in apply.changes[:20])
    for name, last in sorted(record.instances.items()):
        yield from _instance(name, last)
        yield from (f"    ! {line}" for line in report.complaints.get(name, ()))
    yield from _gateway(record)


def _apply(apply: ApplyRecord) -> str:
    began = time.strftime("%Y-%m-%d %H:%M", time.gmtime(apply.began))
    took = f", {apply.ended - apply.began:.0f} s" if apply.ended else ""
    outcome = apply.outcome or "not ended"
    manifest = apply.manifest + (f", commit {apply.git}" if apply.git else "")
    return f"{apply.what} #{apply.number} {began} by {apply.by}: {outcome}{took}; {manifest}"


def _instance(name: str, last: InstanceRecord) -> Iterator[str]:
    spec = last.spec
    stopped = f", stopped by {last.stopped.by}" if last.stopped else ""
    backend = short_name_of(spec.backend)
    yield f"instance {name}: model {spec.model}, {backend}, :{spec.port}{stopped}"
    yield f"    {spec.image or spec.binary or '?'}; {spec.model_path}"
    layers = "all" if spec.n_gpu_layers is None else spec.n_gpu_layers
    gpus = ", ".join(spec.gpus) or "the CPU"
    yield f"    context {spec.n_ctx}, layers {layers}, on {gpus}"
    yield f"    digest {last.digest[:12]}, unit version {last.unit_version}, apply #{last.apply}"
    if last.report is not None:
        shared = sharing_slots_of(spec) is not None
        yield from (f"    {line}" for line in _report(last.report, shared=shared))


def _report(report: LoadReport, *, shared: bool) -> Iterator[str]:
    version = f"engine {report.version}: " if report.version else "engine: "
    layers = f"{report.offloaded}/{report.total_layers} layers"
    each = "shared by" if shared else "x"
    slots = f"{report.slots} slot{'s'[: report.slots != 1]}"
    yield f"{version}{layers}, context {report.context} {each} {slots}"
    for device in report.devices:
        model, cache, compute = device.model_mib, device.kv_mib, device.compute_mib
        sizes = f"model {model:.0f}, KV {cache:.0f}, compute {compute:.0f} MiB"
        yield f"  {device.name} {device.description or ''}: {sizes}"
    yield from (f"  warning: {warning}" for warning in report.warnings)


def _gateway(record: Record) -> Iterator[str]:
    if record.gateway is not None:
        spec = record.gateway.spec
        models, servers = len(spec.routes), len(spec.servers)
        counts = f"{models} model{'s'[: models != 1]}, {servers} server{'s'[: servers != 1]}"
        yield f"gateway: {spec.image or spec.binary or '?'}, {spec.listen}:{spec.port}, {counts}"
