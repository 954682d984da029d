from pathlib import Path

import pytest

from tests.probe.running import probe, request
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.probe.observe import read_document

REFUSALS = {
    b'{"error": "python-incomplete", "missing": "shutil", "python": "3.11"}': (
        "gpu-a: its python3 (3.11) lacks the module shutil",
        "apt-get install python3",
    ),
    b'{"error": "python-old", "missing": "3.8", "python": "3.6"}': (
        "gpu-a: its python3 is 3.6, but 3.8 or newer is required",
        "ansible_python_interpreter",
    ),
    b'{"error": "KeyError", "missing": "x"}': ("gpu-a: the probe failed: KeyError: x", ""),
}


@pytest.mark.parametrize("document", REFUSALS)
def test_a_host_that_cannot_run_the_probe_gets_a_hint(document: bytes) -> None:
    with pytest.raises(UnreachableError) as refused:
        read_document("gpu-a", document)
    for part in REFUSALS[document]:
        assert part in str(refused.value)


def test_an_answer_that_makes_no_sense_is_our_fault() -> None:
    with pytest.raises(XgenError, match="gpu-a: the probe's answer cannot be read: hostname"):
        read_document("gpu-a", b'{"probe": "python"}')


def test_the_machine_id_itself_stays_on_the_host(tmp_path: Path) -> None:
    """What is told is the same at each look; machine-id(5) asks to keep the ID."""
    file = Path("/etc/machine-id")
    if not file.exists() or len(file.read_text().strip()) != 32:
        pytest.skip("this machine has no ID")
    told = probe(request(tmp_path)).machine_id
    assert told == probe(request(tmp_path)).machine_id
    assert (told is not None, told != file.read_text().strip()) == (True, True)
