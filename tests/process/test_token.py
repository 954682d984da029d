"""A token of a hub is where it is needed, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab.site import Site

NAME = "some/gated-GGUF"
TOKEN = "hf_" + "never-to-be-seen"
COMMANDS = ["plan -v", "lock", "fetch --json", "apply -y", "models verify", "history --json"]


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    files = {"tiny.gguf": model.read_bytes()}
    with serving(FakeHub({NAME: Repository(files, token=TOKEN)})) as started:
        yield started


@pytest.fixture
def gated(site: Site, hub: FakeHub, tmp_path: Path) -> Site:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    for name in ("HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        site.env[name] = str(tmp_path / name)
    site.env["HUB_TOKEN"] = TOKEN
    site.models["tiny"]["source"] = f"{NAME}:tiny.gguf"
    site.top["fetch"] = {"endpoint": hub.url, "token": {"env": "HUB_TOKEN"}}
    return site


@pytest.mark.parametrize("fetch", ["host", "push"])
def test_nothing_tells_it(gated: Site, hub: FakeHub, tmp_path: Path, fetch: str) -> None:
    gated.models["tiny"]["fetch"] = fetch
    seen: list[str] = []
    hub.before = lambda *_: seen.extend(_command_lines())
    bundle = ("bundle create", "-o", str(tmp_path / "site.xgen"))
    report = ("support", "-o", str(tmp_path / "report.txt"))
    for words in [*((command,) for command in COMMANDS), bundle, report]:
        ran = gated.run(*words)
        assert ran.code == 0, ran
        assert TOKEN not in ran.said, words
    assert any("XGEN" in line or "python" in line for line in seen)
    assert [line for line in seen if TOKEN in line] == []
    assert {request.token for request in hub.seen} == {f"Bearer {TOKEN}"}
    assert _files_with(TOKEN.encode(), tmp_path, Path(gated.env["XDG_STATE_HOME"])) == []


def test_one_that_is_refused_is_not_told_either(gated: Site, hub: FakeHub) -> None:
    gated.env["HUB_TOKEN"] = "hf_" + "of-somebody-else"
    for command in ("plan", "fetch", "apply"):
        ran = gated.run(command)
        assert ran.code == 1, ran
        assert NAME in ran.said
        assert "somebody-else" not in ran.said


def _command_lines() -> list[str]:
    lines = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit():
                lines.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return lines


def _files_with(text: bytes, *folders: Path) -> list[str]:
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = Path(place, name)
                if path.is_file() and not path.is_symlink() and text in path.read_bytes():
                    found.append(str(path))
    return found
