"""The whole probe, with the vendors' real bindings, against every described fleet."""

import sys
from pathlib import Path

import pytest

from tests.fleets import building
from tests.fleets.described import Fleet, check, fleets
from tests.probe.running import probe, request

FLEETS = fleets()
PACKAGE = building.amdsmi_package()
pytestmark = pytest.mark.skipif(building.COMPILER is None, reason="no C compiler")


def environment(folder: Path, fleet: Fleet) -> dict[str, str]:
    """What a process on a host with this fleet finds: libraries, and a ROCm tree."""
    (folder / "fleet.txt").write_text(fleet.fleet)
    found = {"XGEN_FLEET": str(folder / "fleet.txt"), "PATH": ""}
    if "nvidia" in fleet.libraries:
        building.nvml(folder / "lib", old=fleet.old)
        found["LD_LIBRARY_PATH"] = str(folder / "lib")
    if "amd" in fleet.libraries:
        if PACKAGE is None:
            pytest.skip("needs the package amdsmi")
        building.rocm(
            folder / "rocm", PACKAGE, missing=fleet.missing, library=not fleet.without_library
        )
        found["ROCM_PATH"] = str(folder / "rocm")
    return found


@pytest.mark.parametrize("name", FLEETS)
def test_a_fleet_is_seen_as_it_is(tmp_path: Path, name: str) -> None:
    fleet = FLEETS[name]
    env = environment(tmp_path, fleet)
    facts = probe(request(tmp_path), env=env, python=sys._base_executable)  # type: ignore[attr-defined]
    assert facts.errors == {}
    check(fleet, facts.gpu)
