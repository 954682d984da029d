"""`requirements.lock` holds what the tool needs, each by version and hash."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _locked() -> dict[str, str]:
    """Name -> everything that the lock says of it."""
    text = (ROOT / "requirements.lock").read_text()
    parts = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    return {part.split("==")[0]: part for part in parts if "==" in part}


def test_every_dependency_is_locked_by_version_and_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[^A-Za-z0-9._-]", d)[0].lower() for d in project["dependencies"]}
    locked = _locked()
    assert wanted <= locked.keys(), "run `make lock`"
    assert all("--hash=sha256:" in part for part in locked.values())


def test_the_lock_names_no_index() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()
