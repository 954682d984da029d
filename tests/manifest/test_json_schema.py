from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.json_schema import json_schema
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import plain
from xgen_deploy.manifest.scalars import core

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests").glob("*.yaml"))
MERGING = sorted((Path(__file__).parent / "cases" / "merging").glob("*.yaml"))
TOP = "project: a\nmodels: {m: {source: /m, %s}}\nhosts: {h: [{model: m}]}\n"


def _errors(text: str) -> list[Any]:
    root = parse("site.yaml", text, core, Problems())
    assert root is not None
    return list(Draft7Validator(json_schema(engine_words())).iter_errors(plain(root)))


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(json_schema(engine_words()))


def errors_of_instance_name(name: str) -> list[Any]:
    return _errors(TOP.replace("[{model: m}]", f"[{{model: m, name: {name!r}}}]") % "n_ctx: 1")


@pytest.mark.parametrize("file", [*EXAMPLES, *MERGING], ids=lambda path: path.stem)
def test_what_loads_is_valid(file: Path) -> None:
    assert _errors(file.read_text()) == []


@pytest.mark.parametrize(
    "field",
    [
        "n_ctx: 8192",
        "n_ctx: null",
        "n_gpu_layers: all",
        "n_gpu_layers: 50%",
        "llama: {mlock: yes, flash_attn: on, cont_batching: off}",
        "update: {timeout: 10m, drain: 60}",
        "api_key: {env: KEY}",
        "env: {A: b, C: {file: d}}",
        "source: {gguf: /a, hf: o/n}",
        "image: {image: a, entrypoint: [b]}",
    ],
)
def test_a_field_of_a_model(field: str) -> None:
    assert _errors(TOP.replace("source: /m, ", "") % field) == []


@pytest.mark.parametrize(
    "field",
    [
        "n_ctxx: 1",
        "n_ctx: 8k",
        "llama: {mlock: maybe}",
        "llama: {n_batchs: 1}",
        "update: {timeout: soon}",
        "api_key: plain",
        "api_key: {env: A, file: b}",
        "backend: vulkan",
        "n_gpu_layers: some",
        "n_gpu_layers: 101%",
    ],
)
def test_a_field_that_is_wrong(field: str) -> None:
    assert len(_errors(TOP % field)) == 1


def test_a_file_that_extends_may_leave_the_rest_out() -> None:
    assert _errors("extends: base.yaml\nx-note: any\nhosts: {h: null}\n") == []
    assert len(_errors("project: a\n")) == 1


def test_every_field_of_a_model_explains_itself() -> None:
    fields = json_schema(engine_words())["definitions"]["ModelFields"]["properties"]
    bare = {"sampling", "llama", "vllm", "container", "update"}
    assert {name for name, field in fields.items() if "description" not in field} <= bare
