import io
import json
import struct
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.probe.fake_unix_server import Asked, endpoint, routes
from tests.probe.gguf_writer import write
from xgen_deploy.files.places import build_state, engine_places
from xgen_deploy.probe.remote.engine_help import read_help
from xgen_deploy.probe.remote.engines import engines
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.facts import EngineFacts
from xgen_deploy.transfer.remote.engine_build import place_build

HELP = """----- common params -----

-h,    --help, --usage                  print usage and exit
-fa,   --flash-attn [on|off|auto]       set Flash Attention use ('on', 'off', or 'auto')
--perf, --no-perf                       whether to measure, see --metrics
-sm,   --split-mode {none,layer,row,tensor}
                                        how to split, in favor of --override
--mlock                                 DEPRECATED in favor of `--load-mode`: keep in RAM
--draft, --draft-max N                  the argument has been removed. use --spec-draft-n-max
-ngl,  --gpu-layers, --n-gpu-layers N   max. number of layers in VRAM (-1 is --fit)
--lora-scaled FNAME:SCALE,...           adapters (format: A:B,...)
--spec-type none,draft-simple,ngram-mod how to draft
"""
FLAGS = (
    "--flash-attn", "--gpu-layers", "--help", "--lora-scaled", "--mlock", "--n-gpu-layers",
    "--no-perf", "--perf", "--spec-type", "--split-mode", "--usage", "-fa", "-h", "-ngl", "-sm",
)  # fmt: skip
MARKERS = (
    "FNAME:SCALE,...", "[on|off|auto]", "none,draft-simple,ngram-mod", "{none,layer,row,tensor}",
)  # fmt: skip
IMAGE = {"Id": "sha256:aa", "Config": {"Entrypoint": ["/llama-server"], "User": "1000"}}


def binary(folder: Path, script: str = f"cat <<'END'\n{HELP}\nEND") -> Path:
    path = write(folder / "llama-server", f"#!/bin/sh\n{script}\n".encode())
    path.chmod(0o755)
    return path


@pytest.fixture
def opt() -> Iterator[Path]:
    """A folder that every user may enter: the engine is asked without privileges."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def ask(
    tmp_path: Path, *wanted: Mapping[str, object], daemon: Mapping[str, object] | None = None
) -> tuple[list[EngineFacts], Asked]:
    socket = tmp_path / "docker.sock"
    socket.unlink(missing_ok=True)
    with endpoint(socket, routes(daemon or {})) as asked:
        answer = engines([dict(one) for one in wanted], str(tmp_path), str(socket))["engines"]
    return [EngineFacts.model_validate(one) for one in answer], asked


def test_help_tells_options_and_choices() -> None:
    said = read_help(HELP)
    assert (tuple(said.flags), tuple(said.markers)) == (FLAGS, MARKERS)


def wanted_binary(path: Path) -> dict[str, object]:
    return {"backend": "llama-server-cpu", "binary": str(path), "has_help": True}


def test_a_binary_is_asked(tmp_path: Path, opt: Path) -> None:
    path = binary(opt)
    (facts,), _ = ask(tmp_path, wanted_binary(path))
    assert (facts.error, facts.flags, facts.markers) == (None, FLAGS, MARKERS)
    assert (facts.binary, facts.cached) == (str(path), False)


def test_a_recorded_answer_is_not_asked_again(tmp_path: Path, opt: Path) -> None:
    path = binary(opt, "exit 1")
    wanted = wanted_binary(path)
    (before,), _ = ask(tmp_path, wanted)
    known = {before.state: {"flags": ["--fit"], "markers": [], "entrypoint": []}}
    write(tmp_path / "engines.json", json.dumps({"format": 1, "engines": known}).encode())
    (facts,), _ = ask(tmp_path, wanted)
    assert (facts.error, facts.flags, facts.cached) == (None, ("--fit",), True)
    write(opt / "libllama.so", b"another build")
    (changed,), _ = ask(tmp_path, wanted)
    assert not changed.cached
    assert changed.state != before.state


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'error: no such library' >&2; exit 127", "error: no such library"),
        ("echo usage", "its --help lists no options; it begins with `usage`"),
    ],
)
def test_a_binary_that_does_not_work_says_why(
    tmp_path: Path, opt: Path, script: str, reason: str
) -> None:
    path = binary(opt, script)
    (facts,), _ = ask(tmp_path, wanted_binary(path))
    assert reason in (facts.error or "")


def test_the_environment_is_bare(
    tmp_path: Path, opt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/another/build")
    path = binary(opt, 'echo "--saw-$LD_LIBRARY_PATH"; cat')
    (facts,), _ = ask(tmp_path, wanted_binary(path))
    assert facts.flags == ("--saw-",)


@pytest.mark.parametrize("backend", ["vllm-cuda", "llama-cpp-python"])
def test_slow_engines_are_only_looked_for(tmp_path: Path, opt: Path, backend: str) -> None:
    path = binary(opt, "exit 1")
    (facts, absent), _ = ask(
        tmp_path,
        {"backend": backend, "binary": str(path)},
        {"backend": backend, "binary": "/nowhere/python"},
    )
    assert (facts.error, facts.flags) == (None, ())
    assert absent.error == "/nowhere/python is not there"


def stream(text: str) -> bytes:
    """Docker's two streams in one, in two pieces."""
    data = text.encode()
    pieces = (data[:100], data[100:])
    return b"".join(b"\1\0\0\0" + struct.pack(">I", len(piece)) + piece for piece in pieces)


