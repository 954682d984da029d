"""The guard of a change is told apart from an instance that only has a name like it."""

from pathlib import Path

import pytest

from tests.apply.folder_host import ShownSession, at_work
from xgen_deploy.apply.guard import disarm
from xgen_deploy.state.layout import Layout

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
    layout = Layout(project="p", state_dir=f"{tmp_path}/s", etc_dir="/e", unit_dir=str(tmp_path))
    boot_unit = Path(layout.boot_unit("q"))
    boot_unit.touch()
    session = ShownSession(
        f"FragmentPath={fragment}\nExecStart={command.format(layout.state_dir)}\n"
    )
    work = at_work(session, layout, tmp_path)
    disarm(work, "q")
    assert ("systemctl", "stop", "xgen-p-q.guard.service") in session.ran
    assert (("systemctl", "stop", OLDER) in session.ran) is stopped
    assert not boot_unit.exists()
