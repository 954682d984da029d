"""What has to be brought to hosts before their operations can be carried out. Pure."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xgen_deploy.files.routes import Candidate, NoRoute, reaches, routes
from xgen_deploy.frozen import replace
from xgen_deploy.plan.quantizing import MODEL_ROOM, needed_on, unmakeable
from xgen_deploy.sizes import size_text
from xgen_deploy.state.facts import FolderFacts, HostFacts
from xgen_deploy.state.fetch import Fetch, Lacking, Route
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.site import Site

_DOCKER_ROOM = "Make room there: `docker system df` on the host says what Docker keeps."


PART = ".xgen-part"  # as transfer/remote/part.py names it
# What transfers are noted as on a host (transfer/remote/measured.py).
_MEASURED: Mapping[Route, str] = {"host": "download", "push": "receive", "peer": "peer"}
# A host, and what a filesystem of it has free and in all.
_Disk = tuple[str, int, int]


@dataclass(frozen=True)
class _Need:
    """What a host lacks for its operations. `instance` is the first that loads it."""

    host: Host
    lacking: Lacking
    facts: HostFacts
    instance: str


def with_unbringable(
    site: Site, hosts: Mapping[str, HostPlan], observations: Mapping[str, Observation]
) -> dict[str, HostPlan]:
    """The hosts' plans, with refusals for what cannot be brought, each once however often this is
    asked: a host that is refused meanwhile may have been the only one with a way."""
    needs = _all_needs(site, hosts, observations)
    refusals = [r for need in needs if (r := _refusal(need)) is not None]
    sums: dict[_Disk, int] = {}
    refusals += _no_room(_without({r.host for r in refusals}, needs), sums)
    refusals += unmakeable(hosts, observations, sums)
    others = {name for name, plan in hosts.items() if plan.refusals}
    while True:  # a host that has no route leaves its chain to the others
        try:
            for alike in _alike(_without(others | {r.host for r in refusals}, needs)):
                _fetch(site, alike)
            break
        except NoRoute as error:
            need = next(n for n in needs if n.host.name == error.host)
            refusals.append(_refused(need, error.reason, error.hint))
    plans = dict(hosts)
    for refusal in refusals:
        plan = plans[refusal.host]
        if refusal in plan.refusals:
            continue
        plans[refusal.host] = replace(plan, refusals=(*plan.refusals, refusal))
    return plans


def fetches(
    site: Site, hosts: Mapping[str, HostPlan], observations: Mapping[str, Observation]
) -> tuple[Fetch, ...]:
    """What is brought to the hosts that nothing is refused for, in the order of their plans."""
    going_on = {name: plan for name, plan in hosts.items() if not plan.refusals}
    needs = _all_needs(site, going_on, observations)
    return tuple(_fetch(site, alike) for alike in _alike(needs))


def _all_needs(
    site: Site, hosts: Mapping[str, HostPlan], observations: Mapping[str, Observation]
) -> list[_Need]:
    return [n for name, plan in hosts.items() for n in _needs(site, plan, observations.get(name))]


def _without(refused: set[str], needs: list[_Need]) -> list[_Need]:
    return [need for need in needs if need.host.name not in refused]


def _alike(needs: list[_Need]) -> list[list[_Need]]:
    """By what is brought, to each host once: two names may mean one file."""
    by_artifact: dict[str, dict[str, _Need]] = {}
    for need in needs:
        by_artifact.setdefault(need.lacking.artifact.digest, {}).setdefault(need.host.name, need)
    return [list(by_host.values()) for by_host in by_artifact.values()]


def _needs(site: Site, plan: HostPlan, observation: Observation | None) -> Iterator[_Need]:
    """For what an operation loads, and for what the next start of a running instance would."""
    if observation is None:
        return
    loaded: dict[str, str] = {}
    for operation in plan.operations:
        if operation.instance is not None:
            spec = operation.instance.spec
            files = (spec.model_path, spec.binary, spec.image, *(f.path for f in spec.beside))
            for path in filter(None, files):
                loaded.setdefault(path, operation.name)
        if operation.gateway is not None and operation.gateway.image is not None:
            loaded.setdefault(operation.gateway.image, operation.name)
    for quantizing in needed_on(plan, observation):
        loaded.setdefault(quantizing.source, loaded.get(quantizing.place, quantizing.instances[0]))
    for lacking in observation.lacking:
        stays = (name for name in lacking.instances if name in plan.unchanged)
        instance = loaded.get(lacking.places.path) or next(stays, None)
        if instance is not None:
            yield _Need(site.hosts[plan.host], lacking, observation.facts, instance)


def _fetch(site: Site, needs: list[_Need]) -> Fetch:
    """Raises NoRoute."""
    candidates = [
        Candidate(
            host=n.host.name,
            mode=n.lacking.mode,
            egress=reaches(site, n.host, n.facts, n.lacking.artifact.name),
            forbidden=n.host.egress is False,
            site=n.host.site,
        )
        for n in needs
    ]
    artifact = needs[0].lacking.artifact
    chains = routes(artifact, candidates)
    taken = {leg.host: leg.route for chain in chains for leg in chain}
    seconds = {n.host.name: _seconds(n, taken[n.host.name], site.fetch.rate) for n in needs}
    return Fetch(
        artifact=artifact,
        chains=chains,
        places={n.host.name: n.lacking.places for n in needs},
        free={n.host.name: f.free for n in needs if (f := _folder(n)) is not None},
        stores={n.host.name: n.facts.docker.store for n in needs if artifact.kind == "image"},
        seconds={host: s for host, s in seconds.items() if s is not None},
    )


def _seconds(need: _Need, route: Route, limit: int) -> float | None:
    """At the rate of the last transfer that came there in the same way."""
    folder = _folder(need)
    rate = folder.rates.get(_MEASURED[route]) if folder is not None else None
    if folder is None or rate is None:
        return None
    left = max(0, need.lacking.artifact.size - _left_by_a_cut(need, folder))
    return left / (min(rate, limit) if limit else rate)


def _folder(need: _Need) -> FolderFacts | None:
    return next((f for f in need.facts.folders if f.path == need.lacking.places.root), None)


def _refusal(need: _Need) -> Refusal | None:
    """Where nothing can be written."""
    folder = _folder(need)
    if folder is None or folder.closed is None:
        return None
    return _refused(
        need,
        f"{need.lacking.artifact.name} cannot be brought: {folder.closed}",
        "State a folder that can be written as `xgen_model_dir` or `xgen_hf_home` in the "
        "inventory, or bring the files there yourself.",
    )


def _no_room(needs: list[_Need], sums: dict[_Disk, int]) -> Iterator[Refusal]:
    """All that goes to one filesystem has to fit together; folders that are as free are on one.
    `sums` gets it all."""
    for need in needs:
        refused = False
        for folder, size in _room(need):
            disk = (need.host.name, folder.free, folder.total)
            sums[disk] = sums.get(disk, 0) + size
            if sums[disk] > folder.free and not refused:
                refused = True
                yield _refused(
                    need,
                    f"{need.lacking.artifact.name} does not fit: {size_text(sums[disk])} are to "
                    f"come to {folder.path}, where {size_text(folder.free)} are free",
                    _DOCKER_ROOM if need.lacking.artifact.kind == "image" else MODEL_ROOM,
                )


def _room(need: _Need) -> Iterator[tuple[FolderFacts, int]]:
    """What comes where. Docker unpacks an image's layers, and containerd keeps the packed ones."""
    artifact, docker = need.lacking.artifact, need.facts.docker
    if (folder := _folder(need)) is not None:
        yield folder, max(0, artifact.size - _left_by_a_cut(need, folder))
    if artifact.kind == "image" and docker.root is not None:
        yield docker.root, artifact.size * (2 if docker.store == "containerd" else 1)


def _left_by_a_cut(need: _Need, folder: FolderFacts) -> int:
    """Bytes that are there of it already, and are not written again."""
    by_folder: dict[str, list[str]] = {}
    for file in need.lacking.places.files:
        digest = file.sha256 or file.sha1
        if digest is not None:
            by_folder.setdefault(posixpath.dirname(file.place), []).append(f".{digest[:16]}{PART}")
    return sum(
        part.size
        for part in folder.parts
        if part.path.endswith(tuple(by_folder.get(posixpath.dirname(part.path), ())))
    )


def _refused(need: _Need, reason: str, hint: str) -> Refusal:
    return Refusal(host=need.host.name, instance=need.instance, reason=reason, hint=hint)
