import fcntl
import http.server
import os
import signal
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.transport.eventually import alive, eventually
from xgen_deploy.errors import LockedError, UnreachableError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Completed, HostError
from xgen_deploy.transport.connect import connect
from xgen_deploy.transport.options import Options


def test_a_command(session):
    script = 'cat; echo "$GREETING" >&2; exit 3'
    done = session.run(["sh", "-c", script], timeout=20, stdin=b"in", env={"GREETING": "hi"})
    assert done == Completed(3, "in", "hi\n")


@pytest.mark.parametrize(
    ("argv", "status", "says"),
    [(["no-such-program"], 127, "No such file"), (["/etc/passwd"], 126, "Permission denied")],
)
def test_a_command_that_cannot_start(session, argv, status, says):
    done = session.run(argv, timeout=20)
    assert (done.returncode, says in done.stderr) == (status, True)


def test_arguments_are_data(session):
    odd = ["$(id)", "a b", "", "'\"\\", "*", "ä\n"]
    done = session.run(["printf", "%s|", *odd], timeout=20)
    assert done.stdout == "".join(f"{word}|" for word in odd)


def test_a_late_command_is_ended_with_its_children(session, tmp_path):
    script = f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/child; echo started; wait"
    done = session.run(["sh", "-c", script], timeout=0.5)
    assert (done.returncode, done.stdout) == (124, "started\n")
    child = int((tmp_path / "child").read_text())
    assert eventually(lambda: not alive(child))


def test_the_end_of_a_long_output_is_kept(session):
    done = session.run(["sh", "-c", "yes 0123456789 | head -c 5500000; echo end"], timeout=60)
    assert len(done.stdout) == 1 << 20
    assert done.stdout.endswith("\nend\n")


def test_a_background_child_is_not_waited_for(session):
    done = session.run(["sh", "-c", "sleep 600 & echo $!"], timeout=20)
    assert done.returncode == 0
    assert alive(int(done.stdout))


def test_large_input_that_nobody_reads(session):
    assert session.run(["true"], timeout=20, stdin=b"x" * 3_000_000).returncode == 0


