"""`fit` with llama-server's own words, held against what the engine allocated."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.call import Capsys, call
from tests.fit.header_file import write_header
from tests.fit.measured import model, read
from xgen_deploy.fit.quantized import F16, F32, quantized_tensors

CASES = read("cases")
# The simulation of b11549 in partial offload; see cases/README.md.
FAR = {"gemma3-270m-cuda-b11549-921", "llama32-1b-cuda-b11549-212"}


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("headers")
    for name in read("models"):
        write_header(folder / f"{name}.gguf", model(name))
    return folder


def _words(case: dict[str, Any]) -> list[str]:
    """The library, which took part where no server did, has one slot unless it is told, and no word
    for the device that it is to use alone."""
    own = case["how"].startswith("llama-server") or "-np" in case["argv"]
    first = case["params"].get("main_gpu")
    return [*case["argv"], *(() if own else ("-np", "1")), *(("-mg", str(first)) if first else ())]


def _options(case: dict[str, Any]) -> list[str]:
    params = case["params"]
    largest = params.get("max_tensor")
    return [
        *("--backend", f"llama-server-{params['backend']}", "--json"),
        *("--devices", ",".join(params["devices"])),
        *("--engine-build", params["engine"].removeprefix("b")),
        *(("--max-buffer-mib", str(largest)) if largest else ()),
    ]


@pytest.mark.parametrize("case", CASES, ids=[c["id"] for c in CASES])
def test_it_tells_what_the_engine_allocated(
    case: dict[str, Any], headers: Path, capsys: Capsys
) -> None:
    file = str(headers / f"{case['model']}.gguf")
    code, said = call(capsys, "fit", file, *_options(case), "--", *_words(case))
    assert code == 0
    told = json.loads(said)
    assert told["devices"].keys() == set(case["params"]["devices"])
    for name, need in told["devices"].items():
        measured = case["buffers"].get(name, {})
        assert need["weights_mib"] == pytest.approx(measured.get("model_mib", 0), abs=0.01)
        assert need["kv_mib"] == pytest.approx(measured.get("kv_mib", 0), abs=0.01)
        total = sum(measured.get(f"{part}_mib", 0) for part in ("model", "kv", "compute"))
        if case["id"] not in FAR:
            assert need["total_mib"] == pytest.approx(total, rel=0.02, abs=0.1)
    host = case["buffers"]["Host"]
    if "output_mib" in host:
        assert told["host"]["output_mib"] == pytest.approx(host["output_mib"], abs=0.01)
    assert told["host"]["kv_mib"] == pytest.approx(host.get("kv_mib", 0), abs=0.01)


def _told(capsys: Capsys, file: Path, *words: str, **more: str) -> tuple[int, dict[str, Any]]:
    options = ["--backend", "llama-server-cuda", "--json"]
    options += [text for name, value in more.items() for text in (f"--{name}", value)]
    code, said = call(capsys, "fit", str(file), *options, "--", *words)
    return code, json.loads(said[said.index("{") : said.rindex("}") + 1])


ALIKE = [
    ("-c 4096 -np 2 -kvu", "--ctx-size 4096 --parallel 2 --kv-unified"),
    ("-c 4096 -ngl 5 -fit off", "--ctx_size=4096 --n-gpu-layers 5 --fit off"),
    ("-ctk q8_0 -ctv q8_0", "--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on"),
    ("-ncmoe 0", "--no-mmap --temp 0.7 -n -1 --host 0.0.0.0 -t 8 --jinja --no-warmup"),
    ("-np 1 -nkvo -b 1024 -ub 256", "-np 1 --no-kv-offload --batch-size 1024 --ubatch-size 256"),
    ("-kvu -no-kvu -np 2", "-np 2"),
]


@pytest.mark.parametrize(("short", "long"), ALIKE)
def test_words_mean_what_they_mean_to_llama_server(
    short: str, long: str, headers: Path, capsys: Capsys
) -> None:
    file = headers / "llama32-1b.gguf"
    assert _told(capsys, file, *short.split()) == _told(capsys, file, *long.split())


DOUBTS = [
    ("-ngl all", "exact", ""),
    ("-ngl all --mmproj x.gguf", "estimate", "projector"),
    ("-ngl all -md draft.gguf", "estimate", "draft"),
    ("-ngl all --lora a.gguf", "estimate", "adapters"),
    ("-ngl all --some-new-option 3", "estimate", "--some-new-option"),
    ("-ngl all --override-kv llama.context_length=int:4096", "estimate", "--override-kv"),
    ("-c 8192", "estimate", "--fit off"),
    ("-ngl all -ot blk\\.1\\.=CUDA1", "estimate", "another place"),
]


@pytest.mark.parametrize(("words", "confidence", "note"), DOUBTS)
def test_it_says_how_sure_it_is(
    words: str, confidence: str, note: str, headers: Path, capsys: Capsys
) -> None:
    code, told = _told(capsys, headers / "llama32-1b.gguf", *words.split())
    assert (code, told["confidence"]) == (0, confidence)
    assert any(note in n for n in told["notes"])


WRONG = [
    ("-c many", "`many` is no number of tokens"),
    ("-ctk q9_9", "no type of a cache"),
    ("-fa off -ctv q8_0", "needs flash attention"),
    ("-dev CUDA7", "there is no CUDA7"),
    ("-ts 1,2,3", "more than 1 device"),
    ("-ts a,b", "no list of numbers"),
    ("-ot (=CPU", "--override-tensor"),
    ("-c", "lacks its value"),
    ("8192", "follows no option"),
]


@pytest.mark.parametrize(("words", "why"), WRONG)
def test_what_the_engine_would_refuse_is_a_sentence(
    words: str, why: str, headers: Path, capsys: Capsys
) -> None:
    code, told = _told(capsys, headers / "llama32-1b.gguf", *words.split())
    assert code == 1
    assert told["devices"] is None
    assert why in told["errors"][0]["message"]


def test_of_what_quantize_would_make(headers: Path, tmp_path: Path, capsys: Capsys) -> None:
    """As of a file that has these types already; the size is that of all its tensors."""
    shape = model("llama3-8b")
    plain = [replace(t, kind=F32 if t.kind == F32 else F16) for t in shape.tensors]
    write_header(tmp_path / "m-F16.gguf", replace(shape, tensors=plain))
    words = ("-c", "4096", "-np", "1", "-ngl", "99")
    code, told = _told(capsys, tmp_path / "m-F16.gguf", *words, quantize="q4_k_m")
    assert (code, told["confidence"]) == (0, "estimate")
    assert told["notes"][0].endswith("llama-quantize b11669 chooses")
    made = quantized_tensors(replace(shape, tensors=plain), "Q4_K_M")
    assert told["quantized"]["file_type"] == "Q4_K_M"
    size = sum(t.bytes for t in made) / (1 << 20)
    assert told["quantized"]["about_mib"] == pytest.approx(size, abs=0.1)
    write_header(tmp_path / "m-Q4_K_M.gguf", replace(shape, tensors=made))
    _, same = _told(capsys, tmp_path / "m-Q4_K_M.gguf", *words)
    assert (told["devices"], told["host"]) == (same["devices"], same["host"])


@pytest.mark.parametrize(
    ("file_type", "reason"),
    [
        ("Q5_0", "making Q5_0 of that would cost much quality. Take a source in F16"),
        ("IQ2_XS", "needs an importance matrix"),
    ],
)
def test_what_quantize_would_not_make(
    headers: Path, capsys: Capsys, file_type: str, reason: str
) -> None:
    code, told = _told(capsys, headers / "llama3-8b.gguf", quantize=file_type)
    assert code == 1
    assert reason in json.dumps(told["errors"])
