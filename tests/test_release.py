"""A release is refused before anything is built where it would not say what it is."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATED = "## [0.3.0] - 2026-01-31\n"


def _git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "release", tmp_path / "scripts")
    (tmp_path / "xgen_deploy").mkdir()
    (tmp_path / "xgen_deploy" / "__init__.py").write_text('__version__ = "0.3.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(DATED)
    _git(tmp_path, "init", "--quiet")
    return tmp_path


def _refusal(checkout: Path) -> str:
    words = [checkout / "scripts" / "release"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert not (checkout / "dist").exists()
    return done.stderr


@pytest.mark.parametrize("left", ["CHANGELOG.md", "notes.txt"])
def test_a_tree_with_uncommitted_changes_is_not_released(checkout: Path, left: str) -> None:
    _git(checkout, "add", ".")
    _git(checkout, "commit", "--quiet", "--message", "all")
    (checkout / left).write_text("changed\n")
    assert "changes that are not committed" in _refusal(checkout)


@pytest.mark.parametrize(
    "changelog", ["## [Unreleased]\n", "## [0.3.0]\n", "## [0x3.0] - 2026-01-31\n"]
)
def test_a_version_that_the_changelog_does_not_date_is_not_released(
    checkout: Path, changelog: str
) -> None:
    (checkout / "CHANGELOG.md").write_text(changelog)
    _git(checkout, "add", ".")
    _git(checkout, "commit", "--quiet", "--message", "all")
    assert "CHANGELOG.md has no line `## [0.3.0] - YYYY-MM-DD`" in _refusal(checkout)
