"""`plan --json`."""

from collections.abc import Iterator, Mapping

from xgen_deploy.documents.applied_commit import AppliedCommit
from xgen_deploy.documents.base import Document
from xgen_deploy.documents.error_entry import ErrorEntry
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import Kind
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.fetch import Fetch, Route
from xgen_deploy.state.forecast import Need, Share
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.memory import GPUMemory
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.plan import Action, HostPlan, Operation, Plan, Strategy
from xgen_deploy.state.quantize import Quantizing

FORMAT_VERSION = 1
_MIB = 1 << 20


class DiffEntry(Frozen):
    """JSON values; None where there was or will be nothing."""

    path: str
    before: object
    after: object


class NeedEntry(Frozen):
    """`gpu` is its identity, None for the host's own memory."""

    gpu: str | None
    weights_mib: float
    cache_mib: float
    compute_mib: float
    total_mib: float


class ShareEntry(Frozen):
    """Of an engine that takes a share of its GPUs: what one request of the whole context needs on
    each, and how many of them it holds at once."""

    request_mib: float
    concurrency: float


class ForecastEntry(Frozen):
    """What an instance will take; the host comes last. `exact` False: its compute buffers are an
    estimate; `certain` False: all of it is. `fails` is why the engine would not start,
    `on_cpu` what would silently run there."""

    exact: bool
    certain: bool
    needs: tuple[NeedEntry, ...]
    share: ShareEntry | None
    fails: str | None
    on_cpu: str | None
    notes: tuple[str, ...]


class OperationEntry(Frozen):
    """The fields of state/plan.py, Operation. `forecast` None: not known."""

    id: str
    instance: str
    action: Action
    cause: str
    strategy: Strategy | None
    interrupts: bool
    needs: tuple[str, ...]
    moves: bool
    diff: tuple[DiffEntry, ...]
    why: str | None
    notes: tuple[str, ...]
    forecast: ForecastEntry | None


class RefusalEntry(Frozen):
    """`at` is `FILE:LINE:COLUMN`."""

    instance: str | None
    reason: str
    way_out: str | None
    at: str | None


class TakerEntry(Frozen):
    """One instance on a GPU; `changes`: this plan creates or updates it, and `total_mib` is what
    the forecast says, else what it holds. None: not known."""

    instance: str
    changes: bool
    total_mib: float | None


class MemoryEntry(Frozen):
    """One GPU of a host where something is created or updated, once that is done. `left_mib` is
    negative where it is short. None: not known."""

    gpu: str
    total_mib: float | None
    free_mib: float | None
    reserved_mib: float
    others_mib: float | None
    takers: tuple[TakerEntry, ...]
    left_mib: float | None


class HostEntry(Frozen):
    """The fields of state/plan.py, HostPlan. `other_origin` is of the manifest that was applied
    here last, None where it is this one or unknown.
    """

    reachable: bool
    error: str | None
    operations: tuple[OperationEntry, ...]
    unchanged: tuple[str, ...]
    refusals: tuple[RefusalEntry, ...]
    left_out: bool
    warnings: tuple[str, ...]
    secrets_kept: tuple[str, ...]
    other_origin: Origin | None
    memory: tuple[MemoryEntry, ...]


class LegEntry(Frozen):
    """How a host gets it: by itself (`host`), from here (`push`), or from another one (`peer`).
    `about_seconds` by the last transfer there; None: it is not known."""

    host: str
    route: Route
    before: str | None
    place: str
    free_bytes: int | None
    about_seconds: float | None


class FetchEntry(Frozen):
    """One model's files on their way, or the blobs of an image, of which the hosts have the first
    `layers_there` layers. `chains` as files/routes.py makes them."""

    name: str
    kind: Kind
    origin: str
    revision: str | None
    commit: str | None
    size_bytes: int
    files: tuple[str, ...]
    left_out: tuple[str, ...]
    code: tuple[str, ...]
    license: str | None
    layers_there: int
    chains: tuple[tuple[LegEntry, ...], ...]


class QuantizingEntry(Frozen):
    """A file that a host makes of another before anything that serves is touched. `about_bytes`,
    `memory_bytes` and `about_seconds` are estimates."""

    host: str
    model: str
    file_type: str
    source: str
    place: str
    quantizer: str
    version: str
    about_bytes: int
    memory_bytes: int
    about_seconds: float


class BundleEntry(Frozen):
    """The fields of state/bundle.py, BundleOrigin."""

    file: str
    digest: str
    serial: int
    signer: str | None


class PlanDocument(Document):
    """`fetches`, then `quantizings`, come before the operations. `summary` counts these by action,
    and the instances and hosts without any."""

    format_version: int = FORMAT_VERSION
    project: str | None = None
    fingerprint: str | None = None
    summary: Mapping[str, int] | None = None
    warnings: tuple[str, ...] | None = None
    hosts: Mapping[str, HostEntry] | None = None
    fetches: tuple[FetchEntry, ...] | None = None
    quantizings: tuple[QuantizingEntry, ...] | None = None
    bundle: BundleEntry | None = None
    applied_commit: AppliedCommit | None = None


def plan_document(plan: Plan) -> PlanDocument:
    """Its errors are those of `plan_errors`."""
    return PlanDocument(
        project=plan.project,
        fingerprint=plan.fingerprint,
        summary=plan.summary(),
        warnings=plan.warnings,
        hosts={name: _host(host) for name, host in plan.hosts.items()},
        fetches=tuple(_fetch(fetch) for fetch in plan.fetches),
        quantizings=tuple(_quantizing(each) for each in plan.quantizings),
        bundle=_bundle(plan.bundle),
        errors=tuple(plan_errors(plan)),
    )


