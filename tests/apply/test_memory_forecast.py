"""What was forecast of memory is held against what the engine took."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from tests.render.scene import HOSTS
from tests.resolve.test_choosing import header


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    return _site(make_site)


def _site(make_site: MakeSite, **fields: Any) -> FakeSite:
    """One model whose header is known, on a GPU."""
    placed = {"model": "q", "gpus": [0]}
    made = make_site({"h": "h100x4"}, models={"q": {**MODEL, **fields}}, hosts={"h": [placed]})
    facts = {"gguf": json.loads(header().model_dump_json(exclude_none=True))}
    made.hosts["h"].model_facts[str(MODEL["source"])] = facts
    return made


def _forecast(site: FakeSite) -> tuple[float, float, float]:
    (operation,) = json.loads(site.run("plan", "--json").out)["hosts"]["h"]["operations"]
    need, _ = operation["forecast"]["needs"]
    return need["weights_mib"], need["cache_mib"], need["compute_mib"]


def _applied(site: FakeSite, *buffers: float) -> dict[str, Any]:
    weights, cache, compute = buffers
    site.hosts["h"].engines["q"] = Engine(card="0000:41:00.0", buffers=(weights, cache, compute))
    site.apply()
    (row,) = json.loads(site.run("status", "--json").out)["models"]
    found: dict[str, Any] = row
    return found


def test_both_are_shown(site: FakeSite) -> None:
    weights, cache, compute = _forecast(site)
    row = _applied(site, weights, cache, compute)
    device = {"weights_mib": weights, "cache_mib": cache, "compute_mib": compute}
    assert row["forecast"] == {"devices": [device], "exact": True, "whole": True}
    assert row["warnings"] == []
    shown = f"weights {weights:.1f} MiB ({weights:.1f} forecast), cache {cache:.1f} MiB"
    assert shown in site.run("status", "-v").out
    assert shown not in site.run("status").out
    assert "memory forecast" not in site.run("verify").out


def test_a_wrong_one_is_to_be_reported(site: FakeSite) -> None:
    weights, cache, compute = _forecast(site)
    (warning,) = _applied(site, weights, cache, compute + 600)["warnings"]
    total = weights + cache + compute
    assert f"{total:.1f} MiB were forecast, and the engine took {total + 600:.1f}" in warning
    assert f"compute {compute:.1f}/{compute + 600:.1f} MiB" in warning
    assert "n_ctx 2048, slots 2, n_gpu_layers all, cache f16/f16" in warning
    assert warning in site.run("status").out.replace("\n", " ")
    verified = site.run("verify", "--json")
    assert verified.code == 0
    (check,) = (c for c in json.loads(verified.out)["checks"] if c["what"] == "memory forecast")
    assert (check["ok"], check["found"]) == (True, warning)


def test_what_was_left_out_is_no_mistake(make_site: MakeSite) -> None:
    site = _site(make_site, llama={"extra_args": ["--override-kv", "a=int:1"]})
    row = _applied(site, 9000, 9000, 9000)
    assert not row["forecast"]["whole"]
    assert row["warnings"] == []


def test_a_record_of_before_has_none(site: FakeSite) -> None:
    _applied(site, *_forecast(site))
    path = next(p for p in site.hosts["h"].files if p.endswith("/record.json"))
    record = json.loads(site.hosts["h"].files[path])
    del record["instances"]["q"]["forecast"]
    site.hosts["h"].files[path] = json.dumps(record).encode()
    (row,) = json.loads(site.run("status", "--json").out)["models"]
    assert (row["forecast"], row["warnings"]) == (None, [])


def test_what_the_driver_takes_is_kept(site: FakeSite) -> None:
    """It is seen at the next change, and warned of with its origin."""
    sizes = _forecast(site)
    _applied(site, *sizes)
    host = site.hosts["h"]
    assert site.record()["drivers"] == []
    nothing = site.call("fit", "export", str(site.folder / "manifest.yaml")).out
    assert "# None yet: a change measures it" in nothing
    assert yaml.safe_load(nothing) == {"drivers": []}
    (card, *others) = HOSTS["h100x4"]["gpus"]
    held = {
        "pid": 7,
        "memory_mb": int(sum(sizes)) + 700,
        "cgroup": f"/system.slice/{LAYOUT.service('q')}.service",
    }
    host.cards = [{**card, "processes": [held]}, *others]
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    site.apply()
    (entry,) = site.record()["drivers"]
    assert entry["gpu"] == card["device_name"]
    assert entry["mib"] in (700, 701)
    exported = site.call("fit", "export", str(site.folder / "manifest.yaml"))
    assert exported.code == 0
    (told,) = yaml.safe_load(exported.out)["drivers"]
    assert told == {name: value for name, value in entry.items() if value is not None}
    (site.folder / "drivers.yaml").write_text(exported.out)
    fleet = site.folder / "fleet.yaml"
    fleet.write_text('{drivers: drivers.yaml, hosts: {"*": {cards: [4x H100]}}}')
    read = site.run_on(site.folder / "manifest.yaml", "validate", "--fleet", str(fleet))
    assert "drivers" not in read.out
    again = site.call("fit", "export", str(site.folder / "manifest.yaml"), "--fleet", str(fleet))
    assert yaml.safe_load(again.out)["drivers"] == [told]
