"""What was edited by hand is sent with its lines, and nothing that is not the project's own."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.probe.running import probe, request
from xgen_deploy.probe.remote import edited
from xgen_deploy.state.facts import EditedFile


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for folder in ("etc/q", "state"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def _recorded(host: Path, files: dict[str, str]) -> dict[str, EditedFile]:
    record = {"instances": {"q": {"files": files}}, "gateway": {"files": {}}}
    (host / "state/record.json").write_text(json.dumps(record))
    return {file.path: file for file in probe(request(host)).edited}


def test_what_differs_is_sent_with_its_lines(host: Path) -> None:
    same, other, gone = (str(host / f"etc/q/{name}") for name in ("same", "other", "gone"))
    Path(same).write_text("a=b\n")
    Path(other).write_text("a=b\n\x1b[2Jc\td\n")
    found = _recorded(host, {same: _sha("a=b\n"), other: _sha("a=b\n"), gone: _sha("")})
    assert found.keys() == {other, gone}
    assert found[other].lines == ("a=b", "\x1b[2Jc\\td", "")
    assert (found[gone].exists, found[gone].lines) == (False, None)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"x" * (edited.BYTES + 1)], ids=["no text", "too long"]
)
def test_what_is_no_text_or_too_long_is_only_named(content: bytes, host: Path) -> None:
    path = host / "etc/q/env"
    path.write_bytes(content)
    found = _recorded(host, {str(path): _sha("")})[str(path)]
    assert (found.exists, found.lines) == (True, None)


def test_no_file_but_the_projects_own_is_opened(host: Path) -> None:
    victim = host / "victim"
    victim.write_text("secret\n")
    (host / "etc/q/link").symlink_to(victim)
    os.mkfifo(host / "etc/q/pipe")
    paths = [victim, host / "etc/q/../../victim", host / "etc/q/link", host / "etc/q/pipe"]
    found = _recorded(host, {str(path): _sha("") for path in paths})
    assert {Path(path).name for path in found} == {"link", "pipe"}
    assert all(file.lines is None for file in found.values())


@pytest.mark.parametrize("record", ["", "[]", '{"instances": 1}', '{"instances": {"q": []}}'])
def test_a_record_that_cannot_be_read_names_nothing(record: str, host: Path) -> None:
    (host / "state/record.json").write_text(record)
    facts = probe(request(host))
    assert facts.edited == ()
    assert "edited" not in facts.errors
