"""What nobody foresaw while an engine is brought up still brings back the one that worked."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.fake_host.host import LAYOUT
from tests.hostile.conftest import Site


@pytest.mark.parametrize(
    ("strategy", "ending"),
    [
        ("stop-first", "The previous version was put back and serves again"),
        ("start-first", "The one that runs was left as it is, and serves on"),
    ],
)
def test_a_fault_in_reading_an_engines_log_gives_up_the_new_one_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, strategy: str, ending: str
) -> None:
    _small(site)
    _change(site, strategy)
    monkeypatch.setattr("xgen_deploy.backends.llama_engine.read_report", _broken)
    ran = site.run("apply", "-y")
    assert ran.code == 1, ran.said
    assert "KeyError in backends/llama_engine.py" in ran.said
    assert ending in ran.said, ran.said
    put_back = any(argv[0] == "sh" and LAYOUT.put_back_script in argv for argv in site.host.ran)
    assert put_back == (strategy == "stop-first")


def test_statistics_without_a_column_leave_the_engine_as_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change(site, "stop-first")
    monkeypatch.setattr(site.host, "gateway_says", lambda _: "# pxname,svname,type\nq,h.q,2\n")
    ran = site.run("apply", "-y")
    assert "not in the format of HAProxy 2.4 and later" in ran.said
    assert "The one that runs was left as it is" in ran.said, ran.said


def _change(site: Site, strategy: str) -> None:
    path = site.folder / "manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["hosts"]["h"][0] |= {"n_ctx": 4096, "update": {"strategy": strategy}}
    path.write_text(yaml.safe_dump(manifest))


def _small(site: Site) -> None:
    """There is room for two."""
    record = json.loads(site.host.document["record"])
    record["instances"]["q"]["report"] = {"host_mib": {"CPU": 100.0}}
    site.host.document |= {"record": json.dumps(record), "memory_available_mb": 10_000}


def _broken(_: str) -> None:
    raise KeyError("n_ctx")
