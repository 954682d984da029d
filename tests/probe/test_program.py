import ast
import hashlib
import os
import socket
from pathlib import Path

import pytest

from tests.probe.gguf_writer import gguf, write
from tests.probe.running import probe, request
from xgen_deploy.probe import remote
from xgen_deploy.probe.remote.parts import Part, run_parts

SOURCES = sorted(Path(remote.__file__).parent.glob("*.py"))


def test_this_machine_is_told(tmp_path: Path) -> None:
    model = write(tmp_path / "m.gguf", gguf())
    secret = write(tmp_path / "etc/a/key", b"secret")
    asked = write(tmp_path / "asked", b"content")
    write(tmp_path / "state/record.json", b'{"format": 1, "instances": {}}')
    places = {"model_dir": "/srv/models", "hf_home": "/srv/models/hf"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        facts = probe(
            request(
                tmp_path,
                models=[{"key": "m", "source": str(model), "path": str(model), **places}],
                engines=[{"backend": "llama-server-cpu", "binary": "/nowhere/llama-server"}],
                files=[str(asked), "/nowhere"],
                ports=[(port, port)],
                health=True,
            )
        )
    assert facts.errors == {}
    assert (facts.hostname, facts.arch) == (os.uname().nodename, os.uname().machine)
    assert (facts.uid, facts.format, facts.probe) == (os.geteuid(), 1, "python")
    assert facts.cores >= 1
    assert (facts.memory_total_mb or 0) > (facts.memory_available_mb or 0) > 0
    assert facts.record == '{"format": 1, "instances": {}}'
    assert [one.layers for one in (facts.models[0].gguf,) if one] == [18]
    assert facts.engines[0].error == "/nowhere/llama-server is not there"
    assert [(one.kind, one.sha256) for one in facts.files] == [
        ("file", hashlib.sha256(b"content").hexdigest()),
        ("absent", None),
    ]
    assert [(one.path, one.size, one.sha256) for one in facts.etc_files if one.kind == "file"] == [
        (str(secret), 6, None)
    ]
    (ours,) = [one for one in facts.ports if one.port == port]
    assert (ours.address, ours.pid) == ("127.0.0.1", os.getpid())
    assert facts.gpu.attempts


def test_nothing_is_written(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    probe(request(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_what_is_sent_is_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    newer = {"removeprefix", "removesuffix", "is_relative_to", "hexdigest_file"}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & newer
    first = tree.body[1] if len(tree.body) > 1 else None
    assert path.stem == "__init__" or "annotations" in ast.unparse(first or tree)


def fail() -> dict[str, object]:
    raise OSError("gone")


def test_a_part_that_fails_or_hangs_spoils_no_other() -> None:
    never = socket.socketpair()
    parts = [
        Part("works", lambda: {"a": 1}, {"a": 0}),
        Part("fails", fail, {"b": 0}),
        Part("hangs", lambda: {"c": never[0].recv(1)}, {"c": 0}),
    ]
    outcome = run_parts(parts, 0.2)
    never[1].send(b"x")
    assert outcome.fields == {"a": 1, "b": 0, "c": 0}
    assert outcome.errors == {"fails": "OSError: gone", "hangs": "no answer within 0 s"}


def test_who_holds_a_port_is_told_where_it_was_asked(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        asked, other = first.getsockname()[1], second.getsockname()[1]
        found = probe(request(tmp_path, ports=[(asked, asked)])).ports
    assert [p.pid for p in found if p.port == asked] == [os.getpid()]
    assert [p.pid for p in found if p.port == other] == [None]
