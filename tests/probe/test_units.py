from xgen_deploy.probe.remote.units import parse_show
from xgen_deploy.state.facts import ServiceFacts

RUNNING = """Id=xgen-demo-a.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
MainPID=721
NRestarts=2
ExecMainCode=0
ExecMainStatus=0
UnitFileState=enabled
FragmentPath=/nowhere/xgen-demo-a.service
DropInPaths=/etc/systemd/system/xgen-demo-a.service.d/x.conf /usr/lib/systemd/service.d/all.conf
NeedDaemonReload=yes
InvocationID=eb7258080f8c4d70a244eab4f500b89a
ActiveEnterTimestampMonotonic=5000000
"""
FAILED = """Id=xgen-demo-b.service
LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
MainPID=0
NRestarts=5
ExecMainCode=1
ExecMainStatus=3
UnitFileState=disabled
FragmentPath=
DropInPaths=
NeedDaemonReload=no
InvocationID=
ActiveEnterTimestampMonotonic=0
"""
GONE = "Id=xgen-demo-c.service\nLoadState=not-found\nActiveState=inactive\n"
FILE_GONE = "Id=xgen-demo-d.service\nLoadState=not-found\nActiveState=active\nMainPID=9\n"


def seen(*blocks: str) -> list[ServiceFacts]:
    text = "\n".join(blocks)
    return [ServiceFacts.model_validate(unit) for unit in parse_show(text, booted=1000.0)]


def test_a_running_unit() -> None:
    (unit,) = seen(RUNNING)
    assert (unit.name, unit.state, unit.sub_state) == ("xgen-demo-a.service", "active", "running")
    assert (unit.pid, unit.restarts, unit.exit_status) == (721, 2, None)
    assert (unit.enabled, unit.needs_reload, unit.since) == (True, True, 1005.0)
    assert unit.overridden == ("/etc/systemd/system/xgen-demo-a.service.d/x.conf",)


def test_a_failed_unit() -> None:
    (unit,) = seen(FAILED)
    assert (unit.state, unit.result, unit.exit_status) == ("failed", "exit-code", 3)
    assert (unit.enabled, unit.pid, unit.since, unit.invocation) == (False, None, None, None)


def test_a_unit_named_twice_is_one() -> None:
    assert len(seen(RUNNING, FAILED, RUNNING)) == 2


def test_a_unit_that_is_nowhere_is_none_but_one_that_still_runs_is() -> None:
    assert [unit.name for unit in seen(GONE, FILE_GONE)] == ["xgen-demo-d.service"]
