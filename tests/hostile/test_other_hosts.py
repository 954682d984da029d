"""What one host breaks of its own costs the others nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.hostile.conftest import LAYOUT, OTHER, Site, check

BROKEN = {
    "damaged": "{",
    "of a newer version": '{"format": 99, "project": "p"}',
    "an odd name": '{"format": 2, "project": "p", "pending": {"../x": "y"}}',
}


@pytest.mark.parametrize("record", BROKEN)
def test_a_record_that_cannot_be_used_keeps_no_other_host_from_its_apply(
    site: Site, record: str
) -> None:
    site.change(lambda m: m["hosts"].update({OTHER: m["hosts"]["h"]}))
    site.host.document["record"] = BROKEN[record]
    refused = site.run("apply", "-y")
    check(site, refused)
    assert (refused.code, site.other.touched) == (1, [])
    done = site.run("apply", "-y", "--skip-refused")
    check(site, done)
    assert done.code == 1
    assert "ok      other/q" in done.said, done.said
    assert LAYOUT.record in site.other.files
    assert site.host.touched == []


@pytest.fixture
def pair(site: Site) -> Site:
    """Both hosts run the model, applied three times; the gateway is on the other one."""

    def both(manifest: Any) -> None:
        manifest["gateway"]["host"] = OTHER
        manifest["hosts"][OTHER] = [dict(manifest["hosts"]["h"][0])]

    for n_ctx in (2048, 4096, 1024):
        site.change(both)
        site.change(lambda m, n=n_ctx: [p.update(n_ctx=n) for h in m["hosts"].values() for p in h])
        applied = site.run("apply", "-y")
        assert applied.code == 0, applied.said
        site.settle()
    return site


def edit(site: Site, name: str, change: Callable[[Any], object], *, to: str = "") -> None:
    """A JSON file of the hostile host."""
    content = json.loads(site.host.files[name])
    change(content)
    site.host.files[to or name] = json.dumps(content).encode()
    if name == LAYOUT.record:
        site.host.document["record"] = json.dumps(content)


def n_ctx(site: Site) -> int:
    """What the other host runs now."""
    record = json.loads(site.other.files[LAYOUT.record])
    return int(record["instances"]["q"]["spec"]["n_ctx"])


def test_a_rollback_goes_back_on_every_host(pair: Site) -> None:
    done = pair.run("rollback", "-y")
    assert done.code == 0, done.said
    assert n_ctx(pair) == 4096


def test_no_host_alone_says_which_apply_was_the_newest(pair: Site) -> None:
    for number in (998, 999):
        newest = f"{LAYOUT.history}/{number}.json"
        edit(
            pair,
            f"{LAYOUT.history}/1.json",
            lambda e, n=number: e["apply"].update(number=n),
            to=newest,
        )
    refused = pair.run("rollback", "-y")
    assert (refused.code, pair.other.touched) == (1, [])
    assert "only h tells of apply #999" in refused.said
    assert "the other hosts is #4" in refused.said
    done = pair.run("rollback", "-y", "--to", "3")
    check(pair, done)
    assert (done.code, n_ctx(pair)) == (0, 4096)


def test_an_entry_with_another_model_brings_no_requests_of_other_hosts(pair: Site) -> None:
    pair.change(lambda m: m["models"].update(s=m["models"]["q"]))
    path = f"{LAYOUT.history}/3.json"
    edit(pair, path, lambda e: e["declared"][0].update(model="s"))
    refused = pair.run("rollback", "-y")
    assert refused.code == 1
    assert "h/q: model: s" in refused.said


def test_how_a_rollback_goes_is_the_manifests(pair: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{LAYOUT.history}/3.json"
    update = {"canary": 0, "max_unavailable": 1000, "drain": 1e300}
    edit(pair, path, lambda e: e["declared"][0].update(update=update))
    planned = {}

    def planned_only(_: Any, plan: Any, *__: Any, **___: Any) -> Any:
        planned.update({o.id: o for o in plan.operations})
        raise KeyboardInterrupt

    monkeypatch.setattr("xgen_deploy.cli.applying.carry_out_all", planned_only)
    pair.run("rollback", "-y")
    assert planned["other/q"].needs == ("h/q",)
    assert planned["h/q"].instance.declared.update.drain is None
