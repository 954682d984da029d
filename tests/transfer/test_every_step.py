"""Whatever step a transfer ends at, the next one goes on, and nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.transfer.rig import CHUNK, MODEL, Rig
from xgen_deploy.state.transfer import Link, Text, TransferRequest
from xgen_deploy.transfer.remote.brought import brought

_MORE_THAN_THERE_ARE = 150


def _request(rig: Rig, host: str) -> TransferRequest:
    folder = rig.place(host).parent
    link = Link(path=str(folder / "snapshots/c" / MODEL), target=f"../../{MODEL}")
    text = Text(path=str(folder / "refs/main"), content="c" * 40)
    return rig.request(host, links=(link,), texts=(text,))


@pytest.mark.parametrize("fault", ["killed", "full"])
def test_the_next_one_goes_on(rig: Rig, fault: str) -> None:
    rig.data = rig.data[: CHUNK + 1000]
    next(iter(rig.hub.repositories.values())).files[MODEL] = rig.data
    hosts = [str(number) for number in range(1, _MORE_THAN_THERE_ARE)]
    lines = "".join(json.dumps(asdict(_request(rig, host))) + "\n" for host in hosts)
    argv = [sys.executable, "-m", "tests.transfer.stepwise", fault, str(CHUNK)]
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, check=True)
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert 30 < len(steps) < len(hosts)
    for host, step in zip(hosts, steps, strict=False):
        assert not step["half"], host
        assert step["second"][-1] == "done", (host, step)
        _is_whole(rig, rig.place(host), host)


def _is_whole(rig: Rig, place: Path, step: str) -> None:
    """All of it, and nothing else."""
    folder, notes = place.parent, f".xgen/files/{place.stat().st_ino}"
    assert place.read_bytes() == rig.data
    assert (folder / "snapshots/c" / MODEL).read_bytes() == rig.data
    assert (folder / "refs/main").read_text() == "c" * 40
    assert [note["place"] for note in brought(str(folder))] == [str(place)]
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    due = {MODEL, f"snapshots/c/{MODEL}", "refs/main", f"{notes}.json", f"{notes}.chunks"}
    assert names == due, f"step {step}"
