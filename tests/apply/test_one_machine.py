"""One machine under two names of the inventory is refused by both names; clones are warned of."""

from __future__ import annotations

from copy import copy

import pytest

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.site import FakeSite

ONE = {"machine_id": "m1", "boot_id": "b1", "hostname": "box"}


def two_names(make_site: MakeSite, **other: str) -> FakeSite:
    """`a` and `b`, whose probe tells of the same machine but for what is in `other`."""
    models = {"q": MODEL, "r": MODEL}
    places = {"a": [q()], "b": [q(model="r")]}
    site = make_site({"a": "cpu", "b": "cpu"}, models=models, hosts=places)
    site.hosts["a"].machine = ONE
    if not other:
        site.hosts["b"] = copy(site.hosts["a"])  # with the same files and units
        site.hosts["b"].name = "b"
    site.hosts["b"].machine = {**ONE, **other}
    return site


@pytest.mark.parametrize("command", [("plan",), ("apply", "-y"), ("destroy", "-y")])
def test_one_machine_under_two_names(make_site: MakeSite, command: tuple[str, ...]) -> None:
    site = two_names(make_site)
    ran = site.run(*command)
    assert ran.code == 1
    for name, other in ("ab", "ba"):
        assert f"{name}: it is the same machine as {other}: one machine ID, one boot" in ran.said
    assert "Keep one of the names" in ran.said
    assert not site.hosts["a"].calls


def test_with_a_limit_by_the_name_of_the_last_apply(make_site: MakeSite) -> None:
    site = two_names(make_site)
    assert site.run("apply", "-y", "--limit", "a").code == 0
    before = dict(site.hosts["a"].files)
    ran = site.run("apply", "-y", "--limit", "b")
    assert ran.code == 1
    assert "b: this project was last applied to it as a, which is still in the manifest" in ran.said
    assert site.hosts["a"].files == before
    assert site.run("apply", "-y", "--limit", "a").code == 0


def test_a_name_that_replaced_another(make_site: MakeSite) -> None:
    """The machine of `a` is called `b` now, and there is no `a` any more."""
    site = two_names(make_site)
    assert site.run("apply", "-y", "--limit", "a").code == 0
    site.change(lambda m: m["hosts"].pop("a") and m["inventory"]["all"]["hosts"].pop("a"))
    assert site.run("apply", "-y").code == 0
    assert site.record("b")["host"] == "b"


def test_stop_under_both_names(make_site: MakeSite) -> None:
    site = two_names(make_site)
    assert site.run("apply", "-y", "--limit", "a").code == 0
    site.change(lambda m: m["hosts"].update(b=[q()]))
    ran = site.run("stop", "q", "-y")
    assert (ran.code, "b: it is the same machine as a" in ran.said) == (1, True)
    assert site.run("stop", "q", "-y", "--limit", "a").code == 0


@pytest.mark.parametrize("other", [{"boot_id": "b2"}, {"hostname": "box2"}])
def test_clones_are_two_machines(make_site: MakeSite, other: dict[str, str]) -> None:
    """Also containers that were cloned on one machine, whose boot they share."""
    site = two_names(make_site, **other)
    ran = site.run("apply", "-y")
    assert ran.code == 0
    assert "a, b have one machine ID: clones" in ran.said
    assert site.run("apply", "-y", "--limit", "b").code == 0


def test_a_clone_whose_disk_has_the_record_of_the_other(make_site: MakeSite) -> None:
    site = two_names(make_site, boot_id="b2")
    assert site.run("apply", "-y", "--limit", "a").code == 0
    site.hosts["b"].files.update(site.hosts["a"].files)
    limited = site.run("plan", "--limit", "b")
    assert (limited.code, "this once over both" in limited.said) == (1, True)
    assert site.run("plan").code == 0


def test_machines_of_their_own(make_site: MakeSite) -> None:
    site = two_names(make_site, machine_id="m2", boot_id="b2")
    assert "machine ID" not in site.apply()
