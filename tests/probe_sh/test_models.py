"""What the shell tells of model files is what Python tells."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.probe.gguf_writer import KEYS, gguf, write
from tests.probe.running import probe, request
from tests.probe.test_models import CONFIG, hf_folder, in_cache, safetensors
from tests.probe_sh.running import SHELLS, by_shell, told_by_both
from xgen_deploy.state.facts import ModelFacts


def both(folder: Path, source: str, shell: str = "dash") -> tuple[ModelFacts, ModelFacts]:
    places = {"model_dir": str(folder / "models"), "hf_home": str(folder / "hf")}
    asked = request(folder, models=[{"key": "k", "source": source, **places}])
    return by_shell(asked, shell).models[0], told_by_both(probe(asked).models)[0]


def same(folder: Path, source: str) -> ModelFacts:
    found, other = both(folder, source)
    assert found == other
    return found


SMALL = {key: value for key, value in KEYS.items() if not key.startswith("tokenizer")}
FILES: dict[str, bytes] = {
    "whole": gguf(),
    "of version 2": gguf(version=2),
    "of version 9": gguf(version=9),
    "of the other byte order": gguf(version=0x03000000),
    "cut in its data": gguf()[:-40],
    "cut in its vocabulary": gguf()[:2000],
    "cut in its keys": gguf()[:60],
    "without tensors": gguf(SMALL, tensors=()),
    "with another alignment": gguf(SMALL | {"general.alignment": 64}),
    "with keys behind the vocabulary": gguf(KEYS | {"split.count": 1, "gemma3.pooling_type": 2}),
    "that claims much": gguf(claimed_keys=1 << 40),
    "with an odd name": gguf(SMALL | {"general.name": 'a "b" \\ ü $(id)'}),
    "with a text for a count": gguf(SMALL | {"gemma3.block_count": "1-2"}),
    "empty": b"",
    "something else": b"\0\1\2\3" * 9,
    "a pointer": b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_gguf_file(tmp_path: Path, name: str) -> None:
    same(tmp_path, str(write(tmp_path / "m.gguf", FILES[name])))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_essentials_in_every_shell(tmp_path: Path, shell: str) -> None:
    found, _ = both(tmp_path, str(write(tmp_path / "m.gguf", gguf(SMALL))), shell)
    assert found.gguf is not None
    assert (found.error, found.gguf.architecture, found.gguf.layers) == (None, "gemma3", 18)
    assert found.gguf.quantization == "Q4_K_M"


@pytest.mark.parametrize(("count", "first"), [(2, 1), (3, 1), (2, 2)])
def test_parts(tmp_path: Path, count: int, first: int) -> None:
    for number in (1, 2):
        keys = SMALL | {"split.count": 2}
        write(tmp_path / f"m-{number:05d}-of-{count:05d}.gguf", gguf(keys))
    same(tmp_path, str(tmp_path / f"m-{first:05d}-of-{count:05d}.gguf"))


def test_a_folder_of_files(tmp_path: Path) -> None:
    write(tmp_path / "one/a.gguf", gguf(SMALL))
    assert same(tmp_path, str(tmp_path / "one")).format == "gguf"
    write(tmp_path / "one/b.gguf", b"")
    assert "holds several" in (same(tmp_path, str(tmp_path / "one")).error or "")


@pytest.mark.parametrize(
    "source", ["/no/such", "https://h/a/m.gguf?x=1", "org/name", "no", "a/b/c"]
)
def test_what_is_not_there(tmp_path: Path, source: str) -> None:
    assert same(tmp_path, source).error


def test_the_hugging_face_cache(tmp_path: Path) -> None:
    hf_folder(in_cache(tmp_path / "hf/hub"))
    assert same(tmp_path, "org/name").config
    assert same(tmp_path, "org/name:nothing.gguf").missing


INDEX = json.dumps({"weight_map": {"a.x": "model.safetensors", "b": "other.safetensors"}}).encode()
BROKEN: dict[str, Callable[[Path], object]] = {
    "whole": lambda _: None,
    "a config that is no JSON": lambda folder: write(folder / "config.json", b"[1"),
    "a long config": lambda folder: write(
        folder / "config.json",
        json.dumps(
            CONFIG | {"text_config": CONFIG, "x": {"hidden_size": [1, {"y": "}"}]}}, indent=2
        ).encode(),
    ),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "weights cut short": lambda folder: write(folder / "model.safetensors", safetensors(8)),
    "weights that are none": lambda folder: write(folder / "model.safetensors", b"\1" + bytes(9)),
    "a header cut short": lambda folder: write(folder / "model.safetensors", b"\xff\1" + bytes(9)),
    "a missing file": lambda folder: write(folder / "model.safetensors.index.json", INDEX),
    "a link to nowhere": lambda folder: (folder / "x.bin").symlink_to("nowhere"),
    "a link": lambda folder: (folder / "x.bin").symlink_to("config.json"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_hugging_face_folder(tmp_path: Path, name: str) -> None:
    folder = hf_folder(tmp_path / "model")
    BROKEN[name](folder)
    same(tmp_path, str(folder))
