"""The newcomer's path of docs/tutorial.md, word by word, on a host of the lab."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from tests.lab.walkthrough import missing_line, walk

ROOT = Path(__file__).resolve().parents[2]
HOST = "lab-spare"


@pytest.fixture
def env(lab: Lab, tmp_path: Path) -> dict[str, str]:
    """A newcomer's home: SSH knows the host `gpu-a`, and pip has what this environment has."""
    address = lab.host(HOST).address
    config = tmp_path / ".ssh/config"
    config.parent.mkdir(mode=0o700)
    known = tmp_path / ".ssh/known_hosts"
    keys = lab.known_hosts.read_text()
    known.write_text("".join(f"gpu-a,{line}\n" for line in keys.splitlines() if address in line))
    config.write_text(
        f"Host gpu-a\n  HostName {address}\n  User deploy\n  IdentityFile {lab.key}\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
    )
    (tmp_path / "bin").mkdir()
    _program(tmp_path / "bin/ssh", f'exec /usr/bin/ssh -F {config} "$@"')
    _program(tmp_path / "bin/python3", f'{sys.executable} "$@" && {_packages_of_this(tmp_path)}')
    return {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "120",
        "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip spells "no isolation" in a variable
        "USER": os.environ.get("USER", "root"),
    }


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _packages_of_this(home: Path) -> str:
    """Nothing is fetched: the new environment sees the packages of the one that runs the tests."""
    site = f"{home}/xgen/lib/python{sysconfig.get_python_version()}/site-packages"
    return f"echo {sysconfig.get_path('purelib')} > {site}/tests.pth"


def test_every_command_does_what_the_page_says(env: dict[str, str]) -> None:
    page = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    wrong = [
        f"$ {step.command}\nlacks: {missing}\nprints:\n{printed}"
        for step, printed in walk(page, ROOT, env)
        if (missing := missing_line(step, printed)) is not None
    ]
    assert wrong == [], "\n\n".join(wrong)
