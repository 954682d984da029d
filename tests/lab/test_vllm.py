"""vLLM on the CPU under systemd, with a model that the test makes.

XGEN_VLLM_PYTHON names an interpreter (3.11, as the lab's hosts have) of an environment with vLLM's
CPU build; it is copied to the host. Several gigabytes: not installed by `make test`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import ask, minilm
from tests.lab.conftest import Lab
from tests.lab.engine_site import MINILM, differences, place_models, status
from tests.lab.host import LabHost
from tests.lab.process import run
from tests.lab.site import Site
from tests.transport.eventually import eventually

PYTHON = os.environ.get("XGEN_VLLM_PYTHON")
PORT = 8511
KEY = "sk-tiny"
MODEL = "/srv/lab-models/tiny-hf"
ADAPTER = f"{MODEL}-law"
SERVED = {
    "source": MODEL,
    "aliases": ["gpt-4o"],
    "loras": {"law": ADAPTER},
    "backend": "vllm-cpu",
    "n_ctx": 1024,
    "sampling": {"profile": "deterministic", "max_tokens": 32},
    "vllm": {"dtype": "float32", "enforce_eager": True, "max_num_seqs": 4},
    "api_key": {"env": "T_KEY"},
    "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
    "update": {"timeout": "8m"},
}
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="optional: vLLM; XGEN_VLLM_PYTHON names the interpreter that has it"
)
_START = """#!/opt/vllm/bin/python3
import sys
from vllm.entrypoints.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host("lab-b")
    _install(found)
    if not (found.rootfs / ADAPTER.lstrip("/") / "adapter_config.json").exists():
        writer = Path(__file__).with_name("tiny_hf.py")
        folder = found.rootfs / MODEL.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(PYTHON), str(writer), str(folder)], check=True)
        found.sh(f"chmod -R o+rX {MODEL} {ADAPTER}")
    return found


