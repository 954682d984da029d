"""Models from ModelScope: `fetch: {protocol: modelscope}`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.fake_hub import FakeHub, Repository, sha256
from tests.hub.fake_hub import serving as serving_files
from tests.hub.fake_modelscope import FIRST, LATEST, FakeModelScope, serving
from tests.probe.gguf_writer import gguf
from xgen_deploy.files.places import places
from xgen_deploy.hub import modelscope
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Catalog, Request
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.hub.locked import artifact_of, entry_of
from xgen_deploy.state.fetch import MODELSCOPE, FetchSettings
from xgen_deploy.state.transfer import Access as HostAccess
from xgen_deploy.transfer.local_store import LocalStore
from xgen_deploy.transfer.remote.web_source import Access

NAME = "some/tiny-GGUF"
FILE = "sub/tiny q8.gguf"
FILES = {
    "README.md": b"# tiny",
    "tiny-q4.gguf": b"q4" * 1000,
    FILE: gguf({"general.architecture": "llama", "llama.block_count": 2, "x": "y" * 9000}),
}


@pytest.fixture
def store() -> Iterator[FakeHub]:
    with serving_files(FakeHub({NAME: Repository(dict(FILES))})) as started:
        yield started


@pytest.fixture
def hub(store: FakeHub) -> Iterator[FakeModelScope]:
    with serving(FakeModelScope(NAME, dict(FILES), store.url)) as started:
        yield started


def settings(hub: FakeModelScope, **more: Any) -> FetchSettings:
    return FetchSettings(endpoint=hub.url, protocol="modelscope", **more)


def catalog(hub: FakeModelScope, folder: Path, **more: Any) -> Catalog:
    return Catalog(settings(hub, **more), Access(), lambda: LocalDigests(folder))


@pytest.mark.parametrize("revision", ["main", "master", LATEST, FIRST])
def test_a_repository_by_its_api(hub: FakeModelScope, tmp_path: Path, revision: str) -> None:
    """`main`, which a manifest means that states none, is its `master`."""
    got = catalog(hub, tmp_path).describe(Request(source=f"{NAME}:{FILE}", revision=revision))
    commit = FIRST if revision == FIRST else LATEST
    assert (got.artifact.commit, got.artifact.revision) == (commit, revision)
    assert got.artifact.left_out == ("README.md", "tiny-q4.gguf")
    (file,) = got.artifact.files
    assert (file.size, file.sha256) == (len(FILES[FILE]), sha256(FILES[FILE]))
    assert got.gguf is not None  # read where the download is redirected to
    assert got.gguf.architecture == "llama"


def test_what_it_has_is_brought(hub: FakeModelScope, store: FakeHub, tmp_path: Path) -> None:
    artifact = catalog(hub, tmp_path).describe(Request(source=f"{NAME}:{FILE}")).artifact
    store.cuts[FILE] = [5000]
    here = places(artifact, model_dir="/none", hf_home=str(tmp_path / "hf"))
    brought = LocalStore(here, HostAccess(), "ModelScope", lambda *_: None).path(0)
    assert brought.read_bytes() == FILES[FILE]
    links = tmp_path / "hf/hub/models--some--tiny-GGUF"
    assert (links / "refs/main").read_text() == LATEST
    assert (links / "snapshots" / LATEST / FILE).read_bytes() == FILES[FILE]


def test_a_lock_file_names_its_addresses(hub: FakeModelScope, tmp_path: Path) -> None:
    request = Request(source=f"{NAME}:{FILE}")
    described = catalog(hub, tmp_path).describe(request)
    locked = artifact_of(entry_of(["tiny"], request, described), request, settings(hub))
    assert locked.files == described.artifact.files
    assert (locked.origin, locked.commit) == (f"127.0.0.1:{hub.port}", LATEST)


def test_without_an_endpoint_it_is_modelscope_itself() -> None:
    stated = FetchSettings(protocol="modelscope")
    assert stated.hub == MODELSCOPE
    assert stated.contact(NAME) == "www.modelscope.cn:443"


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        ("some/other", "main", "some/other does not exist, or has no revision master"),
        (NAME, "v9", f"{NAME} does not exist, or has no revision v9"),
    ],
)
def test_what_is_not_there(
    source: str, revision: str, said: str, hub: FakeModelScope, tmp_path: Path
) -> None:
    with pytest.raises(HubError, match=said):
        catalog(hub, tmp_path).describe(Request(source=source, revision=revision))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"Sha256": None}, "tells no SHA-256 of README.md"),
        ({"Sha256": "zz"}, "does not answer as ModelScope does"),
        ({"Size": -1}, "does not answer as ModelScope does"),
        ({"Path": "../../etc/passwd"}, "lists files of some/tiny-GGUF that cannot be"),
        ({"Revision": "3" * 40}, "does not tell which commit master of some/tiny-GGUF is"),
    ],
)
def test_what_cannot_be_is_refused(
    entry: dict[str, object], said: str, hub: FakeModelScope, tmp_path: Path
) -> None:
    hub.entry = entry
    with pytest.raises(HubError, match=said):
        catalog(hub, tmp_path).describe(Request(source=f"{NAME}:{FILE}"))


def test_a_list_that_may_be_cut_is_refused(
    hub: FakeModelScope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends at a number of files without a word."""
    monkeypatch.setattr(modelscope, "_CUT_AT", 4)
    with pytest.raises(HubError, match="has more files than"):
        catalog(hub, tmp_path).describe(Request(source=f"{NAME}:{FILE}"))
