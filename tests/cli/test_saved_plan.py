"""A saved plan is held against its manifest from any folder, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.apply.conftest import MakeSite, make_site  # noqa: F401 - a fixture
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite, Ran

PLAN = Path("plans/plan.json")
INVENTORY = "all: {hosts: {h: {ansible_user: deploy}}}\n"


@pytest.fixture
def repo(
    make_site: MakeSite,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> FakeSite:
    """A folder in which `plan manifest.yaml -o plans/plan.json` was run."""
    site: FakeSite = make_site()
    (site.folder / "plans").mkdir()
    monkeypatch.chdir(site.folder)
    ran = site.call("plan", "manifest.yaml", "-o", str(PLAN))
    assert ran.code == 0, ran.said
    return site


def _apply_from_elsewhere(site: FakeSite, plan: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    monkeypatch.chdir(elsewhere)
    return site.call("apply", str(plan.absolute()))


def _was_applied(site: FakeSite) -> bool:
    return LAYOUT.record in site.hosts["h"].files


def test_it_is_applied_from_another_folder(repo: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = _apply_from_elsewhere(repo, repo.folder / PLAN, monkeypatch)
    assert ran.code == 0, ran.said
    assert repo.record()["last_apply"]["manifest"] == str(repo.folder / "manifest.yaml")


def test_a_changed_manifest_refuses_it_there_too(
    repo: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.change(lambda m: m["models"]["q"].update(n_ctx=512))
    ran = _apply_from_elsewhere(repo, repo.folder / PLAN, monkeypatch)
    assert ran.code == 1
    assert f"{repo.folder}/manifest.yaml or its inventory has changed since the plan" in ran.said
    assert not _was_applied(repo)


def test_a_manifest_that_is_nowhere_refuses_it(
    repo: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo.folder / "manifest.yaml").rename(repo.folder / "renamed.yaml")
    ran = _apply_from_elsewhere(repo, repo.folder / PLAN, monkeypatch)
    assert ran.code == 1
    assert f"the manifest of this plan cannot be found: there is no {repo.folder}" in ran.said
    assert not _was_applied(repo)


@pytest.mark.parametrize("name", ["manifest.yaml", "plans/manifest.yaml"])
def test_a_checkout_elsewhere_has_it_by_its_name(
    repo: FakeSite, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the jobs of a CI see it: beside the plan, or from the folder of the job."""
    other = repo.folder / "other"
    (other / "plans").mkdir(parents=True)
    shutil.move(repo.folder / "manifest.yaml", other / name)
    shutil.move(repo.folder / PLAN, other / PLAN)
    monkeypatch.chdir(other)
    ran = repo.call("apply", str(PLAN))
    assert ran.code == 0, ran.said


def test_what_lies_in_its_place_must_be_the_same(
    repo: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repo.folder / "other"
    (other / "plans").mkdir(parents=True)
    text = (repo.folder / "manifest.yaml").read_text()
    (other / "manifest.yaml").write_text(text.replace("2048", "512"))
    (repo.folder / "manifest.yaml").unlink()
    shutil.move(repo.folder / PLAN, other / PLAN)
    monkeypatch.chdir(other)
    ran = repo.call("apply", str(PLAN))
    assert (ran.code, "has changed since the plan was saved" in ran.said) == (1, True), ran.said


@pytest.mark.parametrize("edited", [False, True])
def test_an_inventory_of_the_command_line_counts(
    repo: FakeSite, edited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo.folder / "other.yaml").write_text(INVENTORY)
    assert repo.call("plan", "manifest.yaml", "-i", "other.yaml", "-o", str(PLAN)).code == 0
    if edited:
        (repo.folder / "other.yaml").write_text(INVENTORY.replace("deploy", "root"))
    ran = _apply_from_elsewhere(repo, repo.folder / PLAN, monkeypatch)
    assert (ran.code, "has changed since the plan was saved" in ran.said) == (edited, edited)


def test_a_plan_of_an_older_version_is_found_beside_it(
    repo: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the name alone, as that was given."""
    saved = json.loads((repo.folder / PLAN).read_text())
    older = repo.folder / "plan.json"
    older.write_text(json.dumps({k: v for k, v in saved.items() if k not in ("manifest",)}))
    repo.change(lambda m: m["models"]["q"].update(n_ctx=512))
    ran = _apply_from_elsewhere(repo, older, monkeypatch)
    assert (ran.code, "has changed since the plan was saved" in ran.said) == (1, True), ran.said


def test_it_holds_every_inventory_that_was_given(
    repo: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repo.folder / "base"
    folder.mkdir()
    (folder / "hosts").write_text("[gpus]\nh ansible_user=nobody\n")
    top = repo.folder / "top.yaml"
    top.write_text(INVENTORY)
    given = ("-i", "base", "-i", "top.yaml")
    ran = repo.call("plan", "manifest.yaml", *given, "-o", str(PLAN))
    assert ran.code == 0, ran.said
    assert json.loads(PLAN.read_text())["site"]["hosts"]["h"]["user"] == "deploy"
    top.write_text(INVENTORY.replace("deploy", "eve"))
    refused = _apply_from_elsewhere(repo, repo.folder / PLAN, monkeypatch)
    assert "or its inventory has changed" in refused.said
    top.write_text(INVENTORY)
    assert _apply_from_elsewhere(repo, repo.folder / PLAN, monkeypatch).code == 0
    assert _was_applied(repo)


@pytest.mark.parametrize(("port", "code"), [(5432, 0), (8015, 1)])
def test_of_ports_only_those_of_the_site_count(repo: FakeSite, port: int, code: int) -> None:
    repo.hosts["h"].machine["ports"] = [{"port": port, "address": "127.0.0.1"}]
    ran = repo.call("apply", str(repo.folder / PLAN))
    assert ran.code == code, ran.said
