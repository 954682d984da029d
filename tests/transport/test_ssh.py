"""Against a real sshd: whose key is trusted, who may log in, how often we knock."""

import os
import re
import subprocess
import time
from pathlib import Path

import paramiko
import pytest

from tests.transport import sshd
from tests.transport.side import look, refusal
from tests.transport.sshd import Sshd, fingerprint, keygen
from xgen_deploy.errors import UnreachableError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Session
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options

pytestmark = pytest.mark.skipif(sshd.SSHD is None, reason="sshd is not installed")


def test_a_known_host(side, server):
    side.knows(server, server.host_keys[0])
    assert look(side.reach(server)) == b"got it"


def test_one_look_is_one_connection_and_one_command(side, server):
    side.knows(server, server.host_keys[0])
    connection = side.reach(server)
    look(connection)
    look(connection)
    assert server.log.count("Connection from") == 1
    assert server.log.count("Starting session: command") == 2


def test_the_cipher_is_a_fast_one(side, server):
    """Where both sides have it: models go over the connection."""
    side.knows(server, server.host_keys[0])
    connection = side.reach(server)
    look(connection)
    assert connection._connection.transport.local_cipher == "aes128-gcm@openssh.com"


def test_an_unknown_key_is_refused_with_what_to_do(side, server):
    said = refusal(side.reach(server))
    assert "gpu: its host key is not known" in said
    assert fingerprint(server.host_keys[0]) in said
    assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> {side.known_hosts}" in said
    assert "--accept-new-host-keys" in said
    assert not side.known_hosts.exists()


def test_what_the_refusal_says_to_run_makes_it_known(side, server):
    command = re.search(r"ssh-keyscan .*", refusal(side.reach(server)))
    subprocess.run(["sh", "-c", command[0]], check=True, capture_output=True)
    assert look(side.reach(server)) == b"got it"


def test_an_accepted_key_is_recorded(side, server):
    side.write("known_hosts", "other ssh-ed25519 AAAA")
    assert look(side.reach(server, accept=True)) == b"got it"
    assert look(side.reach(server)) == b"got it"
    assert side.known_hosts.read_text().startswith("other ssh-ed25519 AAAA\n")


def test_a_recorded_file_is_private(side, server):
    look(side.reach(server, accept=True))
    assert side.known_hosts.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("accept", [False, True])
def test_a_changed_key_is_always_refused(side, server, accept, tmp_path):
    old = server.host_keys[0]
    side.knows(server, old)
    server.stop()
    server.host_keys = [keygen(tmp_path / "new")]
    server.start()
    said = refusal(side.reach(server, accept=accept))
    assert "its host key has changed" in said
    assert fingerprint(old) in said
    assert fingerprint(server.host_keys[0]) in said
    assert f"-R '[127.0.0.1]:{server.port}'" in said


def test_ssh_config_cannot_weaken_it(side, server):
    side.write("config", "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n")
    assert "its host key is not known" in refusal(side.reach(server))


def test_a_revoked_key_is_refused(side, server):
    side.knows(server, server.host_keys[0])
    blob = Path(f"{server.host_keys[0]}.pub").read_text()
    side.write("known_hosts2", f"@revoked * {blob}")
    assert "is revoked" in refusal(side.reach(server, accept=True))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_key_that_is_known_is_asked_for(side, server, kind, tmp_path):
    server.stop()
    kinds = ("ed25519", "ecdsa", "rsa")
    server.host_keys = [keygen(tmp_path / each, "-t", each) for each in kinds]
    server.start()
    side.knows(server, tmp_path / kind)
    assert look(side.reach(server)) == b"got it"


