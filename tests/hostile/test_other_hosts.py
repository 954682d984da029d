"""What one host breaks of its own costs the others nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fake_host.host import LAYOUT
from tests.fake_host.session import FakeSession
from tests.hostile.conftest import OTHER, Site, check
from xgen_deploy.apply.artifacts import NotPulled
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.gateway_paths import config_file
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.verify.haproxy_socket import HaproxySocket

BROKEN = {
    "damaged": "{",
    "of a newer version": '{"format": 99, "project": "p"}',
    "an odd name": '{"format": 2, "project": "p", "pending": {"../x": "y"}}',
}


def _on_both(manifest: Any) -> None:
    manifest["hosts"][OTHER] = [dict(manifest["hosts"]["h"][0])]


@pytest.mark.parametrize("record", BROKEN)
def test_a_record_that_cannot_be_used_keeps_no_other_host_from_its_apply(
    site: Site, record: str
) -> None:
    site.change(_on_both)
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

    site.change(_on_both)
    site.change(lambda m: m["gateway"].update(host=OTHER))
    for size in (2048, 4096, 1024):
        apply(site, size)
    return site


def apply(site: Site, size: int, code: int = 0) -> str:
    """What was said of an apply of this context on both hosts."""

    def sized(manifest: Any) -> None:
        for placed in manifest["hosts"].values():
            placed[0]["n_ctx"] = size

    site.change(sized)
    applied = site.run("apply", "-y")
    check(site, applied)
    assert applied.code == code, applied.said
    site.settle()
    return applied.said


def edit(site: Site, name: str, change: Callable[[Any], object], *, to: str = "") -> None:
    """A JSON file of the hostile host."""
    content = json.loads(site.host.files[name])
    change(content)
    site.host.files[to or name] = json.dumps(content).encode()
    if name == LAYOUT.record:
        site.host.document["record"] = json.dumps(content)


def _numbered(number: int) -> Callable[[Any], object]:
    return lambda entry: entry["apply"].update(number=number)


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
        path = f"{LAYOUT.history}/{number}.json"
        edit(pair, f"{LAYOUT.history}/1.json", _numbered(number), to=path)
    refused = pair.run("rollback", "-y")
    assert (refused.code, pair.other.touched) == (1, [])
    assert "only h has apply #999" in refused.said
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

    monkeypatch.setattr("xgen_deploy.apply.change.carry_out_all", planned_only)
    pair.run("rollback", "-y")
    assert planned["other/q"].needs == ("h/q",)
    assert planned["h/q"].instance.declared.update.drain is None


def test_a_host_that_hangs_up_on_every_session_costs_the_others_nothing(
    pair: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def session() -> FakeSession:
        raise UnreachableError("h", "it hangs up")

    monkeypatch.setattr(pair.host, "session", session)
    said = apply(pair, 512, code=4)
    assert "it hangs up" in said
    assert n_ctx(pair) == 512


@pytest.mark.parametrize(
    ("error", "code"),
    [(UnreachableError("h", "no image came"), 4), (NotPulled("h", "no image came"), 1)],
)
def test_a_host_that_cannot_pull_costs_the_others_nothing(
    pair: Site, monkeypatch: pytest.MonkeyPatch, error: XgenError, code: int
) -> None:
    def pulled(plan: HostPlan, *_: object) -> bool:
        if plan.host == "h":
            raise error
        return False

    monkeypatch.setattr("xgen_deploy.apply.change.pull_images", pulled)
    pair.change(lambda m: m["models"]["q"].update(update={"canary": 0, "max_unavailable": 2}))
    said = apply(pair, 512, code=code)
    assert said.count("no image came") == 1
    assert n_ctx(pair) == 512


def test_a_context_of_none_in_a_record_is_refused_for_its_host_alone(pair: Site) -> None:
    edit(pair, LAYOUT.record, lambda r: r["instances"]["q"]["spec"].update(n_ctx=0))
    for document in (pair.host.document, pair.other.document):
        document["memory_available_mb"] = 10**6
    planned = pair.run("plan")
    check(pair, planned)
    assert "h: the record of project p cannot be understood" in planned.said
    assert "other/q" not in planned.said


@pytest.mark.parametrize("number", [10**9, 10**15])
def test_no_host_ends_the_counting_of_applies(pair: Site, number: int) -> None:
    edit(pair, LAYOUT.record, lambda r: r["last_apply"].update(number=number))
    planned = pair.run("plan")
    if number == 10**15:
        assert "h: the record of project p cannot be understood" in planned.said
        return
    assert "is implausible" in apply(pair, 512)
    assert f"{LAYOUT.history}/5.json" in pair.other.files
    assert n_ctx(pair) == 512


POISON: dict[str, Callable[[Any], object]] = {
    "another type": lambda r: r["spec"].update(type="embedding"),
    "no key": lambda r: r["spec"].pop("api_key"),
    "a health path": lambda r: r.update(health_path="/metrics"),
    "slots without end": lambda r: r["spec"]["llama"].update(parallel=10**18),
}


@pytest.mark.parametrize("what", POISON)
def test_a_stopped_instance_changes_nothing_for_its_models_others(pair: Site, what: str) -> None:
    config = config_file(LAYOUT)
    before = pair.other.files[config]

    def poisoned(record: Any) -> None:
        one = record["instances"]["q"]
        one["stopped"] = {"by": "kim", "at": 1.0}
        POISON[what](one)
        one["digest"] = Spec.model_validate(one["spec"]).digest

    edit(pair, LAYOUT.record, poisoned)
    applied = pair.run("apply", "-y")
    check(pair, applied)
    assert applied.code == 0, applied.said
    assert pair.other.files[config] == before


def test_no_record_makes_a_drain_take_longer(pair: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    real = HaproxySocket.wait_idle

    def wait_idle(self: HaproxySocket, server: str, timeout: float) -> Any:
        waited.append(timeout)
        return real(self, server, timeout)

    monkeypatch.setattr(HaproxySocket, "wait_idle", wait_idle)
    edit(
        pair,
        LAYOUT.record,
        lambda r: r["instances"]["q"]["declared"].update(update={"drain": 1e300}),
    )
    pair.change(lambda m: m["hosts"].update(h=[]))
    done = pair.run("apply", "-y")
    check(pair, done)
    assert waited
    assert max(waited) <= 60.0
