"""A saved plan is carried out as it is, or refused with what has changed since it was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import engine_site, places
from tests.lab.conftest import Lab
from tests.lab.files import FileEntry
from tests.lab.host import LabHost
from tests.lab.site import Ran, Site, alone

HOST = "lab-spare"
PROJECT = "t_saved"
UNIT = f"xgen-{PROJECT}-tiny.service"
PLACE = "/srv/saved"
MODEL = f"{PLACE}/tiny.gguf"
ENGINE = f"{PLACE}/engine"
FOREIGN = 8118  # of the site's own
TOLD = (f"/var/lib/xgen-deploy/{PROJECT}/audit.jsonl",)


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        found.sh(
            f"mkdir -p {PLACE}; cp {engine_site.TINY} {MODEL};"
            f" printf '#!/bin/sh\\nexec {places.ENGINE} \"$@\"\\n' > {ENGINE}; chmod 755 {ENGINE}"
        )
        yield found
        found.run(["rm", "-r", PLACE])


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One instance that serves, whose manifest asks for another context from then on."""
    found = _site(tmp_path_factory.mktemp("saved"), PROJECT)
    found.apply()
    found.placements[HOST][0]["n_ctx"] = 512
    yield found
    assert found.run("destroy", "-y").code == 0


def _site(folder: Path, project: str) -> Site:
    site = Site(folder, project, ports="8111-8118", models={"tiny": engine_site.tiny(source=MODEL)})
    site.serve(HOST, "tiny", binary=ENGINE, n_ctx=256)
    return site


def _save(site: Site) -> Path:
    file = site.folder / "plan.json"
    assert site.run("plan", "-o", str(file)).code == 0
    return file


def _apply_file(site: Site, file: Path) -> Ran:
    """`apply FILE` takes no manifest."""
    return site.run_on(file, "apply")


def _state(host: LabHost) -> tuple[frozenset[FileEntry], str]:
    """The files, and which start of the engine runs. That it was refused is told in the log."""
    return host.files(TOLD), host.sh(f"systemctl show -P InvocationID,ActiveState {UNIT}")


def _refused(host: LabHost, site: Site, file: Path) -> str:
    """What it said; nothing was changed."""
    before = _state(host)
    done = _apply_file(site, file)
    assert done.code == 1, done.said
    assert _state(host) == before
    return done.said


EDITED = f"/etc/systemd/system/{UNIT}"
CHANGES: dict[str, tuple[str, str, str]] = {
    "stopped": (
        f"systemctl stop {UNIT}",
        f"systemctl start {UNIT}",
        f"{UNIT} was active, file ",
    ),
    "unit edited": (
        f"cp -a {EDITED} {PLACE}/unit; echo '# by hand' >> {EDITED}",
        f"mv {PLACE}/unit {EDITED}",
        f"{UNIT} was active, file ",
    ),
    "model replaced": (
        f"mv {MODEL} {PLACE}/kept; cp {PLACE}/kept {MODEL}",
        f"mv {PLACE}/kept {MODEL}",
        f"model {MODEL} was file ",
    ),
    "engine replaced": (
        f"mv {ENGINE} {PLACE}/kept; cp -a {PLACE}/kept {ENGINE}",
        f"mv {PLACE}/kept {ENGINE}",
        f"engine llama-server-cpu {ENGINE} was ",
    ),
    "port taken": (
        f"systemd-run --quiet --unit=t-foreign python3 -m http.server --bind 127.0.0.1 {FOREIGN};"
        f" until curl -s http://127.0.0.1:{FOREIGN}/ > /dev/null; do sleep 0.1; done",
        "systemctl stop t-foreign.service",
        f"port {FOREIGN} is new: in use",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_done_on_the_host_meanwhile_refuses_it(
    host: LabHost, site: Site, what: str
) -> None:
    change, undo, told = CHANGES[what]
    file = _save(site)
    host.sh(change)
    try:
        said = _refused(host, site, file)
    finally:
        host.sh(undo)
    assert "refused: the saved plan no longer holds" in said
    assert f"  {HOST}: {told}" in said
    assert "Make a new one with `xgen-deploy plan -o FILE`" in said


def test_another_manifest_refuses_it(host: LabHost, site: Site) -> None:
    file = _save(site)
    site.placements[HOST][0]["n_ctx"] = 768
    site.write()
    try:
        said = _refused(host, site, file)
    finally:
        site.placements[HOST][0]["n_ctx"] = 512
        site.write()
    assert f"{site.manifest} or its inventory has changed since the plan was saved" in said
    assert _save(site)


def test_it_is_carried_out_once(host: LabHost, site: Site) -> None:
    """Without a question; after that it is an apply in between for itself."""
    file = _save(site)
    shown = site.run_on(file, "show").stdout
    assert "n_ctx  256 -> 512" in shown
    done = _apply_file(site, file)
    assert done.code == 0, done.said
    assert engine_site.status(site)["context_length"] == 512
    site.plan(0)
    said = _refused(host, site, file)
    assert f"{HOST}: the newest apply was #1, revision " in said


def test_the_plan_of_an_empty_host_is_refused_when_it_is_not_empty_any_more(
    host: LabHost, tmp_path: Path
) -> None:
    first = _site(tmp_path, "t_saved_empty")
    file = _save(first)
    first.apply()
    try:
        said = _apply_file(first, file)
        assert said.code == 1
        assert f"{HOST}: the newest apply was none; now it is #1, revision " in said.said
    finally:
        assert first.run("destroy", "-y").code == 0
    # Nothing is there again, as when it was made.
    assert _apply_file(first, file).code == 0
    assert first.run("destroy", "-y").code == 0