def test_hashed_and_aliased(side, server):
    side.write("config", "Host box\n HostName 127.0.0.1\n HostKeyAlias cluster\n")
    key = Path(f"{server.host_keys[0]}.pub").read_text()
    known = side.write("known_hosts", f"cluster {key}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    assert "cluster" not in known.read_text()
    assert look(side.reach(server, address="box")) == b"got it"


def test_both_hops_are_checked(side, server, tmp_path):
    side.knows(server, server.host_keys[0])
    inner_folder = tmp_path / "inner"
    inner_folder.mkdir()
    inner = Sshd(inner_folder, server.authorized, [keygen(inner_folder / "key")]).start()
    try:
        way = {"proxy_jump": (f"127.0.0.1:{server.port}",)}
        said = refusal(side.reach(inner, **way))
        assert fingerprint(inner.host_keys[0]) in said
        assert f"ssh -J 127.0.0.1:{server.port} -p {inner.port} " in said
        assert look(side.reach(inner, accept=True, **way)) == b"got it"
        side.known_hosts.unlink()
        side.knows(inner, inner.host_keys[0])
        said = refusal(side.reach(inner, **way))
        assert "gpu: the jump host 127.0.0.1 failed: its host key is not known" in said
        assert fingerprint(server.host_keys[0]) in said
    finally:
        inner.stop()


def test_hosts_behind_one_jump_host_share_it(side, server, tmp_path):
    side.knows(server, server.host_keys[0])
    folder = tmp_path / "inner"
    folder.mkdir()
    inner = Sshd(folder, server.authorized, server.host_keys).start()
    try:
        look(side.reach(inner, accept=True))
        connector = Connector(Options())
        side.opened.append(connector)
        for name in ("a", "b", "c"):
            way = (f"127.0.0.1:{server.port}",)
            host = Host(name=name, address="127.0.0.1", port=inner.port, proxy_jump=way)
            assert look(connector.connect(host)) == b"got it"
        assert server.log.count("Connection from") == 1
    finally:
        inner.stop()


def test_a_key_that_is_not_accepted(side, server, tmp_path):
    side.knows(server, server.host_keys[0])
    other = keygen(tmp_path / "other")
    said = refusal(side.reach(server, private_key_file=str(other), user=server.user))
    assert f"{server.user} could not log in" in said
    assert str(other) in said
    assert "authorized_keys" in said


def test_a_key_with_a_passphrase(side, server, tmp_path):
    side.knows(server, server.host_keys[0])
    locked = keygen(tmp_path / "locked", "-N", "secret")
    said = refusal(side.reach(server, private_key_file=str(locked)))
    assert f"{locked} has a passphrase: add it with `ssh-add {locked}`" in said


def test_a_key_file_that_is_not_there(side, server, tmp_path):
    side.knows(server, server.host_keys[0])
    said = refusal(side.reach(server, private_key_file=str(tmp_path / "none")))
    assert f"{tmp_path / 'none'}: No such file" in said


def test_the_agent_unlocks_a_key(side, server, tmp_path, monkeypatch):
    side.knows(server, server.host_keys[0])
    key = side.home / ".ssh" / "id_ed25519"
    started = subprocess.run(
        ["ssh-agent", "-a", tmp_path / "agent"], check=True, capture_output=True, text=True
    )
    pid = re.search(r"SSH_AGENT_PID=(\d+)", started.stdout)[1]
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        subprocess.run(["ssh-add", "-q", key], check=True)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", key], check=True)
        assert look(side.reach(server)) == b"got it"
    finally:
        os.kill(int(pid), 15)


def test_a_session_and_a_follow(side, server, capfd):
    side.knows(server, server.host_keys[0])
    connection = side.reach(server)
    with connection.session() as session:
        done = session.run(["sh", "-c", "cat; exit 4"], timeout=30, stdin=b"x" * 300_000)
        assert (done.returncode, len(done.stdout)) == (4, 300_000)
    assert connection.follow(["sh", "-c", "echo here; exit 6"]) == 6
    assert capfd.readouterr().out == "here\n"


def kill_sshd_of(session: Session) -> None:
    parents = session.run(["sh", "-c", "cat /proc/$PPID/status"], timeout=30).stdout
    os.kill(int(re.search(r"PPid:\s+(\d+)", parents)[1]), 9)


def test_a_lost_connection_is_told(side, server):
    side.knows(server, server.host_keys[0])
    connection = side.reach(server)
    session = connection.session()
    kill_sshd_of(session)
    with pytest.raises(UnreachableError, match="gpu: the connection was lost while running sleep"):
        session.run(["sleep", "600"], timeout=600)
    assert look(connection) == b"got it"


def test_a_connection_that_ends_while_something_is_sent_is_lost(side, server, monkeypatch):
    side.knows(server, server.host_keys[0])
    session = side.reach(server).session()
    kill_sshd_of(session)

    def ended(*_):
        raise EOFError  # as paramiko does where its thread has not noticed the end yet

    monkeypatch.setattr(paramiko.Channel, "sendall", ended)
    with pytest.raises(UnreachableError, match="gpu: the connection was lost while running sleep"):
        session.run(["sleep", "600"], timeout=600)


def test_a_connection_whose_channels_are_closed_first_is_lost(side, server, monkeypatch):
    """As paramiko's thread does it: the command did not end by itself."""
    side.knows(server, server.host_keys[0])
    connection = side.reach(server)
    session, unlink = connection.session(), vars(paramiko.Channel)["_unlink"]

    def unlinked(channel):
        unlink(channel)
        time.sleep(0.5)

    def take(said):
        if said:
            monkeypatch.setattr(paramiko.Channel, "_unlink", unlinked)
            kill_sshd_of(session)

    with pytest.raises(UnreachableError, match=r"gpu: the connection was lost \(\w"):
        connection.follow(["sh", "-c", "echo; exec sleep 600"], take=take)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("ForceCommand echo welcome", "`welcome`.*ForceCommand"),
        ("MaxSessions 0", "refused to run a command.*MaxSessions"),
        (
            "KbdInteractiveAuthentication yes\n"
            "AuthenticationMethods publickey,keyboard-interactive",
            "key alone: it requires keyboard",
        ),
        ("PubkeyAuthentication no\nPasswordAuthentication yes", "key alone: it requires password"),
    ],
)
def test_what_an_sshd_may_forbid(side, server, settings, says):
    side.knows(server, server.host_keys[0])
    server.stop()
    server.settings = [settings]
    server.start()
    assert re.search(says, refusal(side.reach(server)), re.DOTALL)