DAEMON = {
    "GET /images/llama:1/json": IMAGE,
    "POST /containers/create": (201, {"Id": "c9"}),
    "POST /containers/c9/attach": stream(HELP),
    "POST /containers/c9/start": (204, b""),
    "DELETE /containers/c9": (404, {"message": "it removed itself"}),
}


def test_an_image_is_asked_in_a_container_that_can_do_nothing(tmp_path: Path) -> None:
    wanted = {"backend": "llama-server-vulkan", "image": "llama:1", "has_help": True}
    (facts,), asked = ask(tmp_path, wanted, daemon=dict(DAEMON))
    assert (facts.error, facts.flags) == (None, FLAGS)
    assert (facts.state, facts.entrypoint, facts.user) == ("sha256:aa", ("/llama-server",), "1000")
    (created,) = asked.bodies("/containers/create")
    assert isinstance(created, dict)
    assert (created["Cmd"], created["User"]) == (["--help"], "65534:65534")
    limits = created["HostConfig"]
    assert (limits["NetworkMode"], limits["CapDrop"]) == ("none", ["ALL"])
    assert limits["ReadonlyRootfs"]
    assert limits["AutoRemove"]
    assert not {"Binds", "Mounts", "Devices", "DeviceRequests"} & set(limits)


def test_one_build_for_several_backends_is_asked_once(tmp_path: Path) -> None:
    names = ("llama-server-vulkan", "llama-server-cuda", "llama-server-cpu")
    wanted = [{"backend": name, "image": "llama:1", "has_help": True} for name in names]
    facts, asked = ask(tmp_path, *wanted, daemon=dict(DAEMON))
    assert tuple(one.backend for one in facts) == names
    assert all(one.flags == FLAGS for one in facts)
    assert len(asked.bodies("/containers/create")) == 1


def test_a_container_that_cannot_start_is_removed(tmp_path: Path) -> None:
    table = DAEMON | {"POST /containers/c9/start": (400, {"message": "exec: not found"})}
    wanted = {"backend": "llama-server-vulkan", "image": "llama:1", "has_help": True}
    (facts,), asked = ask(tmp_path, wanted, daemon=table)
    assert "exec: not found" in (facts.error or "")
    assert ("DELETE", "/containers/c9?force=1") in [(method, path) for method, path, _ in asked]


