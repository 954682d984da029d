"""A manifest in Git: an edit is a commit of the user's, a proposal a branch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.serve.changing import APPLIES, apply, ask, changing, reason, runner_of, text_of
from tests.serve.conftest import Serve, Served
from xgen_deploy.audit import git
from xgen_deploy.serve.settings import Asked

REAL_RUN, REAL_POPEN = subprocess.run, subprocess.Popen


def _git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.net"]
    command = ["git", "-C", str(folder), *named, *words]
    return REAL_RUN(command, capture_output=True, text=True, check=True).stdout.strip()


def _in_git(serve: Serve, monkeypatch: pytest.MonkeyPatch, asked: Asked = APPLIES) -> Served:
    served = changing(serve, asked=asked)
    monkeypatch.setattr(subprocess, "run", REAL_RUN)
    monkeypatch.setattr(subprocess, "Popen", REAL_POPEN)
    git.origin_of.cache_clear()
    folder = served.site.folder
    _git(folder, "init", "--quiet")
    _git(folder, "add", "manifest.yaml")
    _git(folder, "commit", "--quiet", "-m", "first")
    return served


def test_an_edit_is_a_commit_of_the_user_s_which_is_what_was_applied(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = _in_git(serve, monkeypatch)
    browser, folder = served.by_link(), served.site.folder
    change = ask(browser, "load", model="q", host="h", n_ctx=8192)
    assert _git(folder, "rev-list", "--count", "HEAD") == "1"
    assert apply(browser, change)["state"] == "applied", runner_of(served).said
    author, subject = _git(folder, "show", "-s", "--format=%an|%s").split("|")
    assert author.endswith(" via xgen-deploy serve")
    assert subject == "load q on h"
    assert _git(folder, "status", "--porcelain", "--untracked-files=no") == ""
    head = _git(folder, "rev-parse", "--short", "HEAD")
    assert served.site.record()["last_apply"]["git"] == head
    assert "last applied" not in served.site.run("status").said


def test_a_checkout_with_other_changes_is_looked_after_first(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = _in_git(serve, monkeypatch)
    browser = served.by_link()
    served.site.change(lambda m: m.update({"x-note": "mine"}))
    answer = ask(browser, "load", 409, model="q", host="h", n_ctx=8192)
    assert "changes that are not committed (manifest.yaml)" in reason(answer)
    change = ask(browser, "action", host="h", name="q", action="restart")
    assert apply(browser, change)["state"] == "applied"  # it edits nothing


def test_a_proposal_is_a_branch(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = _in_git(serve, monkeypatch, Asked(changes="propose"))
    browser, before = served.by_link(), text_of(served)
    change = ask(browser, "load", model="q", host="h", n_ctx=8192)
    done = browser.post(
        f"/api/changes/{change['id']}/apply",
        json={"fingerprint": change["fingerprint"], "name": change["confirm"]},
    ).json()
    assert (done["state"], done["patch"]) == ("proposed", None)
    assert "n_ctx: 8192" in _git(served.site.folder, "show", f"{done['branch']}:manifest.yaml")
    assert text_of(served) == before