def _install(host: LabHost) -> None:
    """A virtual environment over the host's own Python."""
    base = host.rootfs / "opt/vllm"
    if (base / "bin/vllm").exists():
        return
    packages = Path(str(PYTHON)).parent.parent / "lib/python3.11/site-packages"
    (base / "lib/python3.11").mkdir(parents=True)
    (base / "bin").mkdir()
    run(["cp", "-a", str(packages), str(base / "lib/python3.11/site-packages")])
    (base / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (base / "bin/python3").symlink_to("/usr/bin/python3")
    (base / "bin/vllm").write_text(_START)
    (base / "bin/vllm").chmod(0o755)
    numa = Path("/usr/lib/x86_64-linux-gnu/libnuma.so.1")  # which the CPU build is linked with
    run(["cp", "-L", str(numa), str(host.rootfs / str(numa).lstrip("/"))])


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("vllm")
    found = Site(folder, "t_vllm", ports=f"{PORT}-{PORT + 1}", env={"T_KEY": KEY})
    found.models["tiny"] = {**SERVED, "binary": "/opt/vllm/bin/vllm"}
    found.serve(host.name, "tiny", listen=host.address)
    found.apply()
    yield found
    assert found.run("destroy", "-y").code == 0


def _written(host: LabHost, model: str = "tiny") -> int:
    """Tokens of a completion: what random weights write need not be text."""
    asked = {"model": model, "prompt": "Hello", "max_tokens": 4}
    answer = ask.post(host, PORT, "/v1/completions", asked, key=KEY)
    return int(answer["usage"]["completion_tokens"])


def test_it_answers_and_is_proved(site: Site, host: LabHost) -> None:
    """With the context, slots and sampling that the manifest states, read back from the engine."""
    assert ask.status_of(host, PORT) == 401
    assert _written(host) > 0
    row = status(site)
    assert (row["status"], row["context_length"], row["backend"]) == ("running", 1024, "vllm-cpu")
    assert differences(site) == []
    assert site.plan(0).operations(host.name) == []
    assert KEY not in host.sh("ps axww -o args; systemctl show 'xgen-t_vllm-*'")


def test_it_answers_to_its_alias_and_its_adapter(site: Site, host: LabHost) -> None:
    assert _written(host, "gpt-4o") > 0
    assert _written(host, "law") > 0
    command = host.sh("systemctl cat xgen-t_vllm-tiny.service")
    assert "--max-lora-rank 32" in command


def test_a_killed_engine_is_restarted_and_status_says_so(site: Site, host: LabHost) -> None:
    host.sh("kill -KILL $(pgrep -f [V]LLM::EngineCore)")
    assert eventually(lambda: status(site)["status"] == "loading")
    assert site.plan(0).operations(host.name) == []
    assert eventually(lambda: status(site)["status"] == "running", 400)
    assert status(site)["restarts"] == 1
    assert _written(host) > 0


def test_a_file_that_the_engine_may_not_read_is_refused(site: Site, host: LabHost) -> None:
    host.sh(f"chmod 600 {MODEL}/model.safetensors")
    try:
        site.models["tiny"]["n_ctx"] = 512
        assert f"chmod o+rX {MODEL}/model.safetensors" in site.plan(1).refusals(host.name)
    finally:
        host.sh(f"chmod 644 {MODEL}/model.safetensors")
        site.models["tiny"]["n_ctx"] = 1024


SENTENCES = [
    "A cat sleeps on the sofa.",
    "The stock market fell sharply today.",
    "A kitten naps on the couch.",
]


IMAGE = "xgen-lab/vllm:1"
# The host's own programs and libraries with vLLM beside them, as an image.
_IMPORT = f"""
docker image inspect {IMAGE} >/dev/null 2>&1 || {{
  tar -C / -cf - bin sbin lib lib64 usr/bin usr/lib usr/lib64 opt/vllm \\
      etc/passwd etc/group etc/ld.so.cache |
    docker import -c 'ENTRYPOINT ["/opt/vllm/bin/vllm", "serve"]' - {IMAGE} >/dev/null
}}
"""


def test_in_a_container(host: LabHost, tmp_path: Path) -> None:
    """Read-only, without capabilities, with its key in a file and nowhere else."""
    host.run(["sh", "-c", _IMPORT], timeout=600)
    site = Site(tmp_path, "t_vllm_box", "docker", ports=f"{PORT}-{PORT + 1}", env={"T_KEY": KEY})
    site.top["images"] = {"vllm-cpu": IMAGE}
    site.models["tiny"] = dict(SERVED)
    site.serve(host.name, "tiny", listen=host.address)
    try:
        site.apply()
        assert ask.status_of(host, PORT) == 401
        assert _written(host) > 0
        assert status(site)["context_length"] == 1024
        assert differences(site) == []
        site.plan(0)
        box = "xgen-t_vllm_box-tiny"
        shown = host.sh(f"docker inspect {box}; ps axww -o args; systemctl show {box}")
        assert KEY not in shown
        assert '"ReadonlyRootfs": true' in shown
    finally:
        assert site.run("destroy", "-y").code == 0


@pytest.fixture
def both(host: LabHost, tmp_path: Path) -> Iterator[Site]:
    """One embedding model, by llama-server from its GGUF and by vLLM from its folder."""
    place_models(host)
    folder = "/srv/lab-models/minilm-hf"
    copy = host.rootfs / folder.lstrip("/")
    if not copy.exists():
        run(["cp", "-r", str(minilm.hugging_face()), str(copy)])
        host.sh(f"chmod -R o+rX {folder}")
    found = Site(tmp_path, "t_vectors", ports=f"{PORT}-{PORT + 1}")
    found.models["minilm"] = {
        "source": {"gguf": MINILM, "hf": folder},
        "type": "embedding",
        "n_ctx": 256,
        "llama": {"pooling": "mean"},
        "vllm": {"dtype": "float32", "enforce_eager": True, "max_num_seqs": 4},
        "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
        "update": {"timeout": "8m"},
    }
    found.serve(host.name, "minilm", name="llama", listen=host.address, backend="llama")
    vllm = {"backend": "vllm-cpu", "binary": "/opt/vllm/bin/vllm"}
    found.serve(host.name, "minilm", name="vllm", listen=host.address, **vllm)
    yield found
    assert found.run("destroy", "-y").code == 0


def test_two_engines_agree_on_what_is_alike(both: Site, host: LabHost) -> None:
    both.apply()
    vectors = []
    for port in (PORT, PORT + 1):
        answer = ask.post(host, port, "/v1/embeddings", {"model": "minilm", "input": SENTENCES})
        vectors.append([entry["embedding"] for entry in answer["data"]])
    for cat, market, kitten in vectors:
        assert {len(v) for v in (cat, market, kitten)} == {minilm.LENGTH}
        assert _likeness(cat, kitten) > max(_likeness(cat, market), _likeness(kitten, market))
    assert all(_likeness(one, other) > 0.99 for one, other in zip(*vectors, strict=True))
    assert both.run("verify").code == 0


def _likeness(one: list[float], other: list[float]) -> float:
    """The cosine of two vectors of the length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))