@pytest.mark.parametrize(
    ("setting", "offered", "advised"),
    [
        ("KexAlgorithms", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256@libssh.org"),
        ("HostKeyAlgorithms", "ssh-rsa", "rsa-sha2-512"),
        ("Ciphers", "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com"),
        ("MACs", "umac-128@openssh.com", "hmac-sha2-256-etm@openssh.com"),
    ],
)
def test_no_algorithm_is_shared(side, server, setting, offered, advised, tmp_path):
    rsa = keygen(tmp_path / "rsa", "-t", "rsa")
    side.knows(server, rsa)
    server.stop()
    server.host_keys.append(rsa)
    ciphers = [] if setting == "Ciphers" else ["Ciphers aes128-ctr"]
    server.settings = [f"{setting} {offered}", *ciphers]
    server.start()
    said = refusal(side.reach(server))
    assert f"there {offered}; here " in said
    assert f"Add `{advised}` to the line `{setting}` in /etc/ssh/sshd_config there" in said
    server.stop()
    server.settings = [f"{setting} {offered},{advised}", *ciphers]
    server.start()
    assert look(side.reach(server)) == b"got it"


def test_a_closed_port(side, server):
    server.stop()
    said = refusal(side.reach(server))
    assert f"127.0.0.1 port {server.port} refused the connection" in said


def test_a_name_that_does_not_resolve(side, server):
    said = refusal(side.reach(server, address="no-such-host.invalid"))
    assert "no-such-host.invalid does not resolve" in said


def test_a_port_that_is_not_ssh(side, server):
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            for _ in range(2):
                with other.accept()[0] as peer:
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        said = refusal(side.reach(server, port=other.getsockname()[1]))
    assert "closed the connection before SSH began" in said
