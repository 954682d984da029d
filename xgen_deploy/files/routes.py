"""Who fetches what, and who hands it to whom. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.fetch import FetchMode, Leg, ModelFetch, Route
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A host that lacks an artifact. `egress`: it can reach the source itself; None: nobody has
    looked. `forbidden`: it is not to reach anything. `site` None: it takes from no other host, and
    gives to none.
    """

    host: str
    mode: FetchMode = "auto"
    egress: bool | None = None
    forbidden: bool = False
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


def reaches(site: Site, host: Host, facts: HostFacts, source: str) -> bool | None:
    """Whether a host gets to a source by itself; None: nobody has looked."""
    if host.egress is False:
        return False
    place = site.fetch.contact(source)
    if place is None or facts.reached is None:
        return None
    return place in facts.reached


def routes(artifact: Artifact, candidates: Sequence[Candidate]) -> tuple[tuple[Leg, ...], ...]:
    """Chains, each of the hosts of one site in which the first gets it from its source or from
    here, and each other one from the host before it. Raises NoRoute.
    """
    for candidate in candidates:
        _check(artifact, candidate)
    sites: dict[str, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: c.host):
        sites.setdefault(candidate.site or f"host {candidate.host}", []).append(candidate)
    chains = tuple(_chain(artifact, members) for members in sites.values())
    if artifact.through is not None:
        _check_from_here(artifact, chains)
    return chains


def _chain(artifact: Artifact, members: list[Candidate]) -> tuple[Leg, ...]:
    fetches = [m for m in members if _fetches(artifact, m)]
    first = fetches[0] if fetches else members[0]
    order = [first, *(m for m in members if m is not first)]
    route: Route = "host" if fetches else "push"
    token = artifact.kind == "hub" and first.mode == "host"
    because = _because(artifact, first) if route == "push" else ""
    legs = [Leg(first.host, route, token=token, because=because)]
    legs += [
        Leg(after.host, "peer", before.host, alone=_fetches(artifact, after))
        for before, after in pairwise(order)
    ]
    return tuple(legs)


def _because(artifact: Artifact, candidate: Candidate) -> str:
    if artifact.is_here or candidate.mode == "push":
        return ""
    if artifact.gated:
        return "only `fetch: host` gives a host the token"
    if candidate.forbidden:
        return f"`xgen_egress: false` of {candidate.host}"
    if candidate.egress is None:
        return f"whether {candidate.host} reaches {artifact.origin} is not known"
    return f"{candidate.host} does not reach {artifact.origin}"


def _check_from_here(artifact: Artifact, chains: Sequence[Sequence[Leg]]) -> None:
    """This machine does not reach the source, and so has nothing to give."""
    for first, *_ in chains:
        if first.route == "host":
            continue
        if artifact.gated:
            raise NoRoute(
                first.host,
                f"this machine does not reach {artifact.origin}, and {artifact.name} is given only "
                "to who has a token",
                "State `fetch: host`: the host then gets the token, in memory.",
            )
        raise NoRoute(
            first.host,
            f"neither this machine nor {first.host} gets {artifact.name} from {artifact.origin}",
            f"State the same `xgen_site` for it as for {artifact.through}, which reaches "
            f"{artifact.origin} and then hands it on, or leave out `fetch: push`.",
        )


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
