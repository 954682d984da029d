"""Hosts that would serve one model from different commits of its repository. Pure."""

import re
from collections.abc import Iterator, Mapping
from shlex import quote

from xgen_deploy.state.observation import Observation
from xgen_deploy.state.site import Site

_SNAPSHOT = re.compile(r"/snapshots/([0-9a-f]{40})(?:/|$)")
_SHOWN = 12


def moved_revisions(site: Site, observations: Mapping[str, Observation]) -> tuple[str, ...]:
    """A line for each model that one host is to get and another has, where its revision has moved
    in between; a lock file holds it."""
    if site.lock is not None:
        return ()
    command = f"xgen-deploy lock {quote(site.manifest_file)}"
    lines = (
        f"{artifact.name}: {artifact.revision} has moved: {host} gets {commit[:_SHOWN]}, "
        f"{other} has {has[:_SHOWN]}; `{command}` holds all hosts at one commit"
        for host, observation in observations.items()
        for lacking in observation.lacking
        for artifact in (lacking.artifact,)
        if (commit := artifact.commit) is not None
        for other, has in _commits(lacking.key, observations)
        if has != commit
    )
    return tuple(dict.fromkeys(lines))


def _commits(key: str, observations: Mapping[str, Observation]) -> Iterator[tuple[str, str]]:
    """The hosts that have it, each with its commit."""
    for host, observation in observations.items():
        if any(lacking.key == key for lacking in observation.lacking):
            continue
        for model in observation.facts.models:
            found = _SNAPSHOT.search(model.path or "") if model.key == key else None
            if found is not None and not model.missing:
                yield host, found[1]
