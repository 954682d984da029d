"""Events on their way to a host's log: written there, or a sentence; never an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.audit.test_event import SUBJECT
from xgen_deploy.audit.host_log import HostLog
from xgen_deploy.audit.remote.log import check
from xgen_deploy.transport.base import Completed
from xgen_deploy.transport.local import LocalConnection

EVENT = SUBJECT.event(1_800_000_000.0, "ok", host="gpu-a")


class Answers:
    """A host that answers this, whatever it is asked."""

    def __init__(self, code: int, said: str) -> None:
        self._done = Completed(code, said, "boom\n")

    def run(self, *words, **how) -> Completed:  # noqa: ARG002
        return self._done


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"login": 1}',
        '{"login": ["a\\u001b[2J", null, null], "file": null, "journal": null}',
        '{"login": [null, null, "ED25519 SHA256:=cmd\\n"], "file": null, "journal": null}',
    ],
)
def test_a_host_that_answers_nonsense_is_a_sentence(said: str) -> None:
    told, failed = HostLog("gpu-a", Answers(0, said), "/x/audit.jsonl", "python3").write([EVENT])  # type: ignore[arg-type]
    assert told == (EVENT,)
    assert failed is not None
    assert failed.startswith("gpu-a: its audit log could not be written: ")


def test_a_host_that_cannot_run_it_is_a_sentence() -> None:
    _, failed = HostLog("gpu-a", Answers(1, ""), "/x/audit.jsonl", "python3").write([EVENT])  # type: ignore[arg-type]
    assert failed == "gpu-a: its audit log could not be written: boom"


def test_it_is_appended_there_and_a_folder_that_is_gone_stays_so(tmp_path: Path) -> None:
    connection = LocalConnection("gpu-a", python=sys.executable, become="never", password=None)
    there, gone = tmp_path / "audit.jsonl", tmp_path / "gone" / "audit.jsonl"
    with connection.session() as session:
        for path in (there, there, gone):
            _, failed = HostLog("gpu-a", session, str(path), sys.executable).write([EVENT])
            assert failed is None, "with or without a system log"
    lines = there.read_bytes().splitlines()
    assert check(lines) == []
    assert [json.loads(line)["outcome"] for line in lines] == ["ok", "ok"]
    assert not gone.parent.exists()
