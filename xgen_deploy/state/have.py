"""What the hosts of a site have already, small enough to be carried out: a bundle leaves it out."""

from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.limits import HOSTS, STORED_FILES

Digest = Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]


class HostHave(Frozen):
    """`digests` of whole files of models: SHA-256, or git's name of a blob where the hub has no
    other."""

    digests: Annotated[tuple[Digest, ...], Field(max_length=STORED_FILES)]


class Have(Frozen):
    """`xgen_have` is the format. Hosts that were not reached are not in it."""

    xgen_have: Literal[1] = 1
    project: str
    at: Moment
    hosts: Annotated[dict[str, HostHave], Field(max_length=HOSTS)]

    @property
    def everywhere(self) -> frozenset[str]:
        """What every host has."""
        sets = [frozenset(host.digests) for host in self.hosts.values()]
        return frozenset.intersection(*sets) if sets else frozenset()

    @property
    def anywhere(self) -> frozenset[str]:
        """What some host has."""
        return frozenset(digest for host in self.hosts.values() for digest in host.digests)
