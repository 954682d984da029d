import hashlib
import xmlrpc.client
from pathlib import Path

from tests.probe.fake_unix_server import endpoint
from tests.probe.gguf_writer import write
from xgen_deploy.probe.remote.programs import programs
from xgen_deploy.state.facts import ServiceFacts

KNOWN = [
    {"name": "a", "group": "a", "statename": "RUNNING", "pid": 7, "start": 100, "exitstatus": 0},
    {"name": "b", "group": "b", "statename": "FATAL", "pid": 0, "start": 100, "exitstatus": 2,
     "spawnerr": "Exited too quickly"},
    {"name": "gone", "group": "gone", "statename": "BACKOFF", "pid": 0, "start": 0,
     "exitstatus": 1},
]  # fmt: skip


def look(folder: Path) -> dict[str, ServiceFacts]:
    return {one["name"]: ServiceFacts.model_validate(one) for one in programs(str(folder))}


def define(folder: Path, *names: str) -> None:
    for name in names:
        write(folder / f"conf.d/{name}.conf", f"[program:{name}]\n".encode())


def test_what_the_supervisor_runs(tmp_path: Path) -> None:
    define(tmp_path, "a", "b", "c")
    answer = xmlrpc.client.dumps((KNOWN,), methodresponse=True).encode()
    with endpoint(tmp_path / "supervisor.sock", lambda *_: (200, answer)):
        seen = look(tmp_path)
    assert {name: (one.state, one.pid, one.since) for name, one in seen.items()} == {
        "a": ("active", 7, 100.0),
        "b": ("failed", None, None),
        "c": ("inactive", None, None),
        "gone": ("activating", None, None),
    }
    assert (seen["b"].result, seen["b"].exit_status) == ("Exited too quickly", 2)
    assert seen["a"].sha256 == hashlib.sha256(b"[program:a]\n").hexdigest()
    assert (seen["a"].restarts, seen["gone"].sha256) == (None, None)


def test_no_supervisor_means_that_nothing_runs(tmp_path: Path) -> None:
    define(tmp_path, "a")
    with endpoint(tmp_path / "supervisor.sock", lambda *_: (200, b"")):
        pass  # a socket file remains that nobody listens on
    (only,) = look(tmp_path).values()
    assert (only.state, only.sub_state) == ("inactive", "no supervisor")


def test_no_folder_means_no_programs(tmp_path: Path) -> None:
    assert look(tmp_path / "absent") == {}


def test_no_supervisor_listens_at_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    define(folder, "a")
    (only,) = look(folder).values()
    assert (only.state, only.sub_state) == ("inactive", "no supervisor")
