"""The demo, without its download: what it refuses, and what it leaves alone the second time."""

import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from demo import engine, model, payload
from demo.machine import Machine, why_not
from demo.packages import unpack
from demo.problem import DemoError

HASWELL = frozenset({"sse4_2", "avx", "avx2", "bmi2", "f16c", "fma"})


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (Machine("Linux", "x86_64", "glibc 2.35", HASWELL), None),
        (Machine("Linux", "x86_64", "glibc 2.100", HASWELL), None),
        (Machine("Darwin", "arm64", None, frozenset()), "this is Darwin"),
        (Machine("Linux", "aarch64", "glibc 2.39", frozenset()), "this machine is aarch64"),
        (Machine("Linux", "x86_64", "glibc 2.31", HASWELL), "has glibc 2.31"),
        (Machine("Linux", "x86_64", None, HASWELL), "has another C library"),
        (Machine("Linux", "x86_64", "glibc 2.36", HASWELL - {"avx2", "fma"}), "lacks AVX2, FMA"),
    ],
)
def test_a_machine_that_cannot_run_the_engine_is_told_why(
    machine: Machine, said: str | None
) -> None:
    reason = why_not(machine)
    assert reason is None if said is None else said in str(reason)


@pytest.fixture
def fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A home of its own, and a package index that serves two small files."""
    fetched: list[Path] = []

    def unpack(requirements: Path, target: Path) -> None:
        fetched.append(requirements)
        target.mkdir(parents=True)

    def build_engine(_: Path, draft: Path) -> None:
        (draft / engine.FOLDER).mkdir()
        (draft / engine.FOLDER / "llama-server").write_text("engine")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(payload, "unpack", unpack)
    monkeypatch.setattr(engine, "build", build_engine)
    monkeypatch.setattr(model, "build", lambda _, draft: (draft / model.FILE).write_text("model"))
    return fetched


def _bring() -> str:
    said: list[str] = []
    payload.bring(said.append)
    return "\n".join(said)


def test_a_second_demo_fetches_nothing(fetches: list[Path]) -> None:
    _bring()
    assert "already" in _bring()
    assert len(fetches) == 1


def _cut_short(folder: Path) -> None:
    (folder / model.FILE).write_text("mod")


def _a_link_to_nothing(folder: Path) -> None:
    (folder / model.FILE).unlink()
    (folder / model.FILE).symlink_to("/nowhere")


def _a_link_to_another_engine(folder: Path) -> None:
    (folder / engine.FOLDER).rename(folder.parent / "elsewhere")
    (folder / engine.FOLDER).symlink_to(folder.parent / "elsewhere")


def _interrupted(folder: Path) -> None:
    (folder / ".receipt.json").unlink()
    (folder / ".draft" / "packages").mkdir(parents=True)


@pytest.mark.parametrize(
    "harm", [_cut_short, _a_link_to_nothing, _a_link_to_another_engine, _interrupted]
)
def test_what_is_not_right_is_fetched_again(
    fetches: list[Path], harm: Callable[[Path], None]
) -> None:
    _bring()
    folder = payload.place()
    harm(folder)
    _bring()
    assert len(fetches) == 2
    assert (folder / model.FILE).read_text() == "model"
    assert not (folder / model.FILE).is_symlink()
    assert not (folder / engine.FOLDER).is_symlink()
    assert (folder / engine.FOLDER / "llama-server").read_text() == "engine"
    assert not (folder / ".draft").exists()


def test_a_full_disk_is_said_before_anything_is_fetched(
    fetches: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "_NEEDED_BYTES", 10**18)
    with pytest.raises(DemoError, match="MB free"):
        _bring()
    assert not fetches


def test_links_take_the_place_of_a_library_s_copies(tmp_path: Path) -> None:
    for name in ("liba.so", "liba.so.0", "liba.so.0.1", "libab.so"):
        (tmp_path / name).write_text("a")
    (tmp_path / "libc.so.1.2").write_text("c")
    (tmp_path / "libc.so.1").write_text("another")
    engine.link_copies(tmp_path)
    links = {p.name: str(p.readlink()) for p in tmp_path.iterdir() if p.is_symlink()}
    assert links == {"liba.so": "liba.so.0.1", "liba.so.0": "liba.so.0.1"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A requirements file for a package of 2 MB, and the only index that pip then knows."""
    folder = tmp_path / "index" / "simple" / "box"
    folder.mkdir(parents=True)
    wheel = folder / "box-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("box.bin", bytes(2_000_000))
        archive.writestr(
            "box-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: box\nVersion: 1\n"
        )
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("box-1.dist-info/WHEEL", tag)
        archive.writestr("box-1.dist-info/RECORD", "box.bin,,\n")
    requirements = tmp_path / "packages.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirements.write_text(f"box==1 --hash=sha256:{digest}\n")
    serve = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield requirements
        server.shutdown()


def test_what_is_fetched_shows_its_progress(
    package: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    unpack(package, tmp_path / "target")
    assert (tmp_path / "target/box.bin").stat().st_size == 2_000_000
    assert "2.0/2.0 MB" in capfd.readouterr().out


def test_what_cannot_be_fetched_is_said_in_pip_s_words(package: Path, tmp_path: Path) -> None:
    package.write_text("box==2 --hash=sha256:" + "0" * 64)
    with pytest.raises(DemoError, match=r"No matching distribution found for box==2"):
        unpack(package, tmp_path / "target")
