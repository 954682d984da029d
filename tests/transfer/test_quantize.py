"""A file is made beside its place, proved, and only then gets its name. The quantizer is a script:
tests/lab has the real one."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.probe.gguf_writer import KEYS, Keys, gguf
from xgen_deploy.transfer.remote.gguf_type import NotGGUF, file_type
from xgen_deploy.transfer.remote.quantize import NotMade, make

Q8_0 = 7
NOTE = {"recipe": "r" * 64, "of": "s" * 64, "by": "b1"}
COPIES = 'cp "$3" "$4"'


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="xgen-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Making:
    """A source, and a quantizer of these lines of shell: its arguments are --max-buffer-size, 64,
    the source, the result, the type and the threads."""

    def __init__(self, place: Path, does: str, number: int = Q8_0) -> None:
        self.root = place
        self.told: list[tuple[str, Any]] = []
        self.source, self.program = place / "m-F16.gguf", place / "llama-quantize"
        keys: Keys = {**KEYS, "general.file_type": number}
        self.source.write_bytes(gguf(keys))
        self.program.write_text(f"#!/bin/sh\n{does}\n")
        self.program.chmod(0o755)
        self.result = place / "xgen/quantized/k/m-Q8_0-r.gguf"
        self.request: dict[str, Any] = {
            "program": str(self.program),
            "source": str(self.source),
            "sha256": {},
            "place": str(self.result),
            "file_type": "Q8_0",
            "number": Q8_0,
            "size": 1000,
            "threads": 2,
            "slab": 64,
            "requantizes": False,
            "engine": None,
            "as_login": False,
            "note": NOTE,
        }

    def make(self) -> None:
        make(self.request, str(self.root), "m as Q8_0", self.tell)

    def tell(self, event: str, **more: Any) -> None:
        self.told.append((event, more))

    @property
    def left(self) -> list[str]:
        folder = self.result.parent
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    @property
    def note(self) -> dict[str, Any]:
        inode = self.result.stat().st_ino
        return dict(json.loads((self.root / f".xgen/files/{inode}.json").read_text()))


def test_it_gets_its_name_with_a_note_of_what_it_is(place: Path) -> None:
    making = Making(place, COPIES + '; [ "$5 $6" = "Q8_0 2" ]')
    making.make()
    content = making.source.read_bytes()
    assert making.result.read_bytes() == content
    status = making.result.stat()
    assert (status.st_uid, status.st_mode & 0o777) == (os.geteuid(), 0o644)
    assert making.note["sha256"] == hashlib.sha256(content).hexdigest()
    assert making.note["origin"] == "m as Q8_0"
    assert {key: making.note[key] for key in NOTE} == NOTE
    assert making.left == ["m-Q8_0-r.gguf"]
    making.program.write_text("#!/bin/sh\nexit 1\n")
    making.make()  # it is there
    assert making.result.stat().st_ino == status.st_ino


@pytest.mark.skipif(os.geteuid() != 0, reason="it has no more rights than the test")
def test_the_quantizer_has_no_rights(place: Path) -> None:
    making = Making(place, "id -u >&2; exit 3")
    with pytest.raises(NotMade, match="llama-quantize fails: 65534"):
        making.make()


@pytest.mark.parametrize(
    ("does", "number", "told"),
    [
        ("echo tensor blk.0 is odd >&2; exit 1", Q8_0, "llama-quantize fails: tensor blk.0 is odd"),
        (
            "echo '[ 3/9] a - llama_model_quantize: failed to quantize: iostream error';"
            "echo 'llama_quantize: failed to quantize model from m.gguf'; exit 1",
            Q8_0,
            "llama-quantize fails: iostream error$",
        ),
        ("kill -9 $$", Q8_0, "it ended by SIGKILL"),
        ('head -c 30 "$3" > "$4"', Q8_0, "cannot be used: its header is cut short"),
        ('echo nonsense > "$4"', Q8_0, "cannot be used: it is no GGUF"),
        (COPIES, 15, "is of the file type 15"),
        ('ln -s "$3" "$4"', Q8_0, "what the quantizer left is no file"),
    ],
    ids=["fails", "tells first why", "killed", "cut", "nonsense", "another type", "a link"],
)
def test_what_is_not_right_leaves_nothing(place: Path, does: str, number: int, told: str) -> None:
    making = Making(place, does, number)
    with pytest.raises(NotMade, match=told):
        making.make()
    assert making.left == []
    assert not (place / ".xgen").exists()


def test_an_engine_has_to_load_it(place: Path) -> None:
    making = Making(place, COPIES)
    engine = place / "llama-server"
    engine.write_text("#!/bin/sh\necho a number is odd >&2\nexit 1\n")
    engine.chmod(0o755)
    making.request["engine"] = str(engine)
    with pytest.raises(NotMade, match=r"it does not load model\.gguf: a number is odd"):
        making.make()
    assert making.left == []


def test_the_engine_takes_no_more_memory_than_it_has_to(place: Path) -> None:
    """It is the first to go where that runs out, too."""
    making = Making(place, COPIES)
    engine = place / "llama-server"
    engine.write_text(
        "#!/bin/sh\nread score </proc/self/oom_score_adj\n"
        'echo "$LLAMA_ARG_REPACK $LLAMA_ARG_NO_REPACK $score" >&2\nexit 1\n'
    )
    engine.chmod(0o755)
    making.request["engine"] = str(engine)
    with pytest.raises(NotMade, match="0 1 1000"):
        making.make()


def test_a_source_that_is_not_what_it_has_to_be(place: Path) -> None:
    making = Making(place, COPIES)
    making.request["sha256"] = {str(making.source): "ab" * 32}
    with pytest.raises(NotMade, match="and abab"):
        making.make()
    making.request["sha256"] = {
        str(making.source): hashlib.sha256(making.source.read_bytes()).hexdigest()
    }
    making.make()
    assert making.result.exists()


def test_a_disk_without_room(place: Path) -> None:
    making = Making(place, COPIES)
    making.request["size"] = 1 << 60
    with pytest.raises(OSError, match=r"the disk has .* free, about .* are needed"):
        making.make()
    assert making.left == []


def test_what_a_cut_left_is_removed_by_the_next(place: Path) -> None:
    """The whole program is killed, and the quantizer with it."""
    making = Making(place, f'echo $$ > "{place}/pid" 2>/dev/null; {COPIES}; sleep 60')
    (place / "pid").touch()
    (place / "pid").chmod(0o666)
    call = (
        "import json, sys; from xgen_deploy.transfer.remote.quantize import make;"
        "make(json.loads(sys.argv[1]), sys.argv[2], '', lambda *a, **k: None)"
    )
    argv = [sys.executable, "-c", call, json.dumps(making.request), str(place)]
    with subprocess.Popen(argv) as process:
        while not any(name.endswith(".draft") for name in making.left) or not _pid(place):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    quantizer = _pid(place)
    while Path(f"/proc/{quantizer}/stat").exists() and not _is_gone(quantizer):
        time.sleep(0.05)
    assert making.left == [".m-Q8_0-r.gguf.draft"]
    making.program.write_text(f"#!/bin/sh\n{COPIES}\n")
    other = place / "xgen/quantized/other/.m-Q4_0-r.gguf.draft"  # of another type
    other.mkdir(parents=True)
    (other / "model.gguf").touch()
    making.make()
    assert making.left == ["m-Q8_0-r.gguf"]
    assert not other.exists()


def _pid(place: Path) -> str:
    return (place / "pid").read_text().strip()


def _is_gone(pid: str) -> bool:
    return " Z " in Path(f"/proc/{pid}/stat").read_text()


@pytest.mark.parametrize("length", [0, 3, 20, 40, 200])
def test_a_header_that_is_cut_short(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf()[:length])
    with pytest.raises(NotGGUF):
        file_type(str(path))
