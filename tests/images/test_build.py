"""The recipes built for the CPU on Debian, and a model served by what came out.

XGEN_IMAGE_BASE names a Debian image that the local Docker daemon has. Compiling takes some ten
minutes a recipe on two cores, so that `make test` leaves it out. llama.cpp's source is the one
inside llama-cpp-python's source archive, as docs/images.md says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import tiny_model
from tests.ports import free_port
from tests.transport.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
BASE = os.environ.get("XGEN_IMAGE_BASE")
VERSION = "0.3.36"
pytestmark = pytest.mark.skipif(
    not BASE, reason="optional: minutes of compiling; XGEN_IMAGE_BASE names a Debian image"
)
NOTHING = {
    "nvidia": ("LLAMA_BACKEND", "VLLM_SPEC"),
    "amd": ("VULKAN_BACKEND", "GFX_TARGETS", "VLLM_SPEC", "LLAMA_CPP_PYTHON_SPEC"),
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    wanted = ["--no-deps", "--no-binary", ":all:", f"llama-cpp-python=={VERSION}"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    subprocess.run([*pip, *wanted], check=True)
    return folder


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope="module", params=NOTHING)
def image(context: Path, request: pytest.FixtureRequest) -> str:
    name = f"xgen-test/{request.param}:cpu"
    values = {
        "BUILD_BASE": BASE,
        "RUN_BASE": BASE,
        "RUN_PACKAGES": "gcc",
        "LLAMA_CPP_SOURCE": f"llama_cpp_python-{VERSION}.tar.gz",
        **dict.fromkeys(NOTHING[request.param], ""),
    }
    stated = [word for k, v in values.items() for word in ("--build-arg", f"{k}={v}")]
    recipe = str(ROOT / f"Dockerfile.{request.param}")
    _docker("build", "--network", "host", "-f", recipe, "-t", name, *stated, str(context))
    return name


@pytest.fixture
def port(image: str, tmp_path: Path) -> Iterator[int]:
    """Where a container of it serves, read-only and without capabilities, as in production."""
    model = tmp_path / "tiny.gguf"
    tiny_model.write(model)
    model.chmod(0o644)
    found = free_port()
    limits = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    limits += ["--security-opt", "no-new-privileges", "--network", "host"]
    engine = ["--model", "/m.gguf", "--port", str(found), "--ctx-size", "256"]
    mount = ["--volume", f"{model}:/m.gguf:ro", "--entrypoint", "llama-server"]
    box = _docker("run", "--detach", *limits, *mount, image, *engine)
    yield found
    _docker("rm", "--force", box)


def test_it_serves_a_model_as_nobody_special(image: str, port: int) -> None:
    asked = json.dumps({"prompt": "Hello", "max_tokens": 2}).encode()
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as health:
                return int(health.status) == 200
        except OSError:
            return False

    assert eventually(answers, 60)
    request = urllib.request.Request(
        f"{url}/v1/completions", asked, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["usage"]["completion_tokens"] > 0
    assert _docker("inspect", "--format", "{{.Config.User}}", image) == "2000:0"
