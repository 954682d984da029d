"""The transport against hosts that are real: systemd, sshd, sudo with and without a password."""

import pytest

from tests.lab.conftest import Lab
from xgen_deploy.errors import LockedError, UnreachableError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.fleet import each
from xgen_deploy.transport.options import Options

WHO = b"import os; emit(b'%d ' % os.geteuid() + REQUEST)"


class Reach:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.opened: list[Connector] = []

    def __call__(self, password: str | None = None, **host: object) -> Connection:
        options = Options(ssh_config=str(self.lab.ssh_config), become_password=password)
        self.opened.append(Connector(options))
        return self.opened[-1].connect(Host.model_validate({"name": "lab-a"} | host))


@pytest.fixture
def reach(lab):
    made = Reach(lab)
    lab.hosts("lab-a", "lab-b")
    yield made
    for connector in made.opened:
        connector.close()


def look(connection):
    return connection.observe(WHO, b"seen", timeout=30)


def refusal(connection):
    with pytest.raises(UnreachableError) as refused:
        look(connection)
    return str(refused.value)


@pytest.mark.parametrize("user", ["deploy", "banner"])
def test_root_by_sudo(reach, user):
    assert look(reach(user=user)) == b"0 seen"


def test_no_sudo_where_none_is_wanted(reach):
    assert look(reach(become=False)).endswith(b" seen")
    assert not look(reach(become=False)).startswith(b"0 ")


def test_sudo_that_asks(reach):
    assert "sudo asks askpass for a password" in refusal(reach(user="askpass"))
    assert look(reach("lab-password", user="askpass")) == b"0 seen"
    assert "did not accept the password" in refusal(reach("wrong", user="askpass"))


def test_a_password_that_nobody_asks_for(reach):
    assert look(reach("lab-password", user="banner")) == b"0 seen"


@pytest.mark.parametrize("user", ["deploy", "banner"])
def test_a_session_as_root(reach, user):
    with reach(user=user).session() as session:
        assert session.run(["id", "-u"], timeout=30).stdout == "0\n"
        assert session.run(["systemctl", "is-system-running"], timeout=30).stdout == "running\n"
        session.make_dir("/run/lab/xgen-test", mode=0o700)
        session.write_file("/run/lab/xgen-test/env", b"KEY=1", mode=0o440, uid=1, gid=2)
        listed = session.run(["stat", "-c", "%a %u %g", "/run/lab/xgen-test/env"], timeout=30)
        assert listed.stdout == "440 1 2\n"
        assert session.remove("/run/lab/xgen-test", within="/run/lab")


def test_a_password_session(reach):
    with reach("lab-password", user="askpass").session() as session:
        assert session.run(["id", "-u"], timeout=30).stdout == "0\n"


def test_a_full_disk_keeps_the_old_file(reach):
    with reach().session() as session:
        session.make_dir("/run/lab/xgen-full", mode=0o700)
        small = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/run/lab/xgen-full"]
        assert session.run(small, timeout=30).returncode == 0
        try:
            session.write_file("/run/lab/xgen-full/unit", b"old", mode=0o600)
            with pytest.raises(Exception, match=r"lab-a: writing .* No space left on device"):
                session.write_file("/run/lab/xgen-full/unit", b"x" * 200_000, mode=0o600)
            assert session.read_file("/run/lab/xgen-full/unit") == b"old"
            assert session.run(["ls", "-A", "/run/lab/xgen-full"], timeout=30).stdout == "unit\n"
        finally:
            session.run(["umount", "/run/lab/xgen-full"], timeout=30)
            session.remove("/run/lab/xgen-full", within="/run/lab")


def test_one_apply_at_a_time(reach):
    lock = "/run/lab/xgen-lock-test/lock"
    with reach().session() as mine, reach().session() as theirs:
        mine.lock(lock, {"user": "ada"})
        with pytest.raises(LockedError, match="lab-a: another apply has the lock: user ada"):
            theirs.lock(lock, {"user": "bob"})
        mine.close()
        theirs.lock(lock, {"user": "bob"}, wait=30)
        theirs.remove("/run/lab/xgen-lock-test", within="/run/lab")


def test_the_journal_is_followed(reach, capfd):
    connection = reach()
    argv = ["journalctl", "-n", "1", "-o", "cat", "-u", "ssh", "--no-pager"]
    assert connection.follow(argv, timeout=60) == 0
    assert capfd.readouterr().out


def test_a_follower_leaves_nothing_behind(reach):
    connection = reach()
    marked = ["journalctl", "-f", "-n", "0", "-t", "xgen-nobody-writes-this"]
    assert connection.follow(marked, timeout=1.0) == 124
    count = "while pgrep -f '[x]gen-nobody-writes' > /dev/null; do sleep 0.1; done"
    with connection.session() as session:
        assert session.run(["sh", "-c", count], timeout=20).returncode == 0


def test_through_the_other_host(lab, reach):
    address = lab.host("lab-b").address
    jump = {"name": "far", "address": address, "proxy_jump": ("lab-a",)}
    assert look(reach(**jump)) == b"0 seen"


def test_several_hosts(lab):
    connector = Connector(Options(ssh_config=str(lab.ssh_config)))
    lab.hosts("lab-a", "lab-b")
    hosts = [Host(name="lab-a"), Host(name="gone", address="127.0.0.1", port=1), Host(name="lab-b")]
    results = each([connector.connect(host) for host in hosts], look)
    connector.close()
    assert (results["lab-a"], results["lab-b"]) == (b"0 seen", b"0 seen")
    assert "127.0.0.1 port 1 refused the connection" in str(results["gone"])
