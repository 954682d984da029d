"""Who fetches what, and who hands it to whom. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.fetch import FetchMode, Leg, ModelFetch, Route
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A host that lacks an artifact. `egress`: it can reach the source itself; None: nobody has
    looked. `site` None: it takes from no other host, and gives to none. `may_have`: it has files
    already, so that it is the best one to begin with.
    """

    host: str
    mode: FetchMode = "auto"
    egress: bool | None = None
    site: str | None = None


class NoRoute(Exception):
    """A host cannot get it; the text says why and what to do."""

    def __init__(self, host: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.host, self.reason, self.hint = host, reason, hint


def mode_of(config: InstanceConfig, host: Host) -> FetchMode:
    """What the manifest says of bringing this model to this host; the host's own word is for what
    the model leaves open."""
    stated = config.fetch.mode if isinstance(config.fetch, ModelFetch) else config.fetch
    return stated or host.fetch or "auto"


def routes(artifact: Artifact, candidates: Sequence[Candidate]) -> tuple[tuple[Leg, ...], ...]:
    """Chains, each of the hosts of one site in which the first gets it from its source or from
    here, and each other one from the host before it. Raises NoRoute.
    """
    for candidate in candidates:
        _check(artifact, candidate)
    sites: dict[str, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: c.host):
        sites.setdefault(candidate.site or f"host {candidate.host}", []).append(candidate)
    return tuple(_chain(artifact, members) for members in sites.values())


def _chain(artifact: Artifact, members: list[Candidate]) -> tuple[Leg, ...]:
    fetches = [m for m in members if _fetches(artifact, m)]
    first = fetches[0] if fetches else members[0]
    order = [first, *(m for m in members if m is not first)]
    route: Route = "host" if fetches else "push"
    token = artifact.kind == "hub" and first.mode == "host"
    legs = [Leg(first.host, route, token=token)]
    legs += [Leg(after.host, "peer", before.host) for before, after in pairwise(order)]
    return tuple(legs)


def _fetches(artifact: Artifact, candidate: Candidate) -> bool:
    """Whether a host gets it from its source by itself."""
    if artifact.is_here or candidate.mode == "push":
        return False
    if artifact.gated and candidate.mode != "host":  # a host gets a token only where that is stated
        return False
    return candidate.mode == "host" or candidate.egress is True


def _check(artifact: Artifact, candidate: Candidate) -> None:
    if candidate.mode == "never":
        raise NoRoute(
            candidate.host,
            f"{artifact.name} is not there, and `fetch: never` forbids bringing it",
            "Copy it to the host, or state `fetch: push`.",
        )
    if candidate.mode == "host" and artifact.kind == "local":
        raise NoRoute(
            candidate.host,
            "a file of this machine cannot be fetched by the host (`fetch: host`)",
            "State `fetch: push`, or leave `fetch` out.",
        )
    if candidate.mode == "host" and candidate.egress is False:
        raise NoRoute(
            candidate.host,
            f"`fetch: host`, and from there {artifact.origin} cannot be reached",
            "State `fetch: push`, or a `proxy` under `fetch:`.",
        )
