"""Against a real sshd and ssh-agent: which key and which certificate logs in."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.transport import sshd
from tests.transport.side import add, agent, look, refusal
from tests.transport.sshd import keygen

pytestmark = pytest.mark.skipif(sshd.SSHD is None, reason="sshd is not installed")


@pytest.fixture
def login(side, server):
    """The key that the server takes. Nothing of it is where SSH looks by itself."""
    side.knows(server, server.host_keys[0])
    key = side.home / "keys" / "login"
    key.parent.mkdir()
    shutil.copy(side.home / ".ssh" / "id_ed25519.pub", server.folder / "authorized")
    server.stop()
    server.authorized = server.folder / "authorized"
    server.start()
    (side.home / ".ssh" / "id_ed25519").rename(key)
    (side.home / ".ssh" / "id_ed25519.pub").rename(f"{key}.pub")
    return key


@pytest.fixture
def held(tmp_path, monkeypatch):
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    with agent(tmp_path / "my agent") as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield socket


def sign(side, server, key: Path, *options: str) -> Path:
    """A certificate of `key`, which the server then takes by its authority alone."""
    authority = keygen(side.home / "keys" / "authority")
    argv = ["ssh-keygen", "-q", "-s", authority, "-I", "ada", "-n", server.user, *options]
    subprocess.run([*argv, f"{key}.pub"], check=True)
    server.stop()
    server.settings = [f"TrustedUserCAKeys {authority}.pub"]
    server.authorized.write_text("")
    server.start()
    return key.with_name(f"{key.name}-cert.pub")


def test_a_public_key_names_a_key_of_the_agent(side, server, login, held, tmp_path):
    for number in range(7):
        add(held, keygen(tmp_path / str(number)))
    add(held, login)
    login.unlink()
    side.write("config", f"IdentitiesOnly yes\nIdentityFile {login}.pub\n")
    assert look(side.reach(server)) == b"got it"
    assert server.log.count("Postponed publickey") + server.log.count("Failed publickey") <= 1


def test_so_does_the_inventory(side, server, login, held):
    add(held, login)
    login.unlink()
    assert look(side.reach(server, private_key_file=f"{login}.pub")) == b"got it"


def test_and_an_encrypted_key_without_its_public_file(side, server, login, held):
    add(held, login)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", login], check=True)
    Path(f"{login}.pub").unlink()
    side.write("config", f"IdentitiesOnly yes\nIdentityFile {login}\n")
    assert look(side.reach(server)) == b"got it"


def test_an_agent_of_its_own(side, server, login, held, monkeypatch):
    add(held, login)
    login.unlink()
    monkeypatch.delenv("SSH_AUTH_SOCK")
    side.write("config", f'IdentityAgent "{held}"\nIdentitiesOnly yes\nIdentityFile {login}.pub\n')
    assert look(side.reach(server)) == b"got it"


def test_a_public_key_that_no_agent_holds(side, server, login, held):
    side.write("config", f"IdentitiesOnly yes\nIdentityFile {login}.pub\n")
    said = refusal(side.reach(server))
    assert f"{login}.pub is a public key, and the ssh-agent at {held} does not hold its key" in said


def test_a_key_that_the_agent_does_not_sign_with(side, server, login, held, tmp_path):
    refuses = keygen(tmp_path / "refuses", "-C", "needs a touch")
    add(held, "-c", refuses)
    add(held, login)
    login.unlink()
    with server.authorized.open("a") as authorized:
        authorized.write(Path(f"{refuses}.pub").read_text())
    assert look(side.reach(server)) == b"got it"


def test_an_agent_signs_only_what_the_server_takes(side, server, login, tmp_path, monkeypatch):
    asked = tmp_path / "asked"
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho asked >> {asked}\n")
    ask.chmod(0o700)
    always = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    with agent(tmp_path / "confirming", **always) as socket:
        add(socket, "-c", keygen(tmp_path / "other"))
        add(socket, "-c", login)
        login.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        assert look(side.reach(server)) == b"got it"
    assert asked.read_text() == "asked\n"


def test_the_only_key_is_not_signed_with(side, server, login, held):
    add(held, "-c", login)
    login.unlink()
    said = refusal(side.reach(server))
    assert "the server takes it, but the ssh-agent did not sign" in said
    assert "Confirm the key when the agent asks" in said
    assert "authorized_keys" not in said


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_beside_its_key(side, server, login, kind):
    key = keygen(side.home / "keys" / kind, "-t", kind)
    sign(side, server, key)
    assert look(side.reach(server, private_key_file=str(key))) == b"got it"
    assert "Accepted certificate ID" in server.log


@pytest.mark.parametrize("only", ["yes", "no"])
def test_a_certificate_file(side, server, login, only):
    certificate = sign(side, server, login).rename(side.home / "elsewhere.pub")
    side.write(
        "config", f"IdentitiesOnly {only}\nIdentityFile {login}\nCertificateFile {certificate}\n"
    )
    assert look(side.reach(server)) == b"got it"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_certificate_for_a_key_of_the_agent(side, server, login, held, kind):
    key = keygen(side.home / "keys" / kind, "-t", kind)
    add(held, key)
    certificate = sign(side, server, key).rename(side.home / "elsewhere.pub")
    key.unlink()
    side.write("config", f"IdentitiesOnly yes\nCertificateFile {certificate}\n")
    assert look(side.reach(server)) == b"got it"


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_that_the_agent_holds(side, server, login, held, kind):
    key = keygen(side.home / "keys" / kind, "-t", kind)
    sign(side, server, key)
    add(held, key)
    for file in key.parent.glob(f"{kind}*"):
        file.unlink()
    assert look(side.reach(server)) == b"got it"


def test_the_key_alone_where_its_certificate_is_not_taken(side, server, login):
    old = sign(side, server, login, "-V", "-2d:-1d")
    shutil.copy(f"{login}.pub", server.authorized)
    assert old.exists()
    assert look(side.reach(server, private_key_file=str(login))) == b"got it"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("-V", "-2d:-1d"), "get a new certificate"),
        (("-V", "+1d:+2d"), "check the clock of this machine"),
        (("-n", "eve"), "is for eve, not for"),
    ],
)
def test_why_a_certificate_is_not_taken(side, server, login, options, says):
    certificate = sign(side, server, login, *options)
    said = refusal(side.reach(server, private_key_file=str(login)))
    assert f"{certificate} " in said
    assert says in said


def test_a_certificate_of_another_key(side, server, login):
    other = keygen(side.home / "keys" / "other")
    certificate = sign(side, server, other)
    side.write("config", f"IdentityFile {login}\nCertificateFile {certificate}\n")
    said = refusal(side.reach(server))
    assert f"{certificate} is for a key that is neither named here nor in the ssh-agent" in said
