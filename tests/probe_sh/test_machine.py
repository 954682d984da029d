"""Of the machine the shell says the same as Python does, and of all else that it is unknown."""

from pathlib import Path

import pytest

from tests.probe.running import probe, request
from tests.probe_sh.running import SHELLS, by_shell

MACHINE = (
    "hostname", "arch", "kernel", "os", "boot_id", "user", "uid", "cores", "cpu_model",
    "memory_total_mb",
)  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
def test_the_machine(tmp_path: Path, shell: str) -> None:
    found, other = by_shell(request(tmp_path), shell), probe(request(tmp_path))
    assert {m: getattr(found, m) for m in MACHINE} == {m: getattr(other, m) for m in MACHINE}
    assert (found.probe, found.python) == ("sh", None)
    assert (found.no_python, other.no_python) == ("none here", None)
    assert abs(found.now - other.now) < 60
    assert found.memory_available_mb is not None


def test_nothing_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/record.json").write_text("{}")
    found = by_shell(request(tmp_path, files=["/etc/passwd"], health=True))
    assert found.errors == {"python": "none here"}
    assert found.docker.state == "down"
    assert found.record is None
