"""What a run learns of a source, and what it refuses to believe."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hub.fake_hub import COMMIT, FakeHub, Repository, serving, sha256
from tests.probe.gguf_writer import gguf
from xgen_deploy.hub import asking
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Catalog, Request
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.transfer.remote.web_source import Access

NAME = "some/tiny-GGUF"
Q8, Q4 = gguf({"general.architecture": "llama", "llama.block_count": 2}), b"q4" * 1000
TOKEN, OTHER = "hf_very_secret", "hf_of_another"


def catalog(url: str, folder: Path, *, token: str | None = None, **settings: Any) -> Catalog:
    stated = FetchSettings(endpoint=url, **settings)
    return Catalog(stated, Access(token=token), lambda: LocalDigests(folder))


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving(FakeHub({NAME: Repository({"tiny-q8.gguf": Q8, "tiny-q4.gguf": Q4})})) as started:
        yield started


def test_a_repository_by_its_api(hub: FakeHub, tmp_path: Path) -> None:
    known = catalog(hub.url, tmp_path)
    got = known.describe(Request(source=f"{NAME}:tiny-q8.gguf")).artifact
    assert (got.commit, got.left_out, got.gated) == (COMMIT, ("tiny-q4.gguf",), False)
    assert got.files[0].url == f"{hub.url}/{NAME}/resolve/{COMMIT}/tiny-q8.gguf"
    asked = len(hub.seen)
    known.describe(Request(source=f"{NAME}:tiny-q8.gguf"))
    assert len(hub.seen) == asked  # each source once a run


def test_a_gated_repository_needs_a_token_and_says_so(hub: FakeHub, tmp_path: Path) -> None:
    hub.repositories[NAME].token = TOKEN
    request = Request(source=f"{NAME}:tiny-q8.gguf")
    with pytest.raises(HubError, match="is not open to all") as refused:
        catalog(hub.url, tmp_path).describe(request)
    assert "fetch: {token: {env: HF_TOKEN}}" in refused.value.hint
    got = catalog(hub.url, tmp_path, token=TOKEN).describe(request).artifact
    assert got.gated
    with pytest.raises(HubError) as wrong:
        catalog(hub.url, tmp_path, token=OTHER).describe(request)
    assert "Accept its terms" in wrong.value.hint
    assert OTHER not in str(wrong.value) + wrong.value.hint


def test_a_token_is_for_the_hub_alone(hub: FakeHub, tmp_path: Path) -> None:
    """Neither where its downloads are redirected to, nor another source, is sent it."""
    hub.repositories[NAME].token = TOKEN
    with serving(FakeHub({NAME: Repository({"tiny-q8.gguf": Q8})})) as elsewhere:
        hub.redirect = elsewhere.url
        catalog(hub.url, tmp_path, token=TOKEN).describe(Request(source=f"{NAME}:tiny-q8.gguf"))
        assert elsewhere.seen
        assert {seen.token for seen in elsewhere.seen} == {None}
        assert {seen.token for seen in hub.seen} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("allow", "source", "good"),
    [
        (["some/*"], f"{NAME}:tiny-q8.gguf", True),
        (["Qwen/*"], f"{NAME}:tiny-q8.gguf", False),
        ([], f"{NAME}:tiny-q8.gguf", False),
        (["https://files.example.net/"], f"{NAME}:tiny-q8.gguf", False),
    ],
)
def test_sources_that_are_not_allowed(
    hub: FakeHub, tmp_path: Path, allow: list[str], source: str, good: bool
) -> None:
    known = catalog(hub.url, tmp_path, allow=tuple(allow))
    if good:
        assert known.describe(Request(source=source)).artifact.files
        return
    with pytest.raises(HubError, match=r"`fetch\.allow` does not name"):
        known.describe(Request(source=source))
    assert not hub.seen


def test_a_pinned_commit_is_that_commit(hub: FakeHub, tmp_path: Path) -> None:
    other = "d" * 40
    hub.repositories[NAME].commit = other
    request = Request(source=f"{NAME}:tiny-q8.gguf", revision=other)
    assert catalog(hub.url, tmp_path).describe(request).artifact.commit == other
    with (
        hostile({"revision": {"sha": "e" * 40}, "tree": []}) as url,
        pytest.raises(HubError, match=f"the commit {'e' * 40}, not {other}"),
    ):
        catalog(url, tmp_path).describe(request)


def test_the_digest_of_the_manifest_is_the_hubs(hub: FakeHub, tmp_path: Path) -> None:
    good = Request(source=f"{NAME}:tiny-q4.gguf", sha256=sha256(Q4).upper())
    with pytest.raises(HubError, match="not a valid GGUF"):
        catalog(hub.url, tmp_path).describe(good)
    wrong = Request(source=f"{NAME}:tiny-q4.gguf", sha256="0" * 64)
    with pytest.raises(HubError, match="the manifest says 0000"):
        catalog(hub.url, tmp_path).describe(wrong)


@pytest.mark.parametrize("name", ["tiny-q8.gguf", "model"])
def test_a_web_page_is_no_model(hub: FakeHub, tmp_path: Path, name: str) -> None:
    hub.repositories[NAME].files[name] = b"\n<!DOCTYPE html><title>Sign in"
    hub.kinds[name] = "Text/HTML; charset=utf-8"
    with pytest.raises(HubError, match="answers with a web page, not with a file") as refused:
        catalog(hub.url, tmp_path).describe(Request(source=f"{hub.url}/files/{name}"))
    assert "download link" in refused.value.hint


def test_a_server_that_calls_everything_html_serves_models_too(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.kinds["tiny-q8.gguf"] = "text/html"
    got = catalog(hub.url, tmp_path).describe(Request(source=f"{hub.url}/files/tiny-q8.gguf"))
    assert got.gguf is not None


def test_nobody_waits_twice_for_a_hub_that_is_silent(tmp_path: Path) -> None:
    known = catalog("http://127.0.0.1:1", tmp_path)
    for number in range(3):
        with pytest.raises(HubError, match=r"cannot be asked from here: .*refused") as error:
            known.describe(Request(source=f"some/model-{number}"))
        assert error.value.unreachable


def test_a_folder_here_is_taken_without_what_is_hidden(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / ".cache/huggingface").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", ".cache/huggingface/x.metadata", ".gitignore"):
        (folder / name).write_text("{}")
    got = catalog("http://127.0.0.1:1", tmp_path).describe(Request(source="m", local=str(folder)))
    assert [file.path for file in got.artifact.files] == ["config.json", "model.safetensors"]


SHA = {"sha": COMMIT}
LARGE = {"oid": "a" * 64, "size": 5}
HOSTILE: dict[str, tuple[Any, Any]] = {
    "a name that leads out of its folder": (SHA, [{"type": "file", "path": "../../etc/x.gguf"}]),
    "an absolute name": (SHA, [{"type": "file", "path": "/etc/cron.d/x.gguf"}]),
    "a name that draws on the terminal": (SHA, [{"type": "file", "path": "\x1b[2Jx.gguf"}]),
    "our own folder": (SHA, [{"type": "file", "path": ".xgen/files/1.json"}]),
    "a name without end": (SHA, [{"type": "file", "path": "x" * 6000 + ".gguf"}]),
    "a size beyond all disks": (
        SHA,
        [{"type": "file", "path": "x.gguf", "lfs": {"oid": "a" * 64, "size": 10**19}}],
    ),
    "a negative size": (SHA, [{"type": "file", "path": "x.gguf", "size": -1, "oid": "a" * 40}]),
    "a digest that is none": (
        SHA,
        [{"type": "file", "path": "x.gguf", "lfs": {"oid": "../../x", "size": 5}}],
    ),
    "a commit that is a path": ({"sha": "../../../../etc"}, []),
    "a list that is none": (SHA, {"type": "file"}),
    "no JSON": (SHA, b"<html>sign in"),
    "a nest": (SHA, b"[" * 100_000),
    "a number without end": (SHA, b'[{"type": "file", "path": "x", "size": ' + b"9" * 5000 + b"}]"),
    "too many files": (
        SHA,
        [{"type": "file", "path": f"{n}.gguf", "lfs": LARGE} for n in range(10_001)],
    ),
    "the next page elsewhere": (SHA, {"Link": '<http://169.254.169.254/x>; rel="next"'}),
    "a redirect to the cloud's own address": (SHA, {"Location": "http://169.254.169.254/latest"}),
    "a redirect to what is no address": (SHA, {"Location": "http://[::1"}),
    "a redirect to a port that is none": (SHA, {"Location": "http://127.0.0.1:99999/x"}),
    "a redirect to a file": (SHA, {"Location": "file:///etc/shadow"}),
    "a redirect in a circle": (SHA, {"Location": "/api/models/some/tiny-GGUF/tree/x"}),
    "a redirect with odd letters": (SHA, {"Location": "/\xff\xfe"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_hub_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    revision, tree = HOSTILE[name]
    with (
        hostile({"revision": revision, "tree": tree}) as url,
        pytest.raises(HubError) as refused,
    ):
        catalog(url, tmp_path, token=TOKEN).describe(Request(source=f"{NAME}:x.gguf"))
    said = f"{refused.value.reason} {refused.value.hint}"
    assert len(said) < 700
    assert "\n" not in said
    assert "pydantic" not in said
    assert TOKEN not in said


def test_an_answer_without_end_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAGE", 1 << 20)
    with (
        hostile({"revision": SHA, "tree": Endless()}) as url,
        pytest.raises(HubError, match="does not answer as a hub does"),
    ):
        catalog(url, tmp_path).describe(Request(source=f"{NAME}:x.gguf"))


def test_an_answer_that_drips_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PATIENCE", 0.3)
    with (
        hostile({"revision": SHA, "tree": Endless(b" ", pause=0.05)}) as url,
        pytest.raises(HubError, match="its answer is not whole after"),
    ):
        catalog(url, tmp_path).describe(Request(source=f"{NAME}:x.gguf"))


class Endless:
    def __init__(self, piece: bytes = b" " * 65536, pause: float = 0.0) -> None:
        self.piece, self.pause = piece, pause


@contextmanager
def hostile(answers: dict[str, Any]) -> Iterator[str]:
    """A hub whose API answers so."""
    stopped = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Nothing."""

        def do_GET(self) -> None:
            answer = answers["revision" if "/revision/" in self.path else "tree"]
            headers: dict[str, str] = {}
            if isinstance(answer, dict) and answer.keys() & {"Location", "Link"}:
                headers, answer = answer, []
            self.send_response(302 if "Location" in headers else 200)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self._body(answer, self.wfile.write)

        def _body(self, answer: Any, write: Callable[[bytes], object]) -> None:
            if not isinstance(answer, Endless):
                write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
                return
            try:
                while not stopped.wait(answer.pause):
                    write(answer.piece)
            except OSError:
                return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