def test_a_stated_entrypoint_is_taken_and_a_missing_one_told(tmp_path: Path) -> None:
    table = DAEMON | {"GET /images/llama:1/json": {"Id": "sha256:aa", "Config": {}}}
    wanted = {"backend": "llama-server-vulkan", "image": "llama:1", "has_help": True}
    (without, stated), asked = ask(tmp_path, wanted, wanted | {"entrypoint": ["/x"]}, daemon=table)
    assert "has no ENTRYPOINT" in (without.error or "")
    assert stated.entrypoint == ("/x",)
    (created,) = asked.bodies("/containers/create")
    assert isinstance(created, dict)
    assert created["Entrypoint"] == ["/x"]


@pytest.mark.parametrize(
    ("answer", "pullable", "reason"),
    [
        ((200, {}), True, "image llama:1 is not on this host, but a registry has it"),
        ((403, {"message": "denied"}), False, "image llama:1 is not on this host; denied"),
    ],
)
def test_a_missing_image_may_be_pullable(
    tmp_path: Path, answer: object, pullable: bool, reason: str
) -> None:
    wanted = {"backend": "vllm-cuda", "image": "llama:1", "may_pull": True}
    table = {"GET /distribution/llama:1/json": answer}
    locked = {"pushed": {"ids": ["sha256:1"], "settings": "", "layers": ["sha256:2"]}}
    for request in (wanted, {**wanted, **locked}):
        (facts,), _ = ask(tmp_path, request, daemon=table)
        assert (facts.pullable, facts.error) == (pullable, reason)


def test_a_registry_is_not_asked_where_pulling_is_off(tmp_path: Path) -> None:
    (facts,), asked = ask(tmp_path, {"backend": "vllm-cuda", "image": "llama:1"})
    assert facts.error == "image llama:1 is not on this host"
    assert not any("/distribution" in target for _, target, _ in asked)


def test_what_an_older_version_read_is_asked_again_where_it_does_not_do(
    tmp_path: Path, opt: Path
) -> None:
    path = binary(opt)
    (before,), _ = ask(tmp_path, wanted_binary(path))
    known = {before.state: {"flags": ["--fit"], "markers": []}}
    write(tmp_path / "engines.json", json.dumps({"format": 1, "engines": known}).encode())
    (enough,), _ = ask(tmp_path, wanted_binary(path))
    (more,), _ = ask(tmp_path, wanted_binary(path) | {"reading": 2})
    assert (enough.flags, enough.cached, enough.reading) == (("--fit",), True, 1)
    assert (more.markers, more.cached, more.reading) == (MARKERS, False, 2)


def test_a_build_that_was_brought_is_known_by_its_archive(tmp_path: Path, opt: Path) -> None:
    """Before it is there, the plan says the same of it; afterwards, any change is seen."""
    archive, script = opt / "engine.tar", f"#!/bin/sh\ncat <<'END'\n{HELP}\nEND\n"
    with tarfile.open(archive, "w") as tar:
        for name, content in (("bin/llama-server", script), ("bin/libx.so.1", "library")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content.encode()))
        link = tarfile.TarInfo("bin/libx.so")
        link.type, link.linkname = tarfile.SYMTYPE, "libx.so.1"
        tar.addfile(link)
    file = ArtifactFile(path=archive.name, size=1, sha256="ab" * 32)
    brought = Artifact(name="engine", kind="local", origin="here", files=(file,))
    found = engine_places(brought, "bin/llama-server", model_dir=str(opt))
    assert found.unpack is not None
    Path(found.unpack.folder).parent.mkdir(parents=True)
    place_build(dict(asdict(found.unpack), archive=str(archive)), lambda *_, **__: None)
    wanted = {"backend": "llama-server-cpu", "binary": found.path, "has_help": True}
    ((facts,), _) = ask(tmp_path, wanted)
    assert (facts.error, facts.state) == (None, build_state(brought, "bin/llama-server"))
    library = Path(found.path).with_name("libx.so.1")
    library.write_text("another library")
    ((changed,), _) = ask(tmp_path, wanted)
    assert changed.state not in (None, facts.state)