def test_calls_do_not_wait_for_each_other(session, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    results = []
    waiting = threading.Thread(
        target=lambda: results.append(session.run(["cat", str(fifo)], timeout=60))
    )
    waiting.start()
    assert session.run(["sh", "-c", f"echo freed > {fifo}"], timeout=30).returncode == 0
    waiting.join(60)
    assert results == [Completed(0, "freed\n", "")]


def test_a_file_is_written_whole_with_its_mode(session, tmp_path):
    path = tmp_path / "unit"
    path.write_text("old")
    before = path.stat().st_ino
    session.write_file(str(path), b"new\0\xff", mode=0o640)
    assert path.read_bytes() == b"new\0\xff"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != before
    assert [p.name for p in tmp_path.iterdir()] == ["unit"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\nulimit -f 20\nexec /usr/bin/env python3 "$@"\n')
    python.chmod(0o755)
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "env"
    path.write_text("old")
    host = Host(name="here", connection="local", python=str(python), become=False)
    with (
        connect(host, Options()).session() as limited,
        pytest.raises(HostError, match=f"here: writing {path} failed: File too large"),
    ):
        limited.write_file(str(path), b"x" * 1_000_000, mode=0o600)
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["env"]


def test_folders(session, tmp_path):
    path = tmp_path / "a" / "b" / "c"
    session.make_dir(str(path), mode=0o700)
    session.make_dir(str(path), mode=0o750)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (path, *list(path.parents)[:2])]
    assert modes == [0o750, 0o755, 0o755]


def test_many_make_the_same_folders_at_once(session, tmp_path):
    with ThreadPoolExecutor(16) as pool:
        for number in range(20):
            path = str(tmp_path / str(number) / "a" / "b")
            list(pool.map(lambda _, p=path: session.make_dir(p, mode=0o700), range(16)))


def test_reading(session, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    assert session.read_file(str(path)) == b"0123456789"
    assert session.read_file(str(path), offset=8, limit=5) == b"89"
    assert session.read_file(str(tmp_path / "none")) is None
    assert session.read_file(str(path / "below")) is None
    with pytest.raises(HostError, match="Is a directory"):
        session.read_file(str(tmp_path))


def test_removing_follows_no_link(session, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "model").write_text("weights")
    folder = tmp_path / "ours"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "link").symlink_to(kept)
    (folder / "file").write_text("x")
    assert session.remove(str(folder), within=str(tmp_path)) is True
    assert session.remove(str(folder), within=str(tmp_path)) is False
    assert [p.name for p in tmp_path.rglob("*")] == ["kept", "model"]


def test_a_removal_never_leaves_its_root(session, tmp_path):
    root, victim = tmp_path / "root", tmp_path / "victim"
    (root / "sub").mkdir(parents=True)
    (victim / "deep").mkdir(parents=True)
    (root / "way-out").symlink_to(victim)
    for path in (
        f"{root}/../victim",
        f"{root}/../../../..{victim}",
        f"{root}/..",
        f"{root}/.",
        f"{root}/sub/..",
        f"{root}",
        f"{root}/way-out/deep",
        f"{victim}",
        f"{tmp_path}/root-beside",
        "relative",
        "/",
        "/etc",
    ):
        with pytest.raises(HostError, match="is not removed"):
            session.remove(path, within=str(root))
    for root_of_the_system in ("/", "/etc", "/srv/..", "relative"):
        with pytest.raises(HostError, match="is not removed"):
            session.remove("/etc/passwd.none", within=root_of_the_system)
    assert (victim / "deep").is_dir()
    assert (root / "sub").is_dir()


def test_a_root_that_is_itself_behind_a_link_works(session, tmp_path):
    (tmp_path / "disk" / "ours").mkdir(parents=True)
    (tmp_path / "var").symlink_to(tmp_path / "disk")
    assert session.remove(f"{tmp_path}/var/ours", within=f"{tmp_path}/var") is True
    assert session.remove(f"{tmp_path}/var", within=str(tmp_path)) is True, "the link alone"
    assert (tmp_path / "disk").is_dir()
    assert session.remove(f"{tmp_path}/none/ours", within=f"{tmp_path}/none") is False


class Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(418)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (body, self.headers["X-Key"].encode(), self.path.encode()):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def test_a_request(session):
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        reply = session.request(
            "POST",
            "127.0.0.1",
            server.server_port,
            "/v1/x?y=1",
            body=b"body ",
            headers={"X-Key": "k "},
            timeout=20,
        )
    assert (reply.status, reply.body) == (418, b"body k /v1/x?y=1")


def test_a_request_that_nobody_answers(session):
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        port = server.server_port
        late = session.request("GET", "127.0.0.1", port, "/", timeout=0.3)
    refused = session.request("GET", "127.0.0.1", port, "/", timeout=20)
    assert (late.status, b"timed out" in late.body) == (0, True)
    assert (refused.status, refused.body) == (0, b"Connection refused")


def test_the_lock(here, session, tmp_path):
    path = str(tmp_path / "deep" / "lock")
    session.lock(path, {"user": "ada", "since": "10:00"})
    session.lock(path, {"user": "ada"})
    with here.session() as other:
        with pytest.raises(LockedError, match="here: another apply has the lock: user ada, since"):
            other.lock(path, {"user": "bob"})
        session.close()
        other.lock(path, {"user": "bob"}, wait=20)
        with here.session() as third, pytest.raises(LockedError, match="user bob"):
            third.lock(path, {"user": "eve"})
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


def test_a_lock_that_the_guard_of_an_interrupted_apply_has(session, tmp_path):
    path = tmp_path / "lock"
    path.write_text('{"user": "ada", "pid": "999999999"}')
    with path.open("r+b") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match=r"user ada, .* doing putting back"):
            session.lock(str(path), {"user": "bob"})


def test_a_closed_session_says_so(session):
    session.close()
    with pytest.raises(UnreachableError, match=r"here: .*lost while running true"):
        session.run(["true"], timeout=5)


def test_what_a_process_and_its_children_have_read_is_told(session, tmp_path):
    (tmp_path / "model").write_bytes(bytes(3 << 20))
    script = f"sh -c 'cat {tmp_path}/model >/dev/null; echo $$; sleep 600' & sleep 600"
    argv = ["sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        read = session.bytes_read(process.pid)
        own = session.bytes_read(os.getpid())
        os.killpg(process.pid, signal.SIGKILL)
    assert read >= 1 << 20
    assert own > 0
    assert session.bytes_read(2**22 - 1) is None
