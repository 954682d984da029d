"""Two operators cannot collide: one apply goes on, the others are told by whom the host is held."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.lab import engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.process import wait_until
from tests.lab.site import Site, alone

HOST = "lab-spare"
PROJECT = "t_locks"
PLACE = "/srv/locks"
# An engine that starts when it is let: until then its apply holds the lock, however fast it is.
ENGINE = f"""#!/bin/sh
case $* in *--help*) exec {places.ENGINE} --help;; esac
until [ -e {PLACE}/go ]; do sleep 0.1; done
exec {places.ENGINE} "$@"
"""
OWNER = r"by \S+@\S+, pid \d+, since [\d-]+ [\d:]+ [+-]\d+, doing apply"
MANY = 20


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        found.run(["mkdir", "-p", PLACE])
        found.run(["sh", "-c", f"cat > {PLACE}/engine; chmod 755 {PLACE}/engine"], stdin=ENGINE)
        yield found
        found.run(["rm", "-r", PLACE])


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = _operator(tmp_path_factory.mktemp("first"), 256)
    yield found
    _let(host)
    assert found.run("destroy", "-y").code == 0


def _operator(folder: Path, n_ctx: int) -> Site:
    """Everybody has a manifest of their own for the same project."""
    folder.mkdir(exist_ok=True)
    site = Site(folder, PROJECT, ports="8111-8112", models={"tiny": engine_site.tiny()})
    site.serve(HOST, "tiny", n_ctx=n_ctx, binary=f"{PLACE}/engine")
    return site


def _hold(host: LabHost) -> None:
    host.run(["rm", "-f", f"{PLACE}/go"])


def _let(host: LabHost) -> None:
    host.run(["touch", f"{PLACE}/go"])


def _until_said(process: subprocess.Popen[str], kind: str, text: str) -> None:
    """Reads `apply --json` up to that event."""
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(line)
        event = json.loads(line) if line.startswith("{") else {"kind": "", "text": ""}
        if event["kind"] == kind and text in event["text"]:
            return
    raise AssertionError(f"no {kind} {text!r} in: {''.join(heard)}")


def _history(site: Site) -> list[dict[str, Any]]:
    """This host's applies, oldest first."""
    done = site.run("history", "--json")
    assert done.code == 0, done.said
    return [one["hosts"][HOST] for one in reversed(done.json()["applies"])]


def _served(host: LabHost) -> int:
    """The context that the engine which runs was started with."""
    pid = host.sh(f"systemctl show -P MainPID xgen-{PROJECT}-tiny.service")
    words = host.sh(f"tr '\\0' '\\n' < /proc/{pid}/cmdline").splitlines()
    return int(words[words.index("--ctx-size") + 1])


def test_of_twenty_applies_one_goes_on_and_the_others_are_told(
    host: LabHost, site: Site, tmp_path: Path
) -> None:
    _hold(host)
    sites = [_operator(tmp_path / str(n), 64 * n) for n in range(1, MANY + 1)]
    running = {one.folder: one.start("apply", "-y") for one in sites}
    wait_until(lambda: _ended(running) == MANY - 1, "all but one to end", 240)
    _let(host)
    said = {folder: process.communicate(timeout=60)[0] for folder, process in running.items()}
    codes = {folder: process.returncode for folder, process in running.items()}
    assert sorted(codes.values()) == [0, *[5] * (MANY - 1)], [
        said[folder] for folder, code in codes.items() if code not in (0, 5)
    ]
    (winner,) = (one for one in sites if codes[one.folder] == 0)
    owners = set()
    for folder in codes.keys() - {winner.folder}:
        told = re.search(f"{HOST}: another apply has the lock: ({OWNER})", said[folder])
        assert told, said[folder]
        owners.add(told[1])
    assert len(owners) == 1, owners
    assert [(a["number"], a["outcome"]) for a in _history(site)] == [(1, "ok")]
    assert _served(host) == winner.placements[HOST][0]["n_ctx"]
    winner.plan(0)


def _ended(running: dict[Path, subprocess.Popen[str]]) -> int:
    return sum(process.poll() is not None for process in running.values())


def test_an_apply_that_waits_says_for_whom_and_then_goes_on(
    host: LabHost, site: Site, tmp_path: Path
) -> None:
    _hold(host)
    first, second = _operator(tmp_path / "a", 1344), _operator(tmp_path / "b", 1408)
    holding = first.start("apply", "-y", "--json")
    _until_said(holding, "progress", "loading the model")
    waiting = second.start("apply", "-y", "--json", "--lock-wait", "120")
    _until_said(waiting, "progress", "waiting up to 120 s: another apply has the lock: by ")
    _let(host)
    for process in (holding, waiting):
        rest = process.communicate(timeout=60)[0]
        assert process.returncode == 0, rest
    applies = _history(site)
    assert [a["number"] for a in applies] == list(range(1, len(applies) + 1))
    assert {a["outcome"] for a in applies} == {"ok"}
    assert all(a["ended"] <= b["began"] for a, b in pairwise(applies))
    assert _served(host) == 1408
    second.plan(0)


def test_a_killed_owner_s_lock_frees_itself(host: LabHost, site: Site, tmp_path: Path) -> None:
    _hold(host)
    killed, after = _operator(tmp_path / "a", 1472), _operator(tmp_path / "b", 1536)
    process = killed.start("apply", "-y", "--json")
    _until_said(process, "progress", "loading the model")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    _let(host)
    wait_until(lambda: after.run("apply", "-y").code == 0, "an apply to go on", 60)
    applies = _history(site)
    assert [a["number"] for a in applies] == list(range(1, len(applies) + 1))
    assert [a["outcome"] for a in applies[-2:]] == ["interrupted", "ok"]
    assert _served(host) == 1536
    after.plan(0)
