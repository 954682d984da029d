"""What each host is asked to bring, and what it is given for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from xgen_deploy.apply import fetch as fetching
from xgen_deploy.errors import XgenError
from xgen_deploy.files.places import places
from xgen_deploy.files.routes import Candidate, routes
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.fetch import Fetch, FetchSettings
from xgen_deploy.state.host import Host
from xgen_deploy.state.transfer import Access, TransferRequest
from xgen_deploy.transfer.chain import Hop

SECRET = "hf_secret"  # noqa: S105
ACCESS = Access(token=SECRET, proxy="http://user:word@proxy:3128", ca="PEM")
FILE = ArtifactFile(path="m.gguf", size=5, sha256="a" * 64, url="https://hub.example.net/m.gguf")


def artifact(kind: str = "hub", **more: Any) -> Artifact:
    values = {"name": "o/m:m.gguf", "kind": kind, "origin": "hub.example.net", "files": (FILE,)}
    if kind == "hub":
        values |= {"repository": "o/m", "revision": "main", "commit": "c" * 40, "loaded": "m.gguf"}
    return Artifact.model_validate(values | more)


class Bringing:
    """Fetching with everything beneath it noted instead of done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hosts: Sequence[Host]) -> None:
        self.hops: dict[str, Hop] = {}
        self.stores: list[Access] = []
        self.results: Mapping[str, XgenError | None] = {}
        run = SimpleNamespace(
            site=SimpleNamespace(fetch=FetchSettings(), hosts={h.name: h for h in hosts}),
            connections={h.name: SimpleNamespace(name=h.name) for h in hosts},
            held=None,
        )
        monkeypatch.setattr(fetching, "hub_access", lambda *_, **__: ACCESS_PARTS)
        monkeypatch.setattr(fetching, "bring", self._bring)
        monkeypatch.setattr(fetching, "LocalStore", self._store)
        monkeypatch.setattr(fetching, "addresses", lambda name: (name,))
        monkeypatch.setattr(fetching.Fetching, "_with_chunks", lambda _, found, __: found.files)
        self.said: list[str] = []
        self.fetching = fetching.Fetching(
            run,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            lambda event: self.said.append(event.text),
        )

    def bring(self, what: Artifact, *candidates: Candidate) -> dict[str, XgenError]:
        return self.fetching.bring([self._fetch(what, candidates)])

    def alone(self, what: Artifact, *candidates: Candidate) -> dict[str, TransferRequest]:
        """What hosts are given that go on when nobody is connected any more."""
        hops = self.fetching.hops(self._fetch(what, candidates))
        return {hop.connection.name: hop.request for hop in hops}

    def _fetch(self, what: Artifact, candidates: Sequence[Candidate]) -> Fetch:
        place = places(what, model_dir="/srv/models", hf_home="/srv/models/hf")
        found = {c.host: place for c in candidates}
        return Fetch(artifact=what, chains=routes(what, candidates), places=found, free={})

    def _bring(self, hops: Sequence[Hop], *_: object) -> Mapping[str, XgenError | None]:
        self.hops |= {hop.connection.name: hop for hop in hops}
        return {hop.connection.name: self.results.get(hop.connection.name) for hop in hops}

    def _store(self, _places: object, access: Access, *_: object) -> Any:
        self.stores.append(access)
        return SimpleNamespace(path=None)


ACCESS_PARTS = (ACCESS.token, ACCESS.proxy, ACCESS.ca)
HOSTS = [Host(name=name, address=name) for name in "ab"]


def test_only_a_host_that_is_to_fetch_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    bringing = Bringing(monkeypatch, HOSTS)
    bringing.bring(
        artifact(gated=True),
        Candidate(host="a", mode="host", site="s"),
        Candidate(host="b", mode="host", site="s"),
    )
    assert bringing.hops["a"].request.access == ACCESS
    assert bringing.hops["b"].request.access == Access()  # it takes from a
    assert bringing.stores == [ACCESS]


@pytest.mark.parametrize("gated", [False, True])
def test_a_host_that_fetches_by_itself_unasked_gets_none(
    monkeypatch: pytest.MonkeyPatch, *, gated: bool
) -> None:
    bringing = Bringing(monkeypatch, HOSTS)
    bringing.bring(artifact(gated=gated), Candidate(host="a", egress=True))
    request = bringing.hops["a"].request
    assert (request.route, request.access.token) == ("receive" if gated else "download", None)


def test_no_source_but_the_hub_gets_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    bringing = Bringing(monkeypatch, HOSTS)
    url = artifact("url", name="https://files.example.net/m.gguf")
    bringing.bring(url, Candidate(host="a", mode="host"), Candidate(host="b", mode="push"))
    assert bringing.hops["a"].request.access.token is None
    assert [access.token for access in bringing.stores] == [None, None]


def test_what_goes_wrong_here_leaves_its_hosts_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without its files is not changed, whatever kept them from it."""
    bringing = Bringing(monkeypatch, HOSTS)

    def broken(*_: object) -> None:
        raise RuntimeError("hf_secret")

    monkeypatch.setattr(fetching, "bring", broken)
    lost = bringing.bring(artifact(), Candidate(host="a"), Candidate(host="b", egress=True))
    assert set(lost) == {"a", "b"}
    assert "hf_secret" not in str(lost["a"])
    assert not [text for text in bringing.said if "is there" in text]


@pytest.mark.parametrize(
    ("second", "gated", "given"),
    [
        ({"egress": True}, False, replace(ACCESS, token=None)),
        ({"egress": True}, True, None),
        ({"mode": "host"}, True, ACCESS),
        ({"mode": "push", "egress": True}, False, None),
        ({"egress": False, "forbidden": True}, False, None),
        ({}, False, None),
    ],
)
def test_one_that_goes_on_alone_may_ask_the_source_where_its_route_allows(
    second: dict[str, Any], gated: bool, given: Access | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bringing = Bringing(monkeypatch, HOSTS)
    first = Candidate(host="a", mode="host", site="s")
    request = bringing.alone(artifact(gated=gated), first, Candidate(host="b", site="s", **second))
    assert (request["b"].route, request["b"].alone) == ("peer", given is not None)
    assert request["b"].access == (given or Access())


def test_without_an_address_one_that_goes_on_alone_takes_it_from_the_source_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bringing = Bringing(monkeypatch, HOSTS)
    monkeypatch.setattr(fetching, "addresses", lambda _: ())
    first = Candidate(host="a", egress=True, site="s")
    request = bringing.alone(artifact(), first, Candidate(host="b", egress=True, site="s"))
    assert request["b"].route == "download"
    with pytest.raises(XgenError, match=r"b cannot take o/m:m.gguf from a without .*peer_address"):
        bringing.alone(artifact(), first, Candidate(host="b", egress=False, site="s"))
