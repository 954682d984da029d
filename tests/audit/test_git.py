"""Which manifest it is, by its repository's first commit and its path there."""

import subprocess
from pathlib import Path

import pytest

from xgen_deploy.audit.git import origin_of
from xgen_deploy.state.origin import Origin

NAME = "sites/lotte.yaml"
_AUTHOR = ("-c", "user.name=kim", "-c", "user.email=kim@localhost")


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *_AUTHOR, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "first"
    (folder / "sites").mkdir(parents=True)
    _git(folder, "init", "--quiet")
    (folder / NAME).write_text("project: lotte\n")
    for message in ("one", "two", "three"):
        _git(folder, "add", ".")
        _git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return folder


def test_a_clone_has_the_same_manifest(repository: Path, tmp_path: Path) -> None:
    _git(tmp_path, "clone", "--quiet", "first", "second")
    first, second = (origin_of(str(tmp_path / name / NAME)) for name in ("first", "second"))
    assert first.path == NAME
    assert first.repository is not None
    assert first == second


def test_a_copy_beside_it_is_another_one(repository: Path) -> None:
    copy = origin_of(str(repository / "sites" / "copy.yaml"))
    assert copy.differs_from(origin_of(str(repository / NAME)))


def test_another_repository_with_the_same_path_is_another_one(
    repository: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "sites").mkdir(parents=True)
    _git(other, "init", "--quiet")
    _git(other, "commit", "--quiet", "--allow-empty", "-m", "another beginning")
    assert origin_of(str(other / NAME)).differs_from(origin_of(str(repository / NAME)))


def test_a_shallow_clone_is_told_by_the_name_alone(repository: Path, tmp_path: Path) -> None:
    _git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    shallow = origin_of(str(tmp_path / "shallow" / NAME))
    assert shallow == Origin(path=NAME)
    assert not shallow.differs_from(origin_of(str(repository / NAME)))


@pytest.mark.parametrize("name", ["\udcff.yaml", "가.yaml", "x" * 250 + ".yaml"])
def test_any_name_of_a_file_will_do(repository: Path, name: str) -> None:
    folder = repository / "\udcfe" / "가"
    folder.mkdir(parents=True)
    inside, outside = origin_of(str(folder / name)), origin_of(f"/{name}")
    assert inside.path.startswith("\\udcfe/가/")
    assert not inside.differs_from(outside)
    assert Origin.model_validate_json(inside.model_dump_json()) == inside


def test_outside_git_it_is_the_file_s_name(tmp_path: Path) -> None:
    assert origin_of(str(tmp_path / "lotte.yaml")) == Origin(path="lotte.yaml")
