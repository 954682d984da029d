"""`audit:` in a manifest."""

from pathlib import Path
from typing import Any

import pytest

from tests.secrets.test_resolver import site
from xgen_deploy.errors import XgenError


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (True, True),
        ("yes", True),
        ("logs.example.net", "logs.example.net"),
        ("10.0.0.7:1514", "10.0.0.7:1514"),
        ("/dev/log", "/dev/log"),
    ],
)
def test_syslog_is_this_machine_s_or_an_address(stated: Any, kept: Any, tmp_path: Path) -> None:
    found = site(tmp_path, audit={"syslog": stated}).audit
    assert found is not None
    assert found.syslog == kept


@pytest.mark.parametrize("stated", ["logs:0", "logs:70000", "tcp://logs", "a b", ""])
def test_another_is_refused_with_what_is_allowed(stated: str, tmp_path: Path) -> None:
    with pytest.raises(XgenError, match="HOST:PORT"):
        site(tmp_path, audit={"syslog": stated})


def test_a_file_is_relative_to_the_manifest(tmp_path: Path) -> None:
    found = site(tmp_path, audit={"file": "audit/p.jsonl"}).audit
    assert found is not None
    assert found.file == str(tmp_path / "audit/p.jsonl")
