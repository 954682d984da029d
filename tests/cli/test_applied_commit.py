"""`plan` and `status` say when the manifest is not the commit that was last applied."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.apply.conftest import MakeSite
from tests.fake_host.site import FakeSite
from xgen_deploy.audit import git

REAL_RUN, REAL_POPEN = subprocess.run, subprocess.Popen
NOT_AS = "manifest.yaml is not as in {commit}, the commit that was last applied"


def _git(site: FakeSite, *words: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.net"]
    command = ["git", "-C", str(site.folder), *named, *words]
    return REAL_RUN(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """In Git, committed and applied."""
    site = make_site()
    monkeypatch.setattr(subprocess, "run", REAL_RUN)
    monkeypatch.setattr(subprocess, "Popen", REAL_POPEN)
    git.origin_of.cache_clear()
    _git(site, "init", "--quiet")
    _git(site, "add", "manifest.yaml")
    _git(site, "commit", "--quiet", "-m", "first")
    site.apply()
    site.forget()
    return site


def _told(site: FakeSite, command: str) -> tuple[str, dict[str, object] | None]:
    document = json.loads(site.run(command, "--json").out)
    return site.run(command).said, document["applied_commit"]


@pytest.mark.parametrize("command", ["plan", "status"])
def test_of_the_same_file_nothing_is_said(site: FakeSite, command: str) -> None:
    commit = _git(site, "rev-parse", "--short", "HEAD")
    said, document = _told(site, command)
    assert "last applied" not in said
    assert document == {"commit": commit, "same": True}


@pytest.mark.parametrize("command", ["plan", "status"])
@pytest.mark.parametrize("committed", [False, True])
def test_a_file_that_was_edited_since_is_told(
    site: FakeSite, command: str, committed: bool
) -> None:
    commit = _git(site, "rev-parse", "--short", "HEAD")
    site.change(lambda m: m.update({"x-note": "edited"}))
    if committed:
        _git(site, "commit", "--quiet", "-am", "second")
    said, document = _told(site, command)
    assert NOT_AS.format(commit=commit) in said
    assert document == {"commit": commit, "same": False}


def test_an_apply_of_what_was_not_committed_is_told(site: FakeSite) -> None:
    commit = _git(site, "rev-parse", "--short", "HEAD")
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    site.apply()
    assert (
        f"last applied with changes to {commit} that were not committed" in _told(site, "plan")[0]
    )


def test_outside_of_git_nothing_is_said(make_site: MakeSite) -> None:
    site = make_site()
    site.apply()
    said, document = _told(site, "plan")
    assert "last applied" not in said
    assert document is None
