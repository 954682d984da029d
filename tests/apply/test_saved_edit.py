"""A saved plan that carries an edit of the manifest: `apply` of it writes the file."""

import json
from pathlib import Path

import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.site import FakeSite


def _planned(site: FakeSite, after: str, at: str = "after") -> Path:
    """A plan of the edited manifest, saved with the edit."""
    path = site.folder / "manifest.yaml"
    before, saved = path.read_text(), site.folder / "plan.json"
    path.write_text(after)
    ran = site.run("plan", "-o", str(saved))
    assert ran.code in (0, 2), ran.said
    path.write_text(before)
    plan = json.loads(saved.read_text())
    edit = {"before": before, "after": after, "author": "operator1", "message": "n_ctx"}
    saved.write_text(json.dumps({**plan, "edit": edit}))
    return saved


def _edited(site: FakeSite) -> str:
    text = (site.folder / "manifest.yaml").read_text()
    return text.replace("n_ctx: 2048", "n_ctx: 4096") + "# edited\n"


@pytest.fixture
def applied(make_site: MakeSite) -> FakeSite:
    site = make_site()
    site.apply()
    site.forget()
    return site


def test_the_file_is_written_and_what_it_says_runs(applied: FakeSite) -> None:
    after = _edited(applied)
    ran = applied.run_on(_planned(applied, after), "apply")
    assert ran.code == 0, ran.said
    assert (applied.folder / "manifest.yaml").read_text() == after
    assert applied.record()["instances"]["q"]["declared"]["n_ctx"] == 4096
    assert applied.pending_operations() == []


def test_the_file_stays_after_an_apply_that_failed(applied: FakeSite) -> None:
    after = _edited(applied)
    saved = _planned(applied, after)
    applied.hosts["h"].engines["--ctx-size 8192"] = Engine(dies="at once")
    ran = applied.run_on(saved, "apply")
    assert ran.code != 0
    assert (applied.folder / "manifest.yaml").read_text() == after


def test_an_edit_that_changes_no_host_is_written_too(applied: FakeSite) -> None:
    after = (applied.folder / "manifest.yaml").read_text() + "x-note: nothing\n"
    assert applied.run_on(_planned(applied, after), "apply").code == 0
    assert (applied.folder / "manifest.yaml").read_text() == after


def test_what_somebody_else_wrote_meanwhile_is_left_alone(applied: FakeSite) -> None:
    saved = _planned(applied, _edited(applied))
    theirs = (applied.folder / "manifest.yaml").read_text() + "x-theirs: 1\n"
    (applied.folder / "manifest.yaml").write_text(theirs)
    ran = applied.run_on(saved, "apply")
    assert ran.code == 1
    assert "manifest.yaml has changed since the plan was made" in ran.said
    assert (applied.folder / "manifest.yaml").read_text() == theirs


def test_an_edit_whose_plan_no_longer_holds_is_not_written(applied: FakeSite) -> None:
    before = (applied.folder / "manifest.yaml").read_text()
    saved = _planned(applied, _edited(applied))
    applied.run("stop", "-y", "q")
    ran = applied.run_on(saved, "apply")
    assert "the saved plan no longer holds" in ran.said
    assert (applied.folder / "manifest.yaml").read_text() == before


def test_who_asked_by_serve_is_in_the_record_and_the_audit(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XGEN_SERVE_USER", "operator1")
    monkeypatch.setattr("getpass.getuser", lambda: "deploy")
    monkeypatch.setattr("socket.gethostname", lambda: "ops")
    site = make_site(hosts={"h": [q()]})
    site.apply()
    assert site.record()["last_apply"]["by"] == "operator1 via serve, deploy@ops"
