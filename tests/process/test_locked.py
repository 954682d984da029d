"""What goes on while somebody else has the host's lock, and what does not."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.site import Site
from tests.process.conftest import HERE

OWNER = {
    "by": "kim@ops",
    "since": "2026-02-25 21:03:10 +0000",
    "doing": "apply",
    "pid": str(os.getpid()),
}


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """By an apply that is at work, as it looks to everybody else."""
    path = state / "xgen-deploy/t_process/lock"
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(json.dumps(OWNER))
        file.flush()
        yield


def test_an_apply_with_nothing_to_do_asks_for_no_lock(site: Site, state: Path) -> None:
    site.apply()
    with _locked(state):
        idle = site.run("apply", "-y")
        assert (idle.code, "nothing to do" in idle.said) == (0, True), idle.said
        lock = site.run("status", "--json").json()["hosts"][HERE]["lock"]
        assert lock["by"] == "kim@ops"
        said = site.run("status").said
        assert re.search(r"locked by kim@ops since 2026-02-2\d \d\d:03:10 \(apply\)", said), said
        site.models["tiny"]["n_ctx"] = 320
        held = site.run("apply", "-y")
        assert held.code == 5
        assert "another apply has the lock: by kim@ops" in held.said
    assert site.run("status", "--json").json()["hosts"][HERE]["lock"] is None
