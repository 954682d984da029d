"""A unit runs the image that was proved, not whatever its tag names tomorrow."""

from pathlib import Path
from typing import Any

import pytest

from tests.render.scene import Scene
from xgen_deploy.frozen import replace
from xgen_deploy.render.docker import proved_image
from xgen_deploy.render.rendered import Rendered

ID = "sha256:" + "5f" * 32
TAG = "registry.local/llama:1"
CASE: dict[str, Any] = {
    "host": "cpu",
    "runtime": "docker",
    "top": {"images": {"llama": TAG}},
    "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}},
    "place": [{"model": "q"}],
}


def _rendered(
    folder: Path, *, state: str = ID, systemd: int | None = 252, **of_host: Any
) -> Rendered:
    scene = Scene(CASE, folder)
    (one,) = scene.resolved().instances
    spec = replace(one.spec, engine_state=state)
    return scene.rendered(replace(one, spec=spec, systemd=systemd, **of_host))


def test_the_image_s_id_is_what_runs_and_its_tag_is_for_people(tmp_path: Path) -> None:
    rendered = _rendered(tmp_path)
    assert ID in rendered.argv
    assert TAG not in rendered.argv
    assert f"xgen.image={TAG}" in rendered.argv
    assert f"Image={TAG}" in rendered.definition.content.splitlines()


@pytest.mark.parametrize("state", [None, "", "5f" * 32, "sha256:5f", f"registry.local/{ID}"])
def test_what_is_no_image_s_id_is_not_run_as_one(state: str | None) -> None:
    assert proved_image(TAG, state) == TAG


@pytest.mark.parametrize(("systemd", "steps"), [(254, 1), (252, 0), (None, 0)])
def test_a_unit_is_started_again_for_ever_after_a_growing_pause(
    tmp_path: Path, systemd: int | None, steps: int
) -> None:
    lines = _rendered(tmp_path, systemd=systemd).definition.content.splitlines()
    assert lines.count("StartLimitIntervalSec=0") == 1
    assert lines.count("RestartSteps=4") == steps
    pausing = [line for line in lines if "NRestarts" in line]
    assert len(pausing) == (0 if steps else 3)


def test_a_unit_starts_again_with_docker(tmp_path: Path) -> None:
    lines = _rendered(tmp_path).definition.content.splitlines()
    assert "WantedBy=multi-user.target docker.service" in lines


def test_a_unit_belongs_to_the_unit_that_runs_the_daemon(tmp_path: Path) -> None:
    usual = _rendered(tmp_path).definition.content
    other = _rendered(tmp_path, docker_unit="pkg-ContainerManager-dockerd.service")
    named = other.definition.content
    assert "Requires=pkg-ContainerManager-dockerd.service" in named.splitlines()
    assert named.replace("pkg-ContainerManager-dockerd.service", "docker.service") == usual


def test_a_daemon_that_maps_users_is_told_that_the_uid_is_the_host_s(tmp_path: Path) -> None:
    """It is beyond every range of /etc/subuid, and owns the files that are mounted."""
    assert "--userns" not in _rendered(tmp_path).argv
    argv = _rendered(tmp_path, docker_userns=True).argv
    assert argv[argv.index("--userns") + 1] == "host"
