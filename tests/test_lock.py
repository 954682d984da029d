"""What is installed is written down: by version and hash, for each purpose in one file."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": PROJECT["dependencies"],
    "requirements-dev.lock": PROJECT["dependencies"] + EXTRAS["dev"],
    "requirements-bench.lock": PROJECT["dependencies"] + EXTRAS["bench"],
}


def _entries(lock: str) -> list[str]:
    """One text for each locked package: version, marker and hashes."""
    text = (ROOT / lock).read_text()
    return [p for p in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE) if p.strip()]


def _versions(lock: str) -> dict[str, set[str]]:
    """Name -> its versions; some have one for older and one for newer Pythons."""
    versions: dict[str, set[str]] = {}
    for entry in _entries(lock):
        name, _, rest = entry.partition("==")
        versions.setdefault(canonicalize_name(name), set()).add(rest.split()[0])
    return versions


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_locked_within_its_bounds(lock: str) -> None:
    versions = _versions(lock)
    for text in LOCKS[lock]:
        requirement = Requirement(text)
        locked = versions.get(canonicalize_name(requirement.name), set())
        assert locked, f"{lock} lacks {requirement.name}: run `make lock`"
        assert all(requirement.specifier.contains(v) for v in locked), f"{text}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_names_no_index(lock: str) -> None:
    assert all("--hash=sha256:" in entry for entry in _entries(lock))
    assert "://" not in (ROOT / lock).read_text()


def test_development_has_the_versions_that_users_install() -> None:
    development = _versions("requirements-dev.lock")
    runtime = _versions("requirements.lock")
    assert {name: development.get(name) for name in runtime} == runtime
