"""What a plan has brought, and what it refuses, before anything is touched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from xgen_deploy.files.places import places
from xgen_deploy.plan.fetch_text import fetch_lines
from xgen_deploy.plan.fetches import fetches, with_unbringable
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.facts import FolderFacts, PartFacts
from xgen_deploy.state.fetch import Fetch, FetchSettings, Lacking
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.transfer.remote.part import File, part_path

MIB, GIB = 1 << 20, 1 << 30
HUB = "hub.example.net:443"


def artifact(name: str = "o/m", size: int = 5 * GIB, **more: Any) -> Artifact:
    file = ArtifactFile(path=f"{name[-1]}.gguf", size=size, sha256=f"{ord(name[-1]):02x}" * 32)
    values = {"name": f"{name}:{file.path}", "kind": "hub", "origin": "hub.example.net"}
    values |= {"repository": name, "revision": "main", "commit": "c" * 40, "loaded": file.path}
    return Artifact.model_validate({**values, "files": (file,), **more})


class Lacks:
    """One host, and what it lacks for its one operation."""

    def __init__(self, name: str, *what: Artifact, free: int = 100 * GIB, **more: Any) -> None:
        self.host = Host(name=name, **{k: v for k, v in more.items() if k in ("site", "egress")})
        self.mode = more.get("mode", "auto")
        roots = (self.host.model_dir, self.host.hf_home)
        folders = tuple(
            FolderFacts(
                path=r,
                exists=True,
                free=free,
                total=9 << 40,
                closed=more.get("closed"),
                rates=more.get("rates", {}),
                parts=tuple(p for p in more.get("parts", ()) if p.path.startswith(r)),
            )
            for r in roots
        )
        reached = (HUB,) if more.get("reaches", True) else ()
        docker = SimpleNamespace(store="", root=None)
        facts = SimpleNamespace(folders=folders, reached=reached, docker=docker, quantizer=None)
        lacking = [self._lacking(a) for a in what]
        self.observation: Any = SimpleNamespace(facts=facts, lacking=lacking, quantizing=())
        paths = [item.places.path for item in lacking]
        beside = [SimpleNamespace(path=p) for p in paths[1:]]
        spec = SimpleNamespace(model_path=paths[0], beside=beside, binary=None, image=None)
        instance = SimpleNamespace(spec=spec)
        operation: Any = SimpleNamespace(instance=instance, name="m", gateway=None)
        self.plan = HostPlan(
            host=name, operations=(operation,), refusals=tuple(more.get("refusals", ()))
        )

    def _lacking(self, what: Artifact) -> Lacking:
        place = places(what, model_dir=self.host.model_dir, hf_home=self.host.hf_home)
        return Lacking(key=what.name, artifact=what, places=place, mode=self.mode, instances=("m",))


def planned(
    *lacks: Lacks, limit_rate: str | None = None
) -> tuple[dict[str, list[str]], tuple[Fetch, ...]]:
    """Refusals by host, and what is brought."""
    settings = FetchSettings(endpoint="https://hub.example.net", limit_rate=limit_rate)
    site: Any = SimpleNamespace(hosts={x.host.name: x.host for x in lacks}, fetch=settings)
    observations = {x.host.name: x.observation for x in lacks}
    plans = with_unbringable(site, {x.host.name: x.plan for x in lacks}, observations)
    brought = fetches(site, plans, observations)
    refused = {n: [r.reason for r in p.refusals] for n, p in plans.items() if p.refusals}
    return refused, brought


def said(*lacks: Lacks) -> list[str]:
    return list(fetch_lines(planned(*lacks)[1]))


def test_one_fetch_for_all_hosts_that_lack_it() -> None:
    refused, brought = planned(
        Lacks("a", artifact(), site="s"), Lacks("b", artifact(), site="s"), Lacks("c", artifact())
    )
    assert (refused, [f.hosts for f in brought]) == ({}, [("a", "b", "c")])
    text = "\n".join(said(Lacks("a", artifact(), site="s"), Lacks("b", artifact(), site="s")))
    assert "5.0 GiB from hub.example.net to a, then to b" in text
    assert "b connects to a for it" in text
    assert "10.0 GiB are brought before anything that serves is touched" in text


def test_all_that_goes_to_one_disk_has_to_fit_together() -> None:
    refused, brought = planned(Lacks("a", artifact("o/m"), artifact("o/d"), free=8 * GIB))
    assert refused["a"] == [
        "o/d:d.gguf does not fit: 10.0 GiB are to come to /srv/models/hf, where 8.0 GiB are free"
    ]
    assert brought == ()


def test_what_a_cut_transfer_left_is_not_counted_again() -> None:
    (file,) = Lacks("a", artifact()).observation.lacking[0].places.files
    left = part_path(File(file.place, file.size, file.sha256))
    other = part_path(File(file.place, file.size, "f" * 64))
    parts = [PartFacts(path=left, size=4 * GIB), PartFacts(path=other, size=4 * GIB)]
    assert planned(Lacks("a", artifact(), free=1 * GIB, parts=parts))[0] == {}
    refused, _ = planned(Lacks("a", artifact(), free=1 * GIB, parts=parts[1:]))
    assert "5.0 GiB are to come" in refused["a"][0]


def test_how_long_it_takes_where_that_was_measured() -> None:
    """By the way that it comes; a chain as long as its slowest host, and only where all are known;
    of what a cut left, the rest; never faster than the limit."""
    fast, slow = {"download": 10.0 * MIB}, {"peer": 5.0 * MIB, "download": 100.0 * MIB}
    assert "about" not in said(Lacks("a", artifact()))[0]
    assert said(Lacks("a", artifact(), rates=fast))[0].endswith(" free  about 9 min")
    a = Lacks("a", artifact(), site="s", rates=fast)
    assert said(a, Lacks("b", artifact(), site="s", rates=slow))[0].endswith("  about 17 min")
    assert "about" not in said(a, Lacks("b", artifact(), site="s"))[0]
    assert "about" not in said(Lacks("a", artifact(), rates={"receive": 10.0 * MIB}))[0]
    (file,) = a.observation.lacking[0].places.files
    left = PartFacts(path=part_path(File(file.place, file.size, file.sha256)), size=4 * GIB)
    assert said(Lacks("a", artifact(), rates=fast, parts=[left]))[0].endswith("  about 2 min")
    (limited,) = planned(Lacks("a", artifact(), rates=fast), limit_rate="1M")[1]
    assert limited.seconds == {"a": 5 * 1024.0}


def test_a_folder_that_cannot_be_written() -> None:
    refused, _ = planned(Lacks("a", artifact(), closed="/srv is mounted read-only"))
    assert refused == {"a": ["o/m:m.gguf cannot be brought: /srv is mounted read-only"]}


@pytest.mark.parametrize(
    "refused",
    [
        {"mode": "never"},
        {"free": 1},
        {"closed": "/srv is mounted read-only"},
        {"mode": "host", "reaches": False},
        {"refusals": [Refusal(host="b", instance="m", reason="its GPU is gone")]},
    ],
    ids=str,
)
def test_a_host_that_is_refused_leaves_it_to_the_others(refused: dict[str, Any]) -> None:
    """With --skip-refused these go on, and need their files."""
    why, brought = planned(
        Lacks("a", artifact(), site="s"),
        Lacks("b", artifact(), site="s", **refused),
        Lacks("c", artifact(), site="s"),
    )
    assert list(why) == ["b"]
    assert [fetch.hosts for fetch in brought] == [("a", "c")]


def test_two_names_of_one_file_bring_it_once() -> None:
    named = artifact(name="o/m")
    by_quantization = named.model_copy(update={"name": "o/m:Q8_0"})
    _, brought = planned(Lacks("a", named, by_quantization))
    assert [fetch.hosts for fetch in brought] == [("a",)]


def test_what_only_a_host_reaches_is_said() -> None:
    text = "\n".join(said(Lacks("a", artifact(through="a"))))
    assert "looked at by way of a: this machine does not reach hub.example.net" in text
    text = "\n".join(said(Lacks("a", artifact(through="a", trusted=True))))
    assert "trusted on first use: a alone reaches hub.example.net, without TLS" in text
    text = "\n".join(said(Lacks("a", artifact(trusted=True))))
    assert "trusted on first use: it was locked by way of a host, without TLS" in text


def test_why_this_machine_brings_it_is_said() -> None:
    text = "\n".join(said(Lacks("a", artifact(), egress=False)))
    assert "from this machine to a" in text
    assert "this machine gets it from hub.example.net: `xgen_egress: false` of a" in text
