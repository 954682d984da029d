"""The watchdog's timer and service, from what `systemctl show` prints."""

import pytest

from xgen_deploy.probe.remote.watchdog import parse_watchdog
from xgen_deploy.state.facts import WatchdogFacts

NAME = "xgen-demo"
SHOWN = {
    "well": (
        "loaded active enabled",
        "loaded inactive success 1 0 5000000",
        {"timer": "active", "enabled": True, "state": "inactive", "result": "success"},
        0,
    ),
    "its interpreter is gone": (
        "loaded active enabled",
        "loaded failed exit-code 1 203 7000000",
        {"timer": "active", "enabled": True, "state": "failed", "result": "exit-code"},
        203,
    ),
    "stopped by hand": (
        "loaded inactive disabled",
        "loaded inactive success 0 0 0",
        {"timer": "inactive", "enabled": False, "state": "inactive", "result": "success"},
        None,
    ),
    "never there": (
        "not-found inactive ",
        "not-found inactive success 0 0 0",
        {"timer": None, "enabled": False, "state": "inactive", "result": "success"},
        None,
    ),
}
TIMER = "Id=xgen-demo.timer\nLoadState={}\nActiveState={}\nUnitFileState={}\nResult=success\n"
SERVICE = """ExecMainCode={3}
ExecMainStatus={4}
ExecMainExitTimestampMonotonic={5}
Id=xgen-demo.service
LoadState={0}
ActiveState={1}
UnitFileState=static
Result={2}
"""


def _text(case: str) -> str:
    timer, service, *_ = SHOWN[case]
    return f"{TIMER.format(*timer.split(' '))}\n{SERVICE.format(*service.split(' '))}"


@pytest.mark.parametrize("case", SHOWN)
def test_what_systemctl_shows(case: str) -> None:
    found = WatchdogFacts.model_validate(parse_watchdog(_text(case), NAME, booted=1000.0))
    assert found.model_dump(exclude={"exit_status", "last_run"}) == SHOWN[case][2]
    assert found.exit_status == SHOWN[case][3]
    assert (found.last_run is None) == (SHOWN[case][3] is None)
