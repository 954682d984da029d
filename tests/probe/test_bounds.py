"""A file, a command or a daemon that lies about its size takes no memory of the host."""

import json
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.probe.gguf_writer import gguf
from xgen_deploy.probe.remote import commands
from xgen_deploy.probe.remote.files import record
from xgen_deploy.probe.remote.gguf import essentials, read_header
from xgen_deploy.probe.remote.hf_model import hf_model
from xgen_deploy.probe.remote.locate import Source
from xgen_deploy.probe.remote.models import model

SMALL = 40 << 20


@pytest.fixture
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < SMALL


def safetensors(folder: Path, header: bytes, *, claimed: int | None = None, size: int = 0) -> Path:
    path = folder / "model.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header) if claimed is None else claimed) + header)
        file.truncate(max(size, file.tell()))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return path


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("claimed", [1_500_000_000, 100_000_001, (1 << 64) - 1])
def test_a_sparse_safetensors_with_a_huge_header_is_refused(tmp_path: Path, claimed: int) -> None:
    safetensors(tmp_path, b"{", claimed=claimed, size=2_000_000_000)
    error = hf_model(str(tmp_path))["error"]
    assert "over 100 MB" in error or "cut short" in error


def test_a_header_of_nearly_100_mb_is_read_in_little_memory(tmp_path: Path) -> None:
    entry = b'{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    header = entry + b" " * 90_000_000 + b',"u":{"data_offsets": [8, 16]}}'
    path = safetensors(tmp_path, header)
    tracemalloc.start()
    assert "cut short" in hf_model(str(tmp_path))["error"]
    assert tracemalloc.get_traced_memory()[1] < SMALL
    tracemalloc.stop()
    with path.open("ab") as file:
        file.write(b"\0" * 16)
    assert hf_model(str(tmp_path))["error"] is None


def test_offsets_inside_a_text_are_none(tmp_path: Path) -> None:
    header = {"__metadata__": {"x": '"data_offsets":[0,999]'}, "t": {"data_offsets": [0, 0]}}
    safetensors(tmp_path, json.dumps(header).encode())
    assert hf_model(str(tmp_path))["error"] is None


@pytest.mark.usefixtures("little_memory")
def test_a_config_that_is_too_long_or_too_deep_is_no_config(tmp_path: Path) -> None:
    safetensors(tmp_path, b"{}")
    for text in ("[" * 200_000, '{"a": "' + "x" * (4 << 20) + '"}', '{"a": Infinity}'):
        (tmp_path / "config.json").write_text(text)
        assert "not valid JSON" in hf_model(str(tmp_path))["error"]


def test_gguf_keys_of_the_wrong_kind_do_not_spoil_the_document(tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(gguf())
    header = read_header(str(path))
    odd = {"general.architecture": 7, "general.name": 1.5, "general.file_type": "x"}
    odd |= {"split.tensors.count": "many"}
    seen = essentials(header._replace(keys=odd), None)
    assert (seen["architecture"], seen["name"], seen["quantization"]) == (None, None, None)
    assert seen["tensor_count"] == header.tensors


@pytest.mark.usefixtures("little_memory")
def test_a_small_gguf_that_claims_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(claimed_keys=1 << 16))
    source = Source("k", str(path), "main", "/srv", "/srv", path=str(path))
    assert "it claims" in model(source)["error"]


@pytest.mark.usefixtures("little_memory")
def test_a_record_without_end_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "record.json").open("wb") as file:
        file.truncate(4 << 30)
    assert "longer than 16 MiB" in str(record(str(tmp_path))["record_error"])


def test_a_command_that_prints_without_end_is_ended() -> None:
    for argv in (["yes"], ["sh", "-c", "yes >&2"]):
        answer = commands.run(argv, 30.0)
        assert (answer.code, answer.problem) == (124, "it printed more than 8 MiB")
    head = commands.run(["yes"], 30.0, head=1000)
    assert head.problem is None
    assert head.out.startswith("y\ny\n")


def test_a_command_is_still_read_whole_and_ended_in_time() -> None:
    script = "import sys; print('x' * 200000); sys.stderr.write('why'); sys.exit(3)"
    answer = commands.run([sys.executable, "-c", script], 30.0)
    assert (answer.code, len(answer.out), answer.err) == (3, 200001, "why")
    assert commands.run(["sleep", "60"], 0.2).code == 124
