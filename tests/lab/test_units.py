"""How units behave when what they run ends: what is told, and what comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, alone

HOST = "lab-spare"
PLACE = "/srv/units"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        found.sh(f"mkdir -p {PLACE}")
        yield found
        found.sh(f"rm -r {PLACE}")


def _stand_in(host: LabHost, name: str, script: str) -> str:
    """An engine that says what the real one can do, and then does something else."""
    path = f"{PLACE}/{name}"
    text = f"#!/bin/sh\ncase $* in *--help*) exec {places.ENGINE} --help;; esac\n{script}\n"
    host.run(["sh", "-c", f"cat > {path}; chmod 755 {path}"], stdin=text)
    return path


def test_what_an_engine_printed_before_it_died_at_once_is_in_every_report(
    host: LabHost, tmp_path: Path
) -> None:
    site = Site(tmp_path, "tu_words", ports="8161-8170")
    engine = _stand_in(host, "dies", 'echo "dying words of $4"; kill -ILL $$')
    names = [f"m{n}" for n in range(10)]
    for name in names:
        site.models[name] = engine_site.tiny(binary=engine)
        site.serve(HOST, name)
    try:
        done = site.run("apply", "-y")
        assert done.code == 1, done.said
        for name in names:
            said = done.stdout[done.stdout.index(f"FAILED  {HOST}/{name} ") :]
            told, log, *_ = said.splitlines()
            assert "it ended: killed by SIGILL (illegal instruction): this build needs" in told
            assert log.strip() == f"dying words of {name}"
    finally:
        assert site.run("destroy", "-y").code == 0
