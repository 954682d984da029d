"""Hugging Face's own client takes what was brought, without a network; and the stand-in for the hub
is one to it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.fake_hub import COMMIT, git_blob, sha256
from tests.transfer.rig import MODEL, NAME, Rig
from xgen_deploy.files.places import places
from xgen_deploy.state.artifact import Artifact, ArtifactFile

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="needs huggingface_hub"
)
SMALL = b'{"model_type": "llama"}'


@pytest.fixture
def brought(rig: Rig) -> Path:
    """HF_HOME of a host, with a large and a small file, one of them in a folder."""
    rig.hub.repositories[NAME].files["sub/config.json"] = SMALL
    address = f"{rig.hub.url}/{NAME}/resolve/{COMMIT}"
    large = ArtifactFile(
        path=MODEL, size=len(rig.data), sha256=sha256(rig.data), url=f"{address}/{MODEL}"
    )
    small = ArtifactFile(
        path="sub/config.json",
        size=len(SMALL),
        sha1=git_blob(SMALL),
        url=f"{address}/sub/config.json",
    )
    artifact = Artifact(
        name=NAME,
        kind="hub",
        origin="Hugging Face",
        repository=NAME,
        commit=COMMIT,
        files=(large, small),
    )
    home = rig.folder / "a/hf"
    found = places(artifact, model_dir=str(rig.folder), hf_home=str(home))
    hop = rig.hop(files=found.files, links=found.links, texts=found.texts, root=str(home))
    assert rig.bring([hop]) == {"a": None}
    return home


def test_offline_it_takes_the_cache_as_its_own(rig: Rig, brought: Path) -> None:
    folder = Path(_client(brought, "snapshot_download", NAME, HF_HUB_OFFLINE="1"))
    assert (folder / MODEL).read_bytes() == rig.data
    assert (folder / "sub/config.json").read_bytes() == SMALL


def test_online_it_fetches_nothing_again(rig: Rig, brought: Path) -> None:
    sent = rig.hub.sent
    folder = Path(_client(brought, "snapshot_download", NAME, HF_ENDPOINT=rig.hub.url))
    assert (folder / MODEL).read_bytes() == rig.data
    assert rig.hub.sent == sent


def test_the_stand_in_is_a_hub_to_it(rig: Rig) -> None:
    home = rig.folder / "own"
    path = Path(_client(home, "hf_hub_download", NAME, MODEL, HF_ENDPOINT=rig.hub.url))
    assert path.read_bytes() == rig.data


def _client(home: Path, function: str, *arguments: str, **env: str) -> str:
    script = "import sys, huggingface_hub as hub; print(getattr(hub, sys.argv[1])(*sys.argv[2:]))"
    inherited = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", script, function, *arguments],
        env={**inherited, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
