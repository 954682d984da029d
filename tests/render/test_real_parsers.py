"""Every command of the cases, taken by the real engine's own parser where one is at hand."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.render.scene import FLAGS, HERE, Scene, cases
from xgen_deploy.backends.base import Unsupported
from xgen_deploy.probe.remote.engine_help import read_help

CASES = [c for c in cases(HERE / "cases") if "refused" not in c]
LLAMA = Path(
    os.environ.get("XGEN_LLAMA_SERVER")
    or Path.home() / ".cache/xgen-deploy-demo/llama/llama-server"
)
VLLM = os.environ.get("XGEN_VLLM_PYTHON")


def _commands(case: dict[str, Any], folder: Path, family: str) -> list[list[str]]:
    """The engine's own arguments of a case's instances of one family."""
    scene, found = Scene(case, folder), []
    for instance in scene.resolved().instances:
        if not instance.spec.backend.startswith(family):
            continue
        argv = list(scene.rendered(instance).argv)
        binary = instance.spec.image if instance.spec.runtime == "docker" else instance.spec.binary
        found.append(argv[argv.index(binary or "") + 1 :])
    return found


@pytest.fixture(scope="module")
def real_flags() -> dict[str, list[str]]:
    """What the binary says of itself, in the place of a generation's list."""
    if not LLAMA.exists():
        pytest.skip("no llama-server: XGEN_LLAMA_SERVER names one, or run the demo once")
    done = subprocess.run([LLAMA, "--help"], capture_output=True, text=True, check=True)
    said = read_help(done.stdout)
    return {"flags": said.flags, "markers": said.markers}


def _parsable(argv: list[str], folder: Path) -> list[str]:
    """Devices and key files are looked at while parsing: here the ones that this machine has.
    `--version` at the end makes it stop there.
    """
    key = folder / "key"
    key.write_text("secret\n")
    files = ("--api-key-file", "--chat-template-file", "--grammar-file", "--lora")
    given = dict.fromkeys(files, str(key))
    for flag, value in {"--device": "none", "--spec-draft-device": "none", **given}.items():
        if flag in argv:
            argv[argv.index(flag) + 1] = value
    return [*argv, "--version"]


def test_llama_server_takes_every_command(
    tmp_path: Path, real_flags: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FLAGS, "real", real_flags)
    commands = []
    for case in CASES:
        with contextlib.suppress(Unsupported):
            commands += _commands({**case, "flags": "real"}, tmp_path, "llama-server")
    assert len(commands) > 25
    for argv in commands:
        words = [str(LLAMA), *_parsable(argv, tmp_path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (argv, done.stderr)


def test_vllm_takes_every_command(tmp_path: Path) -> None:
    if not VLLM:
        pytest.skip("optional: vLLM; XGEN_VLLM_PYTHON names the interpreter that has it")
    key = tmp_path / "vllm.yaml"
    key.write_text('api-key: ["secret"]\n')
    served = [c for c in CASES if "entrypoint" not in c]
    commands = [a for c in served for a in _commands(c, tmp_path, "vllm")]
    assert len(commands) > 20
    for argv in commands:
        if argv[0] != "serve":
            argv.insert(0, "serve")
        if "--config" in argv:
            argv[argv.index("--config") + 1] = str(key)
    done = subprocess.run(
        [VLLM, str(HERE / "vllm_parser.py")],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
    )
    answers = json.loads(done.stdout.rpartition("ANSWERS")[2])
    for argv, parsed in zip(commands, answers, strict=True):
        assert "error" not in parsed, (argv, parsed)
        assert parsed["model_tag"] == argv[1]
        assert parsed["max_model_len"] == int(argv[argv.index("--max-model-len") + 1])
        assert parsed["api_key"] == (["secret"] if "--config" in argv else None)
        if "--override-generation-config" in argv:
            wanted = json.loads(argv[argv.index("--override-generation-config") + 1])
            assert parsed["override_generation_config"] == wanted
