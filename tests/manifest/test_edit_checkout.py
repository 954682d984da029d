"""Edits of a manifest that is in Git."""

import subprocess
from pathlib import Path

import pytest

from xgen_deploy.errors import XgenError
from xgen_deploy.manifest.edit.checkout import (
    Checkout,
    Commit,
    checkout_of,
    commit_file,
    commit_on_branch,
    why_not_editable,
)

OPERATOR = Commit("operator1", "gpu-01: n_ctx of q")


def _git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.net"]
    done = subprocess.run(
        ["git", "-C", str(folder), *named, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    (folder / "sites").mkdir(parents=True)
    (folder / "sites/site.yaml").write_text("project: p\n")
    (folder / "other.txt").write_text("a\n")
    (folder / ".gitignore").write_text("own.yaml\n")
    _git(folder, "init", "--quiet", "-b", "main")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "-m", "first")
    return folder


@pytest.fixture
def clone(upstream: Path, tmp_path: Path) -> Path:
    _git(tmp_path, "clone", "--quiet", str(upstream), "clone")
    return tmp_path / "clone"


def _checkout(folder: Path) -> Checkout:
    checkout = checkout_of(str(folder / "sites/site.yaml"))
    assert checkout is not None
    return checkout


def test_a_clean_checkout_may_be_edited(clone: Path) -> None:
    checkout = _checkout(clone)
    assert checkout == Checkout(clone, "sites/site.yaml")
    assert why_not_editable(checkout) == ""


def test_what_is_not_committed_comes_first(clone: Path) -> None:
    (clone / "other.txt").write_text("b\n")
    assert "changes that are not committed (other.txt)" in why_not_editable(_checkout(clone))


def test_a_checkout_behind_its_upstream_is_pulled_first(upstream: Path, clone: Path) -> None:
    (upstream / "other.txt").write_text("b\n")
    _git(upstream, "commit", "--quiet", "-am", "second")
    assert "1 commits behind its upstream; pull first" in why_not_editable(_checkout(clone))


def test_an_upstream_that_does_not_answer_keeps_nobody(upstream: Path, clone: Path) -> None:
    upstream.rename(upstream.parent / "gone")
    assert why_not_editable(_checkout(clone)) == ""


def test_a_manifest_that_git_does_not_know_is_committed_first(clone: Path) -> None:
    (clone / "new.yaml").write_text("project: p\n")
    checkout = checkout_of(str(clone / "new.yaml"))
    assert checkout is not None
    assert why_not_editable(checkout) == "new.yaml is not in Git yet; commit it first"


def test_outside_of_git_and_ignored_by_it_is_no_checkout(clone: Path, tmp_path: Path) -> None:
    (clone / "own.yaml").write_text("project: p\n")
    assert checkout_of(str(clone / "own.yaml")) is None
    assert checkout_of(str(tmp_path / "site.yaml")) is None


def test_an_edit_is_a_commit_of_the_user_s_and_of_this_file_alone(clone: Path) -> None:
    (clone / "sites/site.yaml").write_text("project: q\n")
    (clone / "other.txt").write_text("b\n")
    name = commit_file(_checkout(clone), OPERATOR)
    assert _git(clone, "rev-parse", "--short", "HEAD") == name
    assert _git(clone, "show", "--format=%an|%s", "--name-only").splitlines() == [
        "operator1 via xgen-deploy serve|gpu-01: n_ctx of q",
        "",
        "sites/site.yaml",
    ]
    assert _git(clone, "status", "--porcelain") == "M other.txt"


def test_a_proposal_is_a_branch_and_the_tree_stays(clone: Path) -> None:
    checkout = _checkout(clone)
    commit_on_branch(checkout, b"project: q\n", "xgen/operator1/1", OPERATOR)
    assert _git(clone, "show", "xgen/operator1/1:sites/site.yaml") == "project: q"
    assert _git(clone, "show", "xgen/operator1/1:other.txt") == "a"
    assert (clone / "sites/site.yaml").read_text() == "project: p\n"
    assert _git(clone, "status", "--porcelain") == ""
    assert _git(clone, "branch", "--show-current") == "main"


def test_a_branch_that_is_there_is_not_overwritten(clone: Path) -> None:
    commit_on_branch(_checkout(clone), b"project: q\n", "proposal", OPERATOR)
    with pytest.raises(XgenError, match="git update-ref failed"):
        commit_on_branch(_checkout(clone), b"project: r\n", "proposal", OPERATOR)
    assert _git(clone, "show", "proposal:sites/site.yaml") == "project: q"
