"""The guard of a change is told apart from an instance that only has a name like it."""

from pathlib import Path

import pytest

from tests.apply.conftest import context_on
from tests.fake_host.host import LAYOUT, FakeHost
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
