"""A saved plan is what it was, whatever values secrets have by now."""

from __future__ import annotations

import pytest

from tests.fake_host.host import LAYOUT
from tests.hostile.conftest import Site

KEY = f"{LAYOUT.settings('q')}/api-key"


def test_a_secret_with_another_value_waits_for_an_apply_of_the_manifest(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, delivered = site.folder / "plan.json", site.host.files[KEY]
    assert site.run("plan", "-o", str(plan)).code == 0
    monkeypatch.setenv("ENGINE_KEY", "sk-another")
    held = site.run_on(plan, "apply")
    assert held.code == 0, held.said
    assert site.host.files[KEY] == delivered
    assert "the value of its secret changed" in site.run("apply", "-y").said
    assert b"sk-another" in site.host.files[KEY]


def test_a_rollback_goes_to_an_apply_that_there_was(site: Site) -> None:
    never = site.run("rollback", "-y", "--to", "99")
    assert never.code == 1
    assert "record of apply #99" in never.said
    assert site.host.touched == []
