"""`--fleet FILE`: what would run on hosts that nobody has asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.apply.conftest import MakeSite
from tests.cli.call import Capsys, call
from tests.lab.gguf_file import Tensor, Value, write

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """\
project: p
images: {llama: llama:1, vllm: vllm:1}
models:
  q: {source: {gguf: /m/q.gguf, hf: org/q}, n_ctx: 8192}
hosts:
  gpu-a: [{model: q, gpus: all}]
"""
EXAMPLES = {
    "h100x4": ("vllm-cuda", ["0", "1", "2", "3"]),
    "amd32x2": ("vllm-rocm", ["0", "1"]),
    "strix-halo": ("vllm-rocm", ["0"]),
    "cpu": ("llama-server-cpu", []),
}


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "site.yaml"
    path.write_text(MANIFEST)
    return path


def _fleet(folder: Path, text: str) -> str:
    path = folder / "fleet.yaml"
    path.write_text(text)
    return str(path)


def test_every_example_is_tried() -> None:
    assert {path.stem for path in (ROOT / "fleets").glob("*.yaml")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fleet_is_planned(manifest: Path, capsys: Capsys, name: str) -> None:
    backend, gpus = EXAMPLES[name]
    if not gpus:
        manifest.write_text(MANIFEST.replace(", gpus: all", ""))
    fleet = ("--fleet", str(ROOT / "fleets" / f"{name}.yaml"))
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert code == 0, said
    on = f"GPU {','.join(gpus)}" if gpus else "CPU"
    assert f"+ create  q  {backend}  :8001  {on}" in said
    assert "no host was asked, and nothing runs there" in said
    assert "does not say: model org/q, model /m/q.gguf, engine vllm:1, engine llama:1" in said
    assert "heal" not in said, "what the tool itself writes is not there yet"
    code, rendered = call(capsys, "render", "site.yaml", *fleet)
    assert (code, backend in rendered) == (0, True)
    assert call(capsys, "validate", "site.yaml", *fleet)[0] == 0


def test_what_cannot_run_there_is_refused(manifest: Path, capsys: Capsys) -> None:
    fleet = ("--fleet", _fleet(manifest.parent, "hosts: {gpu-a: {cards: [2x H100]}}"))
    manifest.write_text(MANIFEST.replace("gpus: all", "gpus: [0, 2]"))
    for command in ("plan", "render", "validate"):
        code, said = call(capsys, command, "site.yaml", *fleet)
        assert (code, "there is no GPU 2 on this host" in said) == (1, True), said
    document = json.loads(call(capsys, "validate", "site.yaml", *fleet, "--json")[1])
    assert document["valid"] is False
    assert document["errors"][0]["instance"] == "q"


def test_what_is_stated_counts(manifest: Path, capsys: Capsys) -> None:
    config = {"num_attention_heads": 6, "max_position_embeddings": 4096}
    (manifest.parent / "q.json").write_text(json.dumps(config))
    stated = (
        "hosts:\n  gpu-a:\n    cards: [{name: Odd, type: nvidia, memory_mb: 1000, count: 4}]\n"
        "    images: [vllm:1]\n    models: {org/q: q.json}\n"
    )
    fleet = ("--fleet", _fleet(manifest.parent, stated))
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert (code, "6 attention heads, which 4 GPUs cannot share evenly" in said) == (1, True), said
    manifest.write_text(MANIFEST.replace("gpus: all", "gpus: [0]"))
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert "more than the 4096 that the model has positions for" in said
    manifest.write_text(MANIFEST.replace("gpus: all", "gpus: [0], backend: llama"))
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert (code, "llama:1 is not in the fleet file" in said) == (1, True)


def test_the_beginning_of_a_gguf_tells_its_layers(manifest: Path, capsys: Capsys) -> None:
    keys: dict[str, Value] = {"general.architecture": "llama", "llama.block_count": 7}
    keys |= {"llama.context_length": 4096, "tokenizer.ggml.tokens": ["token"] * 200_000}
    whole, beginning = manifest.parent / "whole.gguf", manifest.parent / "q.gguf"
    write(whole, keys, [Tensor("output.weight", (64, 64), bytes(4 * 64 * 64))])
    content = whole.read_bytes()
    beginning.write_bytes(content[: -4 * 64 * 64])
    stated = "hosts: {gpu-a: {cards: [H100], models: {/m/q.gguf: q.gguf}}}"
    manifest.write_text(MANIFEST.replace("gpus: all", "gpus: [0], backend: llama"))
    fleet = ("--fleet", _fleet(manifest.parent, stated))
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert (code, "8192 is beyond the 4096" in said) == (1, True), said
    manifest.write_text(MANIFEST.replace("gpus: all", "gpus: [0], backend: llama, n_ctx: 4096"))
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert (code, "GPU 0  8/8 layers" in said) == (0, True), said
    beginning.write_bytes(content[:1000])
    code, said = call(capsys, "plan", "site.yaml", *fleet)
    assert (code, "give more of its beginning" in said) == (1, True), said


def test_a_recorded_fleet_is_planned_as_it_was_seen(
    make_site: MakeSite, tmp_path: Path, capsys: Capsys
) -> None:
    site = make_site()
    site.apply()
    recorded: dict[str, Any] = json.loads(site.run("gpus", "--json").out)
    facts = recorded["hosts"]["h"]["facts"]
    assert not facts["docker"]["containers"]
    assert not {"record", "services", "ports"} & facts.keys()
    path = tmp_path / "recorded.json"
    path.write_text(json.dumps(recorded))
    site.hosts["h"].unreachable = "nobody is to ask it"
    ran = site.run("plan", "--fleet", str(path))
    assert ran.code == 0, ran.said
    assert "+ create  q" in ran.said, "nothing runs there, whatever was recorded"
    assert "taken as present" not in ran.said, "all was seen"


def test_such_a_plan_is_neither_saved_nor_applied(manifest: Path, capsys: Capsys) -> None:
    fleet = ("--fleet", str(ROOT / "fleets" / "h100x4.yaml"))
    for more in (("-o", "plan.json"), ("--drift",)):
        code, said = call(capsys, "plan", "site.yaml", *fleet, *more)
        assert (code, "neither saved nor compared" in said) == (1, True)
    assert not (manifest.parent / "plan.json").exists()
    assert call(capsys, "apply", "site.yaml", *fleet)[0] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hosts: {other: {}}", 'there is no host gpu-a; it has other. `"*":` stands for all'),
        ("hosts: {gpu-a: {cards: [Odd]}}", "fleet.yaml:1:9: gpu-a: no card is known as `Odd`"),
        ("hosts: {gpu-a: {card: [H100]}}", "unknown key `card`. Did you mean `cards`?"),
        ("gpus: []", "a fleet file is a map with `hosts:`"),
        ("hosts: {gpu-a: {facts: {probe: 1}}}", "gpu-a: these facts cannot be read (probe: "),
        ("hosts: {gpu-a: {models: {/m/q.gguf: gone}}}", "this header of /m/q.gguf cannot be read"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(
    manifest: Path, capsys: Capsys, text: str, told: str
) -> None:
    code, said = call(capsys, "plan", "site.yaml", "--fleet", _fleet(manifest.parent, text))
    assert (code, told in said) == (1, True), said


def test_an_image_that_nobody_looked_into_starts_its_engine(manifest: Path, capsys: Capsys) -> None:
    stated = "hosts: {gpu-a: {cards: [H100], images: [vllm:1]}}"
    for text in ("hosts: {gpu-a: {cards: [H100]}}", stated):
        code, said = call(capsys, "plan", "site.yaml", "--fleet", _fleet(manifest.parent, text))
        assert (code, "vllm-cuda" in said) == (0, True), said
        assert "taken to end in" not in said, "nobody has seen an ENTRYPOINT"