def _bundle(bundle: BundleOrigin | None) -> BundleEntry | None:
    if bundle is None:
        return None
    return BundleEntry(
        file=bundle.file, digest=bundle.digest, serial=bundle.serial, signer=bundle.signer
    )


def _fetch(fetch: Fetch) -> FetchEntry:
    artifact = fetch.artifact
    return FetchEntry(
        name=artifact.name,
        kind=artifact.kind,
        origin=artifact.origin,
        revision=artifact.revision,
        commit=artifact.commit,
        size_bytes=artifact.size,
        files=tuple(file.path for file in artifact.files),
        left_out=artifact.left_out,
        code=artifact.code,
        license=artifact.license,
        layers_there=artifact.layers_there,
        chains=tuple(
            tuple(
                LegEntry(
                    host=leg.host,
                    route=leg.route,
                    before=leg.before,
                    place=fetch.places[leg.host].path,
                    free_bytes=fetch.free.get(leg.host),
                    about_seconds=_rounded(fetch.seconds.get(leg.host)),
                )
                for leg in chain
            )
            for chain in fetch.chains
        ),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _quantizing(quantizing: Quantizing) -> QuantizingEntry:
    return QuantizingEntry(
        host=quantizing.host,
        model=quantizing.name,
        file_type=quantizing.file_type,
        source=quantizing.source,
        place=quantizing.place,
        quantizer=quantizing.program,
        version=quantizing.version,
        about_bytes=quantizing.size,
        memory_bytes=quantizing.memory,
        about_seconds=round(quantizing.seconds, 1),
    )


def _host(host: HostPlan) -> HostEntry:
    return HostEntry(
        reachable=host.reachable,
        error=host.error,
        operations=tuple(_operation(o) for o in host.operations),
        unchanged=host.unchanged,
        refusals=tuple(
            RefusalEntry(
                instance=r.instance,
                reason=r.reason,
                way_out=r.hint or None,
                at=str(r.mark) if r.mark else None,
            )
            for r in host.refusals
        ),
        left_out=host.left_out,
        warnings=host.warnings,
        secrets_kept=host.secrets_kept,
        other_origin=host.other_origin,
        memory=tuple(map(_memory, host.memory)),
    )


def _memory(memory: GPUMemory) -> MemoryEntry:
    left = None if memory.at_most else memory.left
    return MemoryEntry(
        gpu=memory.gpu,
        total_mib=_mib(memory.total),
        free_mib=_mib(memory.free),
        reserved_mib=round(memory.reserved / _MIB, 2),
        others_mib=_mib(memory.others),
        takers=tuple(
            TakerEntry(instance=t.instance, changes=t.changes, total_mib=_mib(t.bytes))
            for t in memory.takers
        ),
        left_mib=_mib(left),
    )


def _mib(count: int | None) -> float | None:
    return None if count is None else round(count / _MIB, 2)


def _operation(operation: Operation) -> OperationEntry:
    return OperationEntry(
        id=operation.id,
        instance=operation.name,
        action=operation.action,
        cause=operation.cause,
        strategy=operation.strategy,
        interrupts=operation.interrupts,
        needs=operation.needs,
        moves=operation.moves,
        diff=tuple(DiffEntry(path=d.path, before=d.before, after=d.after) for d in operation.diff),
        why=operation.why,
        notes=operation.notes,
        forecast=_forecast(operation.instance) if operation.instance else None,
    )


def _forecast(instance: Instance) -> ForecastEntry | None:
    told = instance.forecast
    if told is None:
        return None
    needs = [
        _need(gpu.identity, need) for gpu, need in zip(instance.gpus, told.devices, strict=False)
    ]
    return ForecastEntry(
        exact=told.exact,
        certain=told.certain,
        needs=(*needs, _need(None, told.host)),
        share=_share(told.share) if told.share and told.share.request else None,
        fails=told.fails,
        on_cpu=told.on_cpu,
        notes=told.notes,
    )


def _share(share: Share) -> ShareEntry:
    return ShareEntry(
        request_mib=round(share.request / _MIB, 2), concurrency=round(share.concurrency, 2)
    )


def _need(gpu: str | None, need: Need) -> NeedEntry:
    return NeedEntry(
        gpu=gpu,
        weights_mib=round(need.weights / _MIB, 2),
        cache_mib=round(need.cache / _MIB, 2),
        compute_mib=round((need.compute + need.output) / _MIB, 2),
        total_mib=round(need.total / _MIB, 2),
    )


def plan_errors(plan: Plan) -> Iterator[ErrorEntry]:
    """Hosts that were not reached, and refusals."""
    for name in plan.unreachable:
        host = plan.hosts[name]
        yield ErrorEntry(message=host.error or "unreachable", host=name, way_out=host.hint or None)
    yield from map(refusal_error, plan.refusals)


def refusal_error(refusal: Refusal) -> ErrorEntry:
    mark = refusal.mark
    return ErrorEntry(
        message=refusal.reason,
        host=refusal.host,
        instance=refusal.instance,
        file=mark.file if mark else None,
        line=mark.line if mark else None,
        column=mark.column if mark else None,
        way_out=refusal.hint or None,
    )
