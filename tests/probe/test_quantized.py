"""What was made of a model's source on the host, and what can make it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from tests.probe.gguf_writer import gguf, write
from xgen_deploy.probe.remote.locate import Source
from xgen_deploy.probe.remote.models import model
from xgen_deploy.probe.remote.quantized import leftover
from xgen_deploy.probe.remote.quantizer import quantizer
from xgen_deploy.resolve.model_request import model_request
from xgen_deploy.resolve.quantize import folder_of
from xgen_deploy.resolve.stated_files import StatedFile
from xgen_deploy.state.facts import ModelFacts, QuantizedFacts
from xgen_deploy.state.locked import Locked


def look(place: Path, locked: Locked | None = None) -> ModelFacts:
    stated = StatedFile("source", str(place / "m.gguf"), "main", quantize="Q4_K_M")
    asked = model_request(stated, str(place), str(place / "hf"), locked=locked)
    return ModelFacts.model_validate(model(Source(**asked.model_dump())))


def make(place: Path, name: str, of: str, at: float = 1.0) -> Path:
    """As transfer/remote/quantize.py leaves it."""
    key = f"{place}/m.gguf@main as Q4_K_M"
    path = write(place / "xgen/quantized" / folder_of(key) / name, gguf())
    status = path.stat()
    note: dict[str, Any] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "at": at}
    note |= {"recipe": f"recipe of {name}", "of": of, "by": "b1", "sha256": "ab" * 32}
    write(place / f".xgen/files/{status.st_ino}.json", json.dumps(note).encode())
    return path


def test_a_source_of_which_nothing_was_made_yet(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", gguf())
    told = look(tmp_path)
    assert (told.missing, told.error) == (True, "is there, and not made Q4_K_M yet")
    assert told.unquantized is not None
    assert told.unquantized.path == str(tmp_path / "m.gguf")
    assert told.unquantized.gguf is not None


def test_what_was_made_of_it(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", gguf())
    source = look(tmp_path).unquantized
    assert source is not None
    path = make(tmp_path, "one.gguf", source.state or "")
    told = look(tmp_path)
    assert (told.path, told.state, told.error) == (str(path), "recipe:recipe of one.gguf", None)
    assert told.quantized == QuantizedFacts(of=source.state or "", by="b1")
    assert told.gguf is not None


def test_of_another_content_it_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", gguf())
    make(tmp_path, "one.gguf", "of something else")
    assert look(tmp_path).missing


def test_what_is_wrong_with_the_source_is_told_of_it(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", gguf()[:100])
    make(tmp_path, "one.gguf", "a")
    told = look(tmp_path)
    assert told.error is not None
    assert told.error.startswith("cut short")
    assert (told.missing, told.unquantized, told.quantized) == (False, None, None)


def test_it_counts_without_its_source(tmp_path: Path) -> None:
    """The newest, or what the lock file says."""
    make(tmp_path, "one.gguf", "a", at=2.0)
    make(tmp_path, "two.gguf", "b", at=3.0)
    assert look(tmp_path).state == "recipe:recipe of two.gguf"
    assert look(tmp_path, Locked(content="a", size=1)).state == "recipe:recipe of one.gguf"
    missing = look(tmp_path, Locked(content="c", size=1))
    assert missing.missing
    assert missing.unquantized is None


def test_one_that_was_changed_since_does_not_count(tmp_path: Path) -> None:
    path = make(tmp_path, "one.gguf", "a")
    path.write_bytes(gguf() + b"\0")
    assert look(tmp_path).missing


def _program(place: Path, said: str) -> str:
    path = write(place / "llama-quantize", f"#!/bin/sh\n{said}\nexit 1\n".encode())
    path.chmod(0o755)
    for folder in (place, *place.parents[:3]):
        folder.chmod(0o755)
    return str(path)


def test_the_quantizers_version_and_options(tmp_path: Path) -> None:
    usage = "usage: [--allow-requantize] [--max-buffer-size]"
    version = "version: 0.7.0 (build 11669, x)"
    said = f'case $1 in --help) echo "{usage}";; *) echo "{version}" >&2; esac'
    program = _program(tmp_path, said)
    assert quantizer([str(tmp_path / "none"), program]) == {
        "program": program,
        "version": "b11669",
        "options": ["--allow-requantize", "--max-buffer-size"],
    }


def test_an_older_one_tells_its_build(tmp_path: Path) -> None:
    said = 'echo "--allow-requantize"; echo "main: build = 3000 (abc)" >&2'
    assert quantizer([_program(tmp_path, said)])["version"] == "b3000"


def test_one_that_does_not_run(tmp_path: Path) -> None:
    program = _program(tmp_path, "echo libllama.so.0: cannot open shared object file >&2")
    assert quantizer([program]) == {
        "program": program,
        "error": "libllama.so.0: cannot open shared object file",
    }


def test_what_a_cut_left_is_room(tmp_path: Path) -> None:
    """Not while somebody is at it."""
    draft = tmp_path / "xgen/quantized/k/.m-Q4_K_M-r.gguf.draft"
    write(draft / "model.gguf", b"x" * 10_000)
    assert leftover(str(tmp_path)) >= 10_000
    folder = os.open(draft.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert leftover(str(tmp_path)) == 0
    os.close(folder)
