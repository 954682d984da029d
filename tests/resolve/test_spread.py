"""Replicas over a group of hosts: `replicas` in all, each on one of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.render.scene import HOSTS, model_facts
from tests.resolve.test_choosing import SOURCE, header
from tests.site_file import load_site
from xgen_deploy.errors import UnreachableError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.limit import limit
from xgen_deploy.resolve.choosing.spread import with_spread
from xgen_deploy.resolve.host import resolve_host
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.state.facts import EngineFacts, HostFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.site import Site

LAYOUT = system_layout("p")
FULL = (500, 500, 500, 500)
EMPTY = (80_000, 80_000, 80_000, 80_000)


def site_of(folder: Path, placement: dict[str, Any], **hosts: Any) -> Site:
    manifest = {
        "project": "p",
        "runtime": "systemd",
        "inventory": {"all": {"children": {"g": {"hosts": dict.fromkeys(("a", "b", "c"))}}}},
        "binaries": {"llama": "/opt/engine"},
        "models": {"m": {"source": SOURCE}},
        "hosts": {"g": [{"model": "m", "gpus": "auto", **placement}], **hosts},
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return load_site(str(path))


class Group:
    """Hosts a, b, c with four cards each; `free` in MiB by host, all free elsewhere."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.records = {name: Record(project="p") for name in site.hosts}

    def observed(self, lost: str = "", **free: tuple[int, ...]) -> Observed:
        return {
            name: UnreachableError(name, "no route")
            if name == lost
            else Observation(name, self._facts(name, free.get(name, EMPTY)), LAYOUT, record)
            for name, record in self.records.items()
            if name in self.site.hosts
        }

    def _facts(self, name: str, free: tuple[int, ...]) -> HostFacts:
        request = probe_request(self.site, self.site.hosts[name], LAYOUT)
        gpus = tuple(
            GPUInfo(index=i, **{**g, "uuid": f"{name}{i}", "memory_free_mb": free[i]})
            for i, g in enumerate(HOSTS["h100x4"]["gpus"])
        )
        facts = HostFacts.model_validate(
            {
                "probe": "python",
                "hostname": name,
                "arch": "x86_64",
                "kernel": "6.8",
                "user": "root",
                "uid": 0,
                "now": 0.0,
                "cores": 16,
                "systemd": "255",
                "gpu": GPUDetectionResult(gpus=gpus, detection_method="pynvml"),
                "models": [model_facts(m.key, m.source) for m in request.models],
                "engines": [
                    EngineFacts(backend=e.backend, binary=e.binary, state="s1")
                    for e in request.engines
                ],
            }
        )
        return replace(facts, models=tuple(replace(m, gguf=header()) for m in facts.models))

    def apply(self, site: Site, observed: Observed) -> None:
        for name, observation in observed.items():
            assert isinstance(observation, Observation)
            record = self.records[name]
            host = site.hosts[name]
            resolved = resolve_host(site, host, observation.facts, record, LAYOUT)
            assert not resolved.refusals, resolved.refusals
            for i in resolved.instances:
                last = InstanceRecord(spec=i.spec, digest=i.digest, declared=i.declared)
                record = record.with_instance(i.name, last)
            self.records[name] = record


def places(site: Site) -> dict[str, str]:
    return {config.name: config.host for config in site.declared}


def test_replicas_are_so_many_in_all(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 4, "spread": "host"}))
    placed = with_spread(group.site, group.observed())
    assert places(placed) == {"m": "a", "m-2": "b", "m-3": "c", "m-4": "a"}


def test_a_host_without_room_gets_none(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 2, "spread": "host"}))
    assert places(with_spread(group.site, group.observed(a=FULL))) == {"m": "b", "m-2": "c"}


def test_the_emptiest_host_comes_first(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 1, "spread": "host"}))
    half = (80_000, 80_000, 0, 0)
    assert places(with_spread(group.site, group.observed(a=half, b=half))) == {"m": "c"}


def test_where_no_host_has_room_one_of_them_says_why(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"spread": "host"}))
    observed = group.observed(a=FULL, b=FULL, c=FULL)
    placed = with_spread(group.site, observed)
    assert places(placed) == {"m": "a"}
    observation = observed["a"]
    assert isinstance(observation, Observation)
    resolved = resolve_host(
        placed, placed.hosts["a"], observation.facts, Record(project="p"), LAYOUT
    )
    assert "no place on a holds it" in resolved.refusals[0].reason


def test_a_replica_stays_where_it_is(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 2, "spread": "host"}))
    group.apply(with_spread(group.site, group.observed(a=FULL)), group.observed(a=FULL))
    more = Group(site_of(tmp_path, {"replicas": 3, "spread": "host"}))
    more.records = group.records
    placed = with_spread(more.site, more.observed())
    assert places(placed) == {"m": "b", "m-2": "c", "m-3": "a"}


def test_what_may_run_on_a_lost_host_is_not_started_elsewhere(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 3, "spread": "host"}))
    group.apply(with_spread(group.site, group.observed()), group.observed())
    placed = with_spread(group.site, group.observed(lost="b"))
    assert places(placed) == {"m": "a", "m-3": "c"}
    assert placed.warnings[-1] == "m-2 is not placed: b was not looked at and may run it"


def test_limit_places_nothing_new(tmp_path: Path) -> None:
    whole = site_of(tmp_path, {"replicas": 3, "spread": "host"})
    group = Group(limit(whole, ["a"]))
    placed = with_spread(group.site, group.observed())
    assert places(placed) == {}
    assert "b, c was not looked at" in placed.warnings[-1]


def test_over_gpus_each_has_its_own(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 8, "spread": "gpu"}))
    observed = group.observed(c=FULL)
    placed = with_spread(group.site, observed)
    assert sorted(places(placed).values()) == ["a"] * 4 + ["b"] * 4
    group.apply(placed, observed)
    cards = [g for r in group.records.values() for i in r.instances.values() for g in i.spec.gpus]
    assert sorted(cards) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]


def test_without_spread_each_host_has_them_all(tmp_path: Path) -> None:
    group = Group(site_of(tmp_path, {"replicas": 2}))
    assert len(with_spread(group.site, group.observed()).declared) == 6


@pytest.mark.parametrize(
    ("placement", "hosts", "why"),
    [
        ({"spread": "gpu", "gpus": [[0], [1]]}, {}, "leaves nothing to spread"),
        ({"spread": "host"}, {"a": [{"model": "m"}]}, "`m` is spread, and placed at "),
    ],
)
def test_what_cannot_be_spread_is_told(
    tmp_path: Path, placement: dict[str, Any], hosts: dict[str, Any], why: str
) -> None:
    with pytest.raises(ManifestError, match=why):
        site_of(tmp_path, placement, **hosts)
