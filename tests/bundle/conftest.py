"""Where bundles are made."""

import zipfile
from pathlib import Path

import pytest

from tests.bundle.made import Outside
from tests.cli.call import Capsys
from xgen_deploy import __version__

TOOL = "xgen_deploy"


@pytest.fixture
def outside(capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Outside(capsys, tmp_path)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Of a tool that needs one thing."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, TOOL, __version__, requires="needed>=1")
    wheel(folder, "needed", "1.5")
    return folder


def wheel(folder: Path, name: str, version: str, requires: str = "") -> Path:
    """A module of this name that says its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", metadata + "License-Expression: MIT\n" + needs)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
