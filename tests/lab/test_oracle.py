"""The library's own arithmetic over the headers of published models: it allocates nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.call import Capsys, call
from tests.fit.header_file import write_hollow
from tests.fit.measured import model, read
from tests.lab import cache, payload
from tests.lab.process import LabError
from xgen_deploy.fit.shape import ModelShape

_BUILD = 11549
_LIBRARY = f"xllamacpp==2026.10.{_BUILD}"
# It ends where it would compute. Its log is written by a thread of its own, which may go on.
_LOOK = """
import ctypes, signal, sys
libc = ctypes.CDLL(None)
libc.signal(int(signal.SIGSEGV), ctypes.cast(libc.pause, ctypes.c_void_p))
sys.path.insert(0, sys.argv[1])
import xllamacpp
asked = xllamacpp.CommonParams()
asked.model.path, asked.n_ctx, asked.n_parallel = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
asked.kv_unified, asked.embedding = sys.argv[5] == "unified", sys.argv[5] == "embedding"
asked.no_alloc, asked.load_mode = True, xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
asked.warmup, asked.fit_params, asked.verbosity, asked.port = False, False, 5, 0
xllamacpp.Server(asked)
"""
_SIZES = {
    "kv_mib": re.compile(r"llama_kv_cache: size = +([\d.]+) MiB"),
    "compute_mib": re.compile(r"CPU compute buffer size = +([\d.]+) MiB"),
    "output_mib": re.compile(r"CPU +output buffer size = +([\d.]+) MiB"),
}
_WEIGHTS = re.compile(r"print_info: file size +=? *([\d.]+) ([MG])iB")
_WORDS = {"": [], "unified": ["-kvu"], "embedding": ["--embeddings"]}
LOOKS = [
    *((name, 4096, 1, "embedding" if name == "bge-m3" else "") for name in sorted(read("models"))),
    ("llama3-8b", 8192, 4, "unified"),
    ("gemma3-12b", 30000, 8, ""),
    ("gpt-oss-20b", 16384, 2, ""),
]


@pytest.fixture(scope="module")
def library() -> Path:
    def install(draft: Path) -> None:
        payload.install(_LIBRARY, draft, "--no-deps")

    try:
        return cache.built("oracle", _LIBRARY, install)
    except LabError as error:
        pytest.skip(f"optional: pip has no {_LIBRARY} for this machine: {error}")


@pytest.mark.parametrize(("name", "context", "slots", "kind"), LOOKS)
def test_the_library_comes_to_the_same(
    library: Path, tmp_path: Path, capsys: Capsys, name: str, context: int, slots: int, kind: str
) -> None:
    file = tmp_path / f"{name}.gguf"
    published = model(name)
    general = {"tokenizer.ggml.model": "no_vocab", "tokenizer.ggml.token_type_count": 1}
    keys = {**published.keys, "vocab_size": published.vocabulary}
    write_hollow(file, ModelShape(published.architecture, keys, published.tensors), general)
    looked = _look(library, file, context, slots, kind)
    told = _forecast(capsys, file, context, slots, kind)
    with capsys.disabled():
        sizes = (f"{part} {told[part]:.2f} {looked[part]:.2f}" for part in looked)
        print("", name, context, slots, kind, "forecast, library:", *sizes, sep="  ")
    assert told["weights_mib"] == pytest.approx(looked["weights_mib"], rel=0.002)
    assert told["kv_mib"] == pytest.approx(looked["kv_mib"], abs=0.02)
    assert told["output_mib"] == pytest.approx(looked["output_mib"], abs=0.01)
    assert told["total_mib"] == pytest.approx(sum(looked.values()), rel=0.02)
    assert told["compute_mib"] == pytest.approx(looked["compute_mib"], abs=0.1)


def _look(library: Path, file: Path, context: int, slots: int, kind: str) -> dict[str, float]:
    argv = [sys.executable, "-c", _LOOK, str(library), str(file), str(context), str(slots), kind]
    with subprocess.Popen(argv, stdout=-1, stderr=subprocess.STDOUT, text=True) as looking:
        assert looking.stdout
        log = ""
        for line in looking.stdout:
            log += line
            if _SIZES["compute_mib"].search(line):
                break
        looking.kill()
    weights = _WEIGHTS.search(log)
    assert weights, log[-2000:]
    sizes = {"weights_mib": float(weights[1]) * (1024 if weights[2] == "G" else 1)}
    for part, pattern in _SIZES.items():
        sizes[part] = sum(map(float, pattern.findall(log)))
    return sizes


def _forecast(capsys: Capsys, file: Path, context: int, slots: int, kind: str) -> dict[str, Any]:
    words = ["-c", str(context), "-np", str(slots), *_WORDS[kind]]
    options = ("--backend", "llama-server-cpu", "--engine-build", str(_BUILD), "--json")
    code, said = call(capsys, "fit", str(file), *options, "--", *words)
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)["host"]
    return found
