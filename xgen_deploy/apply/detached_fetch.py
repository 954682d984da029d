"""Fetches that hosts go on with by themselves: how they begin, how they go, how they end."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.fetch import Fetching
from xgen_deploy.apply.quantize import request_of
from xgen_deploy.apply.transfer_progress import progress_text
from xgen_deploy.errors import XgenError
from xgen_deploy.probe.observe import observe
from xgen_deploy.run.run import Run
from xgen_deploy.state import fetching as state
from xgen_deploy.state.facts import ProbeRequest
from xgen_deploy.state.fetch import Fetch
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.transfer import DetachedRequest, TransferRequest
from xgen_deploy.transfer.detached import start_detached
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each
from xgen_deploy.transport.read_only import ReadOnly

_EVERY = 5.0

Looked = Mapping[str, state.Fetching | XgenError | None]


def needs_here(fetches: Sequence[Fetch], *, bundle: bool) -> Iterator[str]:
    """What cannot go on without this machine, each as a sentence."""
    for fetch in fetches:
        for first, *others in fetch.chains:
            if first.route == "host" and not bundle:
                continue
            hosts = ", ".join(leg.host for leg in (first, *others))
            because = f" ({first.because})" if first.because else ""
            yield f"{fetch.artifact.name} goes from this machine to {hosts}{because}"


def start(run: Run, fetching: Fetching, plan: Plan, tell: Listener) -> dict[str, XgenError]:
    """Returns once all go on by themselves, what is made after what is brought; the hosts where
    that failed, with the reason."""
    jobs: dict[str, list[tuple[str, TransferRequest]]] = {}
    for fetch in plan.fetches:
        for hop in fetching.hops(fetch):
            jobs.setdefault(hop.connection.name, []).append((fetch.artifact.name, hop.request))
    for quantizing in plan.quantizings:
        job = (quantizing.title, request_of(quantizing))
        jobs.setdefault(quantizing.host, []).append(job)

    def start_on(connection: Connection) -> None:
        own = jobs[connection.name]
        names = tuple(name for name, _ in own)
        requests = tuple(request for _, request in own)
        path = run.layout(connection.name).fetching
        start_detached(connection, DetachedRequest(state=path, names=names, jobs=requests))
        text = f"goes on by itself: {', '.join(names)}"
        tell(Event(kind="done", host=connection.name, text=text))

    results = each([c for n, c in run.connections.items() if n in jobs], start_on)
    return _lost(results, tell)


def look(run: Run, hosts: Collection[str]) -> Looked:
    """How it goes there; None where nothing is fetched."""

    def look_at(connection: Connection) -> state.Fetching | None:
        folder = run.layout(connection.name).state_dir
        request = ProbeRequest(project="", state_dir=folder, etc_dir="/none")
        return state.fetching_status(observe(ReadOnly(connection), request).fetching)

    return each([c for n, c in run.connections.items() if n in hosts], look_at)


def wait(
    run: Run, tell: Listener, pause: Callable[[float], None] = time.sleep
) -> dict[str, state.Fetching | XgenError]:
    """Until nothing goes on any more: how it last went, by host."""
    last: dict[str, state.Fetching | XgenError] = {}
    told: set[tuple[str, str]] = set()
    hosts = list(run.connections)
    while hosts:
        looked = look(run, hosts)
        last |= {host: found for host, found in looked.items() if found is not None}
        live = {h: f for h, f in looked.items() if isinstance(f, state.Fetching) and f.alive}
        for host, found in live.items():
            _tell_of(host, found, told, tell)
        hosts = list(live)
        if hosts:
            pause(_EVERY)
    return last


def outcome(
    last: Mapping[str, state.Fetching | XgenError],
    lacking: Collection[tuple[str, str]],
    tell: Listener,
) -> dict[str, XgenError]:
    """Tells how each job ended, and gives the hosts that lost one; `lacking` are those (host, name)
    that are still not there."""
    errors: dict[str, object] = {}
    for host, found in last.items():
        if isinstance(found, XgenError):
            errors[host] = found
            continue
        for job in found.jobs:
            if (host, job.name) not in lacking:
                tell(Event(kind="done", host=host, text=f"{job.name} is there"))
                continue
            reason = state.why_failed(job) if job in found.failed else "it was called off"
            errors.setdefault(host, XgenError(f"{host}: {job.name}: {reason}"))
    return _lost(errors, tell)


def call_off(run: Run, hosts: Collection[str] | None = None) -> dict[str, bool | XgenError]:
    """By host, whether there was one. It ends within a second without its file."""

    def call_off_on(connection: Connection) -> bool:
        layout = run.layout(connection.name)
        with connection.session() as session:
            return session.remove(layout.fetching, within=layout.state_dir)

    return each([c for n, c in run.connections.items() if hosts is None or n in hosts], call_off_on)


def forget_ended(run: Run, last: Mapping[str, state.Fetching | XgenError]) -> None:
    """What was told needs no telling again."""
    call_off(run, [h for h, f in last.items() if isinstance(f, state.Fetching) and not f.alive])


def _lost(results: Mapping[str, object], tell: Listener) -> dict[str, XgenError]:
    lost = {host: error for host, error in results.items() if isinstance(error, XgenError)}
    for host, error in lost.items():
        tell(Event(kind="failed", host=host, text=str(error).removeprefix(f"{host}: ")))
    return lost


def _tell_of(host: str, found: state.Fetching, told: set[tuple[str, str]], tell: Listener) -> None:
    """In full the first time, then as what goes on."""
    job = found.under_way
    if job is None:
        return
    text = progress_text(job.name, job.size, job.here, job.came, job.seconds)
    text = f"{job.name}: {job.text}" if job.text else text
    waited = job.seconds if (host, job.name) in told else None
    tell(Event(kind="progress", host=host, text=text, waited=waited))
    told.add((host, job.name))
