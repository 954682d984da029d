from pathlib import Path

import pytest

from tests.probe.gguf_writer import KEYS, Keys, gguf, write
from xgen_deploy.probe.remote.gguf_parts import gguf_model
from xgen_deploy.state.facts import ModelFacts


def look(path: Path) -> ModelFacts:
    return ModelFacts(key="k", **gguf_model(str(path)))


@pytest.mark.parametrize("version", [2, 3])
def test_the_essentials_are_read(tmp_path: Path, version: int) -> None:
    data = gguf(version=version)
    facts = look(write(tmp_path / "m.gguf", data))
    assert facts.error is None
    assert facts.size == len(data)
    assert facts.gguf is not None
    assert facts.gguf.shape is not None
    assert facts.gguf.model_dump(exclude_none=True, exclude={"shape"}) == {
        "version": version,
        "architecture": "gemma3",
        "name": "Tiny",
        "layers": 18,
        "context_length": 32768,
        "embedding_length": 640,
        "head_count": 4,
        "quantization": "Q4_K_M",
        "tensor_count": 2,
    }


def test_a_pooling_type_tells_an_embedding_model(tmp_path: Path) -> None:
    keys: Keys = {
        "general.architecture": "bert",
        "bert.block_count": 6,
        "bert.pooling_type": 1,
    }
    facts = look(write(tmp_path / "m.gguf", gguf(keys)))
    assert facts.gguf is not None
    assert (facts.gguf.pooling_type, facts.gguf.layers, facts.gguf.quantization) == (1, 6, None)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"tokenizer.ggml.model": "gpt2", "tokenizer.chat_template": "{{ x }}"}, True),
        ({"tokenizer.ggml.model": "gpt2"}, False),
        ({}, None),
    ],
)
def test_whether_it_has_a_chat_template(tmp_path: Path, keys: Keys, told: bool | None) -> None:
    facts = look(write(tmp_path / "m.gguf", gguf({"general.architecture": "llama", **keys})))
    assert facts.gguf is not None
    assert facts.gguf.chat_template is told


BROKEN = {
    "another kind of file": (b"PK\x03\x04" + bytes(100), "does not begin with `GGUF`"),
    "an old version": (gguf(version=1), "version 1"),
    "bytes in the other order": (gguf(version=3 << 24), "version 50331648"),
    "a nonsense number of keys": (gguf(claimed_keys=1 << 40), "it claims 2 tensors"),
    "a nonsense number of tensors": (gguf(claimed_tensors=1 << 40), "it claims 1099511627776"),
    "a text longer than any": (
        b"GGUF\x03\0\0\0" + bytes(8) + b"\1" + bytes(7) + b"\xff" * 8,
        "it claims a text of",
    ),
    "a value of no known type": (
        gguf({}, claimed_keys=1, tensors=())[:24] + b"\1" + bytes(7) + b"a\x63\0\0\0",
        "unknown type 99",
    ),
    "cut within the header": (gguf()[:2000], "cut short: it ends after 2000 bytes"),
    "cut within the data": (gguf()[:-1], f"has {len(gguf()) - 1} bytes, needs at least"),
    "nothing but the magic": (b"GGUF", "cut short: it ends after 4 bytes"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_used_says_why(tmp_path: Path, case: str) -> None:
    data, reason = BROKEN[case]
    error = look(write(tmp_path / "m.gguf", data)).error
    assert error is not None
    assert reason in error


def test_the_last_tensor_may_end_the_file_unpadded(tmp_path: Path) -> None:
    facts = look(write(tmp_path / "m.gguf", gguf(tensors=((0, 9),))[:-28]))
    assert facts.error is None


def shards(folder: Path, present: tuple[int, ...], data: bytes) -> Path:
    for number in present:
        write(folder / f"m-{number:05}-of-00003.gguf", data)
    return folder / "m-00001-of-00003.gguf"


def test_shards_are_one_model(tmp_path: Path) -> None:
    part = gguf(KEYS | {"split.count": 3, "split.tensors.count": 6})
    facts = look(shards(tmp_path, (1, 2, 3), part))
    assert facts.error is None
    assert facts.size == 3 * len(part)
    assert facts.gguf is not None
    assert (facts.gguf.split_count, facts.gguf.tensor_count) == (3, 6)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    error = look(shards(tmp_path, (1, 3), gguf(KEYS | {"split.count": 3}))).error
    assert error == "1 of its 3 files are missing: m-00002-of-00003.gguf"


def test_a_later_shard_that_was_cut_short_is_named(tmp_path: Path) -> None:
    first = shards(tmp_path, (1, 2, 3), gguf(KEYS | {"split.count": 3}))
    write(tmp_path / "m-00003-of-00003.gguf", gguf()[:-5])
    error = look(first).error
    assert error is not None
    assert error.startswith("m-00003-of-00003.gguf: cut short")


def test_naming_another_than_the_first_shard_is_told(tmp_path: Path) -> None:
    shards(tmp_path, (1, 2, 3), gguf())
    error = look(tmp_path / "m-00002-of-00003.gguf").error
    assert error is not None
    assert "name the first one" in error


def test_a_renamed_shard_is_told(tmp_path: Path) -> None:
    error = look(write(tmp_path / "m.gguf", gguf(KEYS | {"split.count": 3}))).error
    assert error is not None
    assert "its header says 3 files, its name 1" in error


def test_another_file_has_another_state(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", gguf())
    before = look(path).state
    assert look(path).state == before
    path.unlink()
    assert look(write(path, gguf() + b"x")).state != before
