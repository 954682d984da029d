"""Whoever reads what an apply says may go away: the change is finished all the same."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.lab.site import Site


@pytest.mark.parametrize("also", [None, signal.SIGHUP], ids=["head", "a closed terminal"])
def test_a_reader_that_goes_away_ends_no_apply(site: Site, also: signal.Signals | None) -> None:
    applying = site.start("apply", "-y")
    assert applying.stdout is not None
    assert applying.stdout.readline()
    applying.stdout.close()
    if also is not None:
        applying.send_signal(also)
    assert applying.wait(120) == 0
    site.plan(0)


def test_a_full_disk_behind_the_output_is_a_sentence_where_nothing_is_changed(site: Site) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            site.argv("plan"),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=site.environment(),
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr
