"""What puts the previous version back if the tool is gone: there while a change is under way, gone
when it is over, and told apart from an instance that only has a name like it.
"""

from pathlib import Path

import pytest

from tests.apply.conftest import context_on
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.apply.guard import disarm

OLDER = "xgen-p-q-guard.service"


@pytest.mark.parametrize(
    ("fragment", "command", "stopped"),
    [
        (f"/run/systemd/transient/{OLDER}", "flock {0}/lock sh {0}/put-back.sh a b c", True),
        (f"/etc/systemd/system/{OLDER}", "/usr/bin/docker run q-guard", False),
        (f"/etc/systemd/system/{OLDER}", "flock {0}/lock sh {0}/put-back.sh a b c", False),
        (f"/run/systemd/transient/{OLDER}", "sleep 1000", False),
        ("", "", False),
    ],
)
def test_a_guard_of_0_1_0_is_ended_and_an_instance_of_its_name_is_not(
    tmp_path: Path, fragment: str, command: str, stopped: bool
) -> None:
    host = FakeHost("h")
    host.put(LAYOUT.boot_unit("q"), b"", 0o644)
    shown = f"FragmentPath={fragment}\nExecStart={command.format(LAYOUT.state_dir)}\n"
    host.before = lambda argv, _: shown if argv[:2] == ("systemctl", "show") else None
    disarm(context_on(host, tmp_path), "q")
    assert ("systemctl", "stop", "xgen-p-q.guard.service") in host.ran
    assert (("systemctl", "stop", OLDER) in host.ran) is stopped
    assert LAYOUT.boot_unit("q") not in host.files


@pytest.mark.parametrize("engine", [Engine(), Engine(dies="at once")], ids=["good", "bad"])
def test_it_is_armed_while_the_old_version_is_stopped_and_no_longer(
    engine: Engine, site: FakeSite
) -> None:
    site.apply()
    host, armed = site.hosts["h"], []
    host.engines["--ctx-size 8192"] = engine

    def note(argv: tuple[str, ...], _: str) -> None:
        if argv[:2] == ("systemctl", "restart"):
            guarded = LAYOUT.guard("q") in host.systemd.guards
            armed.append(guarded and host.systemd.unit("xgen-p-q.put-back.service").enabled)

    host.before = note
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    site.apply(code=0 if engine == Engine() else 1)
    assert armed == [True]
    assert not host.systemd.guards
    assert LAYOUT.boot_unit("q") not in host.files
    assert not [path for path in host.files if "/previous/" in path]


def test_a_first_version_has_nothing_to_guard(site: FakeSite) -> None:
    site.apply()
    assert not [argv for argv in site.hosts["h"].ran if argv[0] == "systemd-run"]
