"""A header that is not that of a model is a sentence, never a number that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.call import Capsys, call
from tests.fit.header_file import write_header
from tests.fit.measured import model
from xgen_deploy.fit.shape import ModelShape, Tensor

WHOLE = model("llama32-1b")
Change = Callable[[dict[str, Any], list[Tensor]], object]


def _fit(capsys: Capsys, file: Path) -> tuple[int, str]:
    words = ("--backend", "llama-server-cuda", "--json", "--", "-c", "4096", "-ngl", "all")
    code, said = call(capsys, "fit", str(file), *words)
    told = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert told["devices"] is None or code == 0
    return code, told["errors"][0]["message"] if code else ""


def _replaced(at: int, kind: int | None = None, dims: tuple[int, ...] | None = None) -> Change:
    def change(_: dict[str, Any], tensors: list[Tensor]) -> None:
        old = tensors[at]
        tensors[at] = Tensor(
            old.name, old.kind if kind is None else kind, old.dims if dims is None else dims
        )

    return change


ODD: list[tuple[str, Change, str]] = [
    ("unknown type", _replaced(5, kind=99), "of the unknown type 99"),
    ("no dimensions", _replaced(5, dims=()), "has the dimensions []"),
    ("an empty dimension", _replaced(5, dims=(2048, 0)), "has the dimensions [2048, 0]"),
    ("overflow", _replaced(5, dims=(1 << 33, 1 << 33)), "claims"),
    ("broken rows", _replaced(-1, kind=12, dims=(100, 2048)), "no multiple of the 256"),
    ("another width", lambda keys, _: keys.update(embedding_length=4096), "embeddings of 4096"),
    ("too few blocks", lambda keys, _: keys.update(block_count=4), "tells 4 blocks"),
    ("too many blocks", lambda keys, _: keys.update(block_count=40), "block 16 has no tensors"),
    ("a million blocks", lambda keys, _: keys.update(block_count=10**6), "tells 1000000 blocks"),
    ("no blocks", lambda keys, _: keys.pop("block_count"), "no number of blocks"),
    ("no context", lambda keys, _: keys.pop("context_length"), "no `context_length`"),
    ("no heads", lambda keys, _: keys.pop("attention.head_count"), "`attention.head_count`"),
    ("huge heads", lambda k, _: k.update({"attention.key_length": (1 << 32) - 1}), "key_length"),
    ("short list", lambda k, _: k.update({"attention.head_count_kv": [8, 8]}), "has 2 values"),
    ("two of a name", lambda _, tensors: tensors.append(tensors[-1]), "two tensors of one name"),
    ("no vocabulary", lambda _, tensors: tensors.pop(0), "no `token_embd.weight`"),
]


@pytest.mark.parametrize(("change", "why"), [o[1:] for o in ODD], ids=[o[0] for o in ODD])
def test_an_odd_header_is_a_sentence(
    change: Change, why: str, tmp_path: Path, capsys: Capsys
) -> None:
    keys, tensors = dict(WHOLE.keys), list(WHOLE.tensors)
    tensors.sort(key=lambda tensor: tensor.name != "token_embd.weight")
    change(keys, tensors)
    file = write_header(tmp_path / "m.gguf", ModelShape(WHOLE.architecture, keys, tensors))
    code, said = _fit(capsys, file)
    assert code == 1
    assert said.startswith(f"{file}: ")
    assert why in said


def test_a_file_that_ends_anywhere_in_its_header_is_a_sentence(
    tmp_path: Path, capsys: Capsys
) -> None:
    data = write_header(tmp_path / "m.gguf", WHOLE).read_bytes()
    for end in (0, 3, 4, 20, 100, len(data) // 2, len(data) - 1):
        file = tmp_path / f"{end}.gguf"
        file.write_bytes(data[:end])
        code, said = _fit(capsys, file)
        assert code == 1
        assert "cut short" in said or "not a valid GGUF" in said


def test_what_is_no_model_is_a_sentence(tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "a.gguf").write_bytes(b"no model at all" * 1000)
    assert "does not begin with `GGUF`" in _fit(capsys, tmp_path / "a.gguf")[1]
    assert "cannot be read: No such file" in _fit(capsys, tmp_path / "gone.gguf")[1]
    assert "is a folder" in _fit(capsys, tmp_path)[1]


def test_a_model_in_several_files_has_all_of_them(tmp_path: Path, capsys: Capsys) -> None:
    half = len(WHOLE.tensors) // 2
    parts = (WHOLE.tensors[:half], WHOLE.tensors[half:])
    for number, tensors in enumerate(parts, 1):
        keys = dict(WHOLE.keys) if number == 1 else {}
        general = {
            "split.count": 2, "split.no": number - 1, "split.tensors.count": len(WHOLE.tensors)
        }  # fmt: skip
        write_header(
            tmp_path / f"m-{number:05d}-of-00002.gguf",
            ModelShape(WHOLE.architecture, keys, tensors),
            general,
        )
    first = tmp_path / "m-00001-of-00002.gguf"
    whole = write_header(tmp_path / "whole.gguf", WHOLE)
    words = ("--backend", "llama-server-cuda", "--json", "--", "-c", "4096", "-ngl", "all")
    assert call(capsys, "fit", str(first), *words) == call(capsys, "fit", str(whole), *words)
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    assert "1 of its 2 files are missing" in _fit(capsys, first)[1]
