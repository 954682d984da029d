"""Both probes of one machine say the same: a host that gains Python changes nothing."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.probe.gguf_writer import write
from tests.probe.running import probe, request
from tests.probe_sh.running import SHELLS, by_shell, told_by_both
from tests.transport.eventually import eventually
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.transport.base import Connection

# What differs from one moment or one probe to the next.
OTHER = {
    "probe",
    "python",
    "python_path",
    "now",
    "timings",
    "errors",
    "gpu",
    "memory_available_mb",
    "ports",
}


def same(one: HostFacts, other: HostFacts) -> None:
    assert _shared(one) == _shared(other)


def _shared(facts: HostFacts) -> dict[str, Any]:
    models = told_by_both(facts.models)
    return facts.model_copy(update={"models": models}).model_dump(exclude=OTHER)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_machine(tmp_path: Path, shell: str) -> None:
    asked = request(tmp_path, files=[str(tmp_path), "/etc/passwd", "/dev/null", "/no/such"])
    found = by_shell(asked, shell)
    same(found, probe(asked))
    assert (found.probe, found.python) == ("sh", None)
    assert found.errors == {"python": "none here"}


def test_a_port_and_who_holds_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as four, socket.socket(socket.AF_INET6) as six:
        six.bind(("::1", 0))
        six.listen()
        ours = {server.getsockname()[1] for server in (four, six)}
        found = by_shell(request(tmp_path))
        other = probe(request(tmp_path))
    mine = {p for p in found.ports if p.port in ours}
    assert {(p.pid, p.address) for p in mine} == {(os.getpid(), "127.0.0.1"), (os.getpid(), "::1")}
    assert mine == {p for p in other.ports if p.port in ours}


ODD = (
    "it's",
    'a "name"',
    "both ' and \"",
    "back\\slash",
    "$(id)",
    "`id`",
    "ünïcode",
    "tab\there",
    "-f",
    "*",
)


@pytest.mark.parametrize("shell", SHELLS)
def test_odd_names_stay_names(tmp_path: Path, shell: str) -> None:
    paths = [write(tmp_path / "etc" / name / name, name.encode()) for name in ODD]
    asked = request(
        tmp_path,
        files=[str(path) for path in paths],
        models=[model(tmp_path, f"{n}", str(path)) for n, path in enumerate(paths)],
    )
    found, other = by_shell(asked, shell), probe(asked)
    assert {f.path: f for f in found.etc_files} == {f.path: f for f in other.etc_files}
    assert (found.files, found.models) == (other.files, told_by_both(other.models))


def model(folder: Path, key: str, source: str) -> dict[str, str]:
    return {
        "key": key,
        "source": source,
        "model_dir": str(folder / "models"),
        "hf_home": str(folder / "hf"),
    }


RECORDS = {
    "plain": b'{"format": 1}\n\n',
    "odd": b'{"a": "\\u00fc \\"x\\" \\\\ ", "b":\t"\xc3\xbc \x07"}\r\nx',
    "empty": b"",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", RECORDS)
def test_the_record(tmp_path: Path, name: str, shell: str) -> None:
    write(tmp_path / "state/record.json", RECORDS[name])
    assert by_shell(request(tmp_path), shell).record == RECORDS[name].decode()


def test_a_binary(tmp_path: Path) -> None:
    said = (
        "-h, --help, --usage   shows --this\n--flash-attn [on|off]\n        --deep\n--cache={a,b} x"
    )
    path = write(tmp_path / "bin/llama-server", f"#!/bin/sh\ncat <<E\n{said}\nE\n".encode())
    path.chmod(0o755)
    write(tmp_path / "bin/libx.so.1", b"1")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    builds = [
        {"backend": "llama-server-cpu", "binary": str(path), "as_login": True},
        {"backend": "llama-server-vulkan", "binary": str(path), "as_login": True},
        {"backend": "llama-server-cpu", "binary": str(tmp_path / "nowhere")},
        {"backend": "vllm-cuda", "binary": str(path)},
    ]
    asked = request(tmp_path, engines=builds)
    found = by_shell(asked).engines
    assert found == probe(asked).engines
    assert found[0].flags == ("--cache", "--flash-attn", "--help", "--usage", "-h")


FAILING = {
    "exit 3": "exit status 3",
    "echo no libfoo >&2; exit 1": "no libfoo",
    "echo hello": "lists no options",
}


@pytest.mark.parametrize("script", FAILING)
def test_a_binary_that_does_not_work(tmp_path: Path, script: str) -> None:
    path = write(tmp_path / "llama-server", f"#!/bin/sh\n{script}\n".encode())
    path.chmod(0o755)
    one = {"backend": "llama-server-cpu", "binary": str(path), "as_login": True}
    (found,) = by_shell(request(tmp_path, engines=[one])).engines
    assert FAILING[script] in (found.error or "")
    assert found.error == probe(request(tmp_path, engines=[one])).engines[0].error


@pytest.mark.parametrize("shell", SHELLS)
def test_who_has_the_lock_and_who_waits(
    tmp_path: Path,
    here: Connection,
    shell: str,
) -> None:
    path, asked = tmp_path / "state/lock", request(tmp_path)
    assert by_shell(asked, shell).lock is probe(asked).lock is None
    with here.session() as ada, here.session() as kim, ThreadPoolExecutor(1) as pool:
        ada.lock(str(path), {"by": "ada"})
        waiting = pool.submit(kim.lock, str(path), {"by": 'k "im"'}, wait=60)
        assert eventually(lambda: (tmp_path / "state/lock.queue/1").exists())
        (tmp_path / "state/lock.queue/7").write_text("of a dead process")
        found = by_shell(asked, shell).lock
        assert found == probe(asked).lock
        ada.close()
        waiting.result(30)
    assert found is not None
    assert found.holder is not None
    assert json.loads(found.holder) == {"by": "ada", "pid": str(found.pid)}
    assert [json.loads(q)["by"] for q in found.queue] == ['k "im"']
