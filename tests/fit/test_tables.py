"""`fit MODEL --gpu` and `fit MANIFEST MODEL`: what would fit, and what one would take."""

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.call import Capsys, call
from tests.fit.checkpoints import _tensors
from tests.fit.header_file import write_header
from tests.fit.measured import model
from tests.fit.published import PUBLISHED

Q8_0 = 8
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two quantisations of one model."""
    shape = PUBLISHED["qwen2.5-14b"].shape()
    larger = [replace(t, kind=Q8_0 if t.kind else 0) for t in shape.tensors]
    models = tmp_path / "Qwen2.5 14B"
    models.mkdir()
    write_header(models / "qwen-Q4_K_M.gguf", shape, {"general.file_type": 15})
    write_header(models / "qwen-Q8_0.gguf", replace(shape, tensors=larger))
    return models


def _told(capsys: Capsys, *words: object) -> dict[str, Any]:
    code, said = call(capsys, "fit", *map(str, words), "--json")
    assert code == 0, said
    told: dict[str, Any] = json.loads(said)
    return told


def _row(told: dict[str, Any], file: str, n_ctx: int, cache: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [r for r in told["rows"] if Path(r["model"]).stem == file]
    (row,) = (r for r in rows if (r["n_ctx"], r["cache"]) == (n_ctx, cache))
    return row


def test_every_file_with_each_context_and_cache(folder: Path, capsys: Capsys) -> None:
    rows = _told(capsys, folder, "--gpu", "24G")["rows"]
    assert len(rows) == 2 * 4 * 2  # 4096 to 32768, which it was trained for
    assert {r["quantization"] for r in rows} == {"Q4_K_M", None}
    assert all(r["layers"] == 49 and r["confidence"] == "exact" for r in rows)


@pytest.mark.parametrize("cache", ["f16", "q8_0"])
def test_a_row_is_what_such_a_start_takes(cache: str, folder: Path, capsys: Capsys) -> None:
    """And one request more does not fit."""
    row = _row(_told(capsys, folder, "--gpu", "24G"), "qwen-Q4_K_M", 8192, cache)
    room = 24 * 1024 * 0.95 - 300

    def start(slots: int) -> float:
        words = ["-c", str(8192 * slots), "-np", str(slots), "-ngl", "all"]
        words += ["-ctk", cache, "-ctv", cache]
        options = ("--backend", "llama-server-cuda", "--json", "--", *words)
        _, said = call(capsys, "fit", str(folder / "qwen-Q4_K_M.gguf"), *options)
        return float(json.loads(said)["devices"]["CUDA0"]["total_mib"])

    assert row["gpus_mib"] == [pytest.approx(start(1), abs=0.01)]
    assert start(int(row["at_once"])) <= room < start(int(row["at_once"]) + 1)


RECOMMENDED: list[tuple[tuple[str, ...], str, dict[str, Any]]] = [
    (("24G",), "qwen-Q8_0.gguf", {"n_ctx": 32768, "llama": {"parallel": 1}}),
    (("2x 24G",), "qwen-Q8_0.gguf", {"n_ctx": 32768, "llama": {"parallel": 4}}),
    (
        ("8G", "8G"),
        "qwen-Q4_K_M.gguf",
        {
            "n_ctx": 32768,
            "llama": {"parallel": 1, "cache_type_k": "q8_0", "cache_type_v": "q8_0"},
        },
    ),
]


@pytest.mark.parametrize(("gpus", "file", "fields"), RECOMMENDED)
def test_what_one_would_take(
    gpus: Sequence[str], file: str, fields: dict[str, Any], folder: Path, capsys: Capsys
) -> None:
    options = [word for gpu in gpus for word in ("--gpu", gpu)]
    (line,) = _told(capsys, folder, *options)["recommended"]
    ((name, told),) = yaml.safe_load(line).items()
    assert name == "qwen2.5-14b"
    assert told == {"source": {"local": str(folder / file)}, **fields}
    manifest = folder / "site.yaml"
    manifest.write_text(
        "project: p\nimages: {llama: a}\ninventory: {all: {hosts: {h: }}}\n"
        f"hosts: {{h: [{{model: {name}}}]}}\nmodels:\n  {line}\n"
    )
    code, said = call(capsys, "validate", str(manifest))
    assert code == 0, said


def test_where_it_does_not_fit_whole(folder: Path, capsys: Capsys) -> None:
    told = _told(capsys, folder / "qwen-Q8_0.gguf", "--gpu", "6G")
    (line,) = told["recommended"]
    (fields,) = yaml.safe_load(line).values()
    assert fields["n_ctx"] == 8192
    assert 10 < fields["n_gpu_layers"] < 20
    longest = _row(told, "qwen-Q8_0", 32768, "f16")
    assert longest["layers"] < fields["n_gpu_layers"]


def test_the_table(folder: Path, capsys: Capsys) -> None:
    code, said = call(capsys, "fit", str(folder), "--gpu", "H100")
    lines = said.splitlines()
    assert code == 0
    head = re.split(r"  +", lines[0])
    assert head == ["MODEL", "CONTEXT", "CACHE", "LAYERS", "AT ONCE", "GPU 0", "HOST'S MEMORY"]
    assert lines[1].split()[:4] == ["qwen-Q4_K_M", "4096", "f16", "49/49"]
    assert lines[-3] == "recommended, for `models:`"
    assert lines[-2].startswith("qwen2.5-14b: {source: {local: ")


def test_a_folder_of_hugging_face(tmp_path: Path, capsys: Capsys) -> None:
    """For vLLM: how many requests at once, and an fp8 cache."""
    header, at = {}, 0
    for name, rows, columns in _tensors(LLAMA):
        end = at + 2 * rows * columns
        header[name] = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    told = _told(capsys, tmp_path, "--gpu", "24G")
    fits = {(r["n_ctx"], r["cache"]): r["fits"] for r in told["rows"]}
    assert fits[32768, "auto"]
    assert not fits[65536, "auto"]
    assert fits[65536, "fp8"]
    wide, narrow = (_row(told, tmp_path.stem, 8192, c)["at_once"] for c in ("auto", "fp8"))
    assert narrow == pytest.approx(2 * wide, rel=0.01)
    assert _told(capsys, tmp_path, "--gpu", "12G")["recommended"] == []


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_header(Path("a.gguf"), PUBLISHED["qwen2.5-72b"].shape())
    write_header(Path("b.gguf"), model("llama3-8b"))
    models = {"/m/a.gguf": "a.gguf", "/m/b.gguf": "b.gguf"}
    host = {"cards": ["2x RTX 4090"], "driver": "570.86.15", "models": models}
    Path("fleet.yaml").write_text(yaml.safe_dump({"hosts": {"h": host}}))
    own = {"n_ctx": 8192, "llama": {"parallel": 2}}
    manifest = {
        "project": "p",
        "images": {"llama": "llama:1"},
        "inventory": {"all": {"hosts": {"h": {}}}},
        "models": {"a": {"source": "/m/a.gguf"}, "b": {"source": "/m/b.gguf", **own}},
        "hosts": {"h": [{"model": "a", "gpus": [0, 1], "fit": "off"}, {"model": "b", "gpus": [1]}]},
    }
    Path("site.yaml").write_text(yaml.safe_dump(manifest))
    return tmp_path


def test_on_the_hosts_of_a_manifest(site: Path, capsys: Capsys) -> None:
    """As the plan says of what is stated, and beside what else is placed there."""
    alone = yaml.safe_load(Path("site.yaml").read_text())
    del alone["hosts"]["h"][0]
    Path("alone.yaml").write_text(yaml.safe_dump(alone))
    told = _told(capsys, "alone.yaml", "b", "--fleet", "fleet.yaml")
    row = _row(told, "b", 8192, "f16")
    _, said = call(capsys, "plan", "alone.yaml", "--fleet", "fleet.yaml", "--json")
    (operation,) = json.loads(said)["hosts"]["h"]["operations"]
    need = operation["forecast"]["needs"][0]
    assert row["gpus_mib"] == [pytest.approx(need["total_mib"], abs=0.01)]
    assert row["at_once"] > 2
    assert (row["host"], row["instance"], row["layers"]) == ("h", "b", 33)
    (line,) = told["recommended"]
    assert yaml.safe_load(line)[0]["model"] == "b"
    beside = _told(capsys, "site.yaml", "b", "--fleet", "fleet.yaml")
    assert not any(r["layers"] == 33 for r in beside["rows"])  # `a` fills the card


def test_of_what_quantize_would_make(folder: Path, tmp_path: Path, capsys: Capsys) -> None:
    """As of the file that is made then, but told as an estimate; what cannot be made is a note."""
    shape = PUBLISHED["qwen2.5-14b"].shape()
    plain = [replace(t, kind=1 if len(t.dims) > 1 else 0) for t in shape.tensors]
    file = write_header(
        folder / "qwen-F16.gguf", replace(shape, tensors=plain), {"general.file_type": 1}
    )
    told = _told(capsys, folder, "--gpu", "8G", "--gpu", "8G", "--quantize", "q4_k_m")
    assert {r["model"] for r in told["rows"]} == {str(file), str(folder / "qwen-Q8_0.gguf")}
    rows = [r for r in told["rows"] if r["model"] == str(file)]
    assert {r["quantization"] for r in rows} == {"Q4_K_M"}
    assert {r["confidence"] for r in rows} == {"estimate"}
    made = _row(_told(capsys, folder, "--gpu", "8G", "--gpu", "8G"), "qwen-Q4_K_M", 8192, "f16")
    (row,) = (r for r in rows if (r["n_ctx"], r["cache"]) == (8192, "f16"))
    assert row["layers"] == made["layers"]
    assert row["gpus_mib"] == pytest.approx(made["gpus_mib"], rel=0.02)
    assert "it is Q4_K_M already" in " ".join(told["notes"])
    entry = yaml.safe_load(told["recommended"][0])["qwen2.5-14b"]
    assert entry["quantize"] == "Q4_K_M"
    assert entry["n_ctx"] == 32768


WRONG = [
    (("site.yaml", "--fleet", "fleet.yaml"), "name the model"),
    (("site.yaml", "c", "--fleet", "fleet.yaml"), "there is no model `c` in the manifest"),
    (("a.gguf",), "state a `--gpu` such as 24G"),
    (("a.gguf", "--gpu", "big"), "such as 24G, or a card such as H100"),
    (("a.gguf", "--gpu", "24G", "--", "-c", "8192"), "no engine's options are taken"),
    (("a.gguf", "--gpu", "24G", "--engine-build", "10434"), "are for one start"),
    (("a.gguf", "--gpu", "24G", "--quantize", "Q9"), "`quantize` is one of Q8_0"),
    (("site.yaml", "a", "--fleet", "fleet.yaml", "--quantize", "Q8_0"), "states `quantize`"),
]


@pytest.mark.parametrize(("words", "why"), WRONG)
def test_what_is_asked_wrongly(words: Sequence[str], why: str, site: Path, capsys: Capsys) -> None:
    code, said = call(capsys, "fit", *words)
    assert code == 1
    assert why in said
