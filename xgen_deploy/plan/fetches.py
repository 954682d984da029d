"""What has to be brought to hosts before their operations can be carried out. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xgen_deploy.files.routes import Candidate, NoRoute, routes
from xgen_deploy.frozen import replace
from xgen_deploy.plan.fetch_text import size_text
from xgen_deploy.state.facts import FolderFacts, HostFacts
from xgen_deploy.state.fetch import Fetch, Lacking
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.site import Site

_MODEL_ROOM = (
    "Make room there (`xgen-deploy models prune` removes what nobody uses), or state another "
    "folder in the inventory."
)
_DOCKER_ROOM = "Make room there: `docker system df` on the host says what Docker keeps."


@dataclass(frozen=True)
class _Need:
    """What a host lacks for its operations. `instance` is the first that loads it."""

    host: Host
    lacking: Lacking
    facts: HostFacts
    instance: str


def with_fetches(
    site: Site, hosts: Mapping[str, HostPlan], observations: Mapping[str, Observation]
) -> tuple[dict[str, HostPlan], tuple[Fetch, ...]]:
    """The hosts' plans, with refusals for what cannot be brought, and what is brought, in the order
    of the hosts' plans."""
    needs = [n for name, plan in hosts.items() for n in _needs(site, plan, observations.get(name))]
    refusals = [r for need in needs if (r := _refusal(need)) is not None]
    refusals += _no_room([n for n in needs if n.host.name not in {r.host for r in refusals}])
    by_artifact: dict[str, list[_Need]] = {}
    for need in needs:
        if need.host.name not in {r.host for r in refusals}:
            by_artifact.setdefault(need.lacking.artifact.digest, []).append(need)
    fetches = []
    for alike in by_artifact.values():
        try:
            fetches.append(_fetch(alike))
        except NoRoute as error:
            need = next(n for n in alike if n.host.name == error.host)
            refusals.append(_refused(need, error.reason, error.hint))
    plans = dict(hosts)
    for refusal in refusals:
        plan = plans[refusal.host]
        plans[refusal.host] = replace(plan, refusals=(*plan.refusals, refusal))
    return plans, tuple(fetches)


def _needs(site: Site, plan: HostPlan, observation: Observation | None) -> Iterator[_Need]:
    """Only for what an operation loads."""
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
    for lacking in observation.lacking:
        if lacking.places.path in loaded:
            instance = loaded[lacking.places.path]
            yield _Need(site.hosts[plan.host], lacking, observation.facts, instance)


def _fetch(needs: list[_Need]) -> Fetch:
    """Raises NoRoute."""
    candidates = [
        Candidate(
            host=n.host.name,
            mode=n.lacking.mode,
            egress=False if n.host.egress is False else n.facts.egress,
            site=n.host.site,
        )
        for n in needs
    ]
    artifact = needs[0].lacking.artifact
    return Fetch(
        artifact=artifact,
        chains=routes(artifact, candidates),
        places={n.host.name: n.lacking.places for n in needs},
        free={n.host.name: f.free for n in needs if (f := _folder(n)) is not None},
        stores={n.host.name: n.facts.docker.store for n in needs if artifact.kind == "image"},
    )


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


def _no_room(needs: list[_Need]) -> Iterator[Refusal]:
    """All that goes to one filesystem has to fit together; folders that are as free are on one."""
    sums: dict[tuple[str, int, int], int] = {}
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
                    _DOCKER_ROOM if need.lacking.artifact.kind == "image" else _MODEL_ROOM,
                )


def _room(need: _Need) -> Iterator[tuple[FolderFacts, int]]:
    """What comes where. Docker unpacks an image's layers, and containerd keeps the packed ones."""
    artifact, docker = need.lacking.artifact, need.facts.docker
    if (folder := _folder(need)) is not None:
        yield folder, artifact.size
    if artifact.kind == "image" and docker.root is not None:
        yield docker.root, artifact.size * (2 if docker.store == "containerd" else 1)


def _refused(need: _Need, reason: str, hint: str) -> Refusal:
    return Refusal(host=need.host.name, instance=need.instance, reason=reason, hint=hint)
