"""What cannot fit is refused before anything is touched; what runs, and what was, never is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.site import FakeSite
from tests.plan.memory_fleet import header_of

SOURCE = str(MODEL["source"])
PLACED = [{"model": "q"}]
LACKING = "of GPU 0, which has 12.0 GiB"


def _card(mib: int, free: int | None = None, **more: Any) -> list[dict[str, Any]]:
    card: dict[str, Any] = {"gpu_type": "nvidia", "device_name": "RTX 3060", "uuid": "GPU-a"}
    card |= {"pci_bus_id": "0000:41:00.0", "memory_total_mb": mib}
    return [card | {"memory_free_mb": mib if free is None else free} | more]


def _model(n_ctx: int) -> dict[str, Any]:
    return {"source": SOURCE, "n_ctx": n_ctx}


def _has(site: FakeSite, mib: int, free: int | None = None, **more: Any) -> None:
    for host in site.hosts.values():
        host.cards = _card(mib, free, **more)


def _sized(site: FakeSite, n_ctx: int, **fields: Any) -> None:
    site.change(lambda m: m["models"]["q"].update(n_ctx=n_ctx, **fields))


def _contexts(site: FakeSite) -> list[int]:
    return [process.context for process in site.hosts["h"].running()]


@pytest.fixture
def unfit_site(make_site: MakeSite) -> FakeSite:
    """8.1 GiB of 12 are taken; the next context takes 20."""
    site = make_site({"h": "rtx24"}, models={"q": _model(8192)}, hosts={"h": PLACED})
    known = json.loads(header_of("mistral-7b").model_dump_json(exclude_none=True))
    site.hosts["h"].model_facts[SOURCE] = {"gguf": known, "size": 5 << 30}
    _has(site, 12288)
    site.apply()
    _sized(site, 32768)
    site.forget()
    return site


def test_it_is_refused_and_what_runs_goes_on(unfit_site: FakeSite) -> None:
    said = unfit_site.apply(code=1)
    assert (
        f"refused  h/q: it needs 20.1 GiB (weights 4.0, cache 16.0, compute 0.1) {LACKING}" in said
    )
    assert "n_gpu_layers: " in said
    assert _contexts(unfit_site) == [8192]
    assert not unfit_site.hosts["h"].touched


def test_a_way_out_is_applied(unfit_site: FakeSite) -> None:
    _sized(unfit_site, 32768, n_gpu_layers=12)
    assert "refused" not in unfit_site.apply()
    assert _contexts(unfit_site) == [32768]


def test_who_knows_better_applies_it_all_the_same(unfit_site: FakeSite) -> None:
    _sized(unfit_site, 32768, fit="warn")
    said = unfit_site.apply()
    assert "fit: warn" in said
    assert "it is tried all the same" in said
    assert _contexts(unfit_site) == [32768]
    _sized(unfit_site, 32768, fit="off")
    assert unfit_site.pending_operations() == []


def test_what_was_is_rolled_back_to_on_a_card_that_is_too_small_now(unfit_site: FakeSite) -> None:
    _sized(unfit_site, 4096)
    unfit_site.apply()
    _has(unfit_site, 6144)
    ran = unfit_site.run("rollback", "-y", "--to", "1")
    assert ran.code == 0, ran.said
    assert "it is tried all the same" in ran.said
    assert _contexts(unfit_site) == [8192]


def test_what_runs_is_repaired_whatever_others_hold(unfit_site: FakeSite) -> None:
    _sized(unfit_site, 8192)
    held = {"pid": 7, "name": "blender", "user": "lena", "cgroup": "/user.slice", "memory_mb": 9000}
    _has(unfit_site, 12288, 500, processes=[held])
    assert unfit_site.pending_operations() == []
    unfit_site.hosts["h"].systemd.run(["systemctl", "stop", "xgen-p-q.service"])
    assert unfit_site.pending_operations() == ["h/q repair"]
    unfit_site.apply()
    assert _contexts(unfit_site) == [8192]


def test_a_saved_plan_is_refused_with_the_numbers(unfit_site: FakeSite) -> None:
    _has(unfit_site, 24576)
    saved = unfit_site.folder / "saved.json"
    assert unfit_site.run("plan", "-o", str(saved)).code == 0
    _has(unfit_site, 12288)
    ran = unfit_site.run_on(saved, "apply", "-y")
    assert ran.code == 1
    needs = "it needs 20.1 GiB (weights 4.0, cache 16.0, compute 0.1)"
    assert f"refused  h/q: {needs} {LACKING}" in ran.said
    assert "no longer holds:" in ran.said
    assert _contexts(unfit_site) == [8192]


def test_other_hosts_go_on_where_that_is_asked_for(make_site: MakeSite) -> None:
    site = make_site(
        {"h": "rtx24", "i": "rtx24"},
        models={"q": _model(32768)},
        hosts={"h": PLACED, "i": PLACED},
    )
    known = json.loads(header_of("mistral-7b").model_dump_json(exclude_none=True))
    for host in site.hosts.values():
        host.model_facts[SOURCE] = {"gguf": known, "size": 5 << 30}
    _has(site, 12288)
    site.hosts["i"].cards = _card(24576)
    assert site.run("apply", "-y").code == 1
    ran = site.run("apply", "-y", "--skip-refused")
    assert f"h/q: it needs 20.1 GiB (weights 4.0, cache 16.0, compute 0.1) {LACKING}" in ran.said
    assert [len(host.running()) for host in site.hosts.values()] == [0, 1]
