"""Ctrl-C during a change: what the hosts put back by themselves is said, and waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from tests.apply.conftest import MakeSite
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UnreachableError

Moment = Callable[[tuple[str, ...]], bool]


def interrupted_at(
    host: FakeHost,
    moment: Moment,
    then: Literal["put back", "interrupted", "nothing"] = "put back",
) -> list[str]:
    """The tool is interrupted where a command is to run; what happens once it asks the host whether
    the lock is free. Returns what was seen of both."""
    seen: list[str] = []
    guards_begin = host.lock_was_freed
    host.lock_was_freed = lambda: None  # type: ignore[method-assign]

    def before(argv: tuple[str, ...], _: str) -> None:
        if argv[:2] == ("flock", "--nonblock"):
            seen.append("waiting")
            if then == "interrupted":
                raise KeyboardInterrupt
            if then == "put back":
                guards_begin()
        elif not seen and moment(argv):
            seen.append("interrupted")
            raise KeyboardInterrupt

    host.before = before
    return seen


def restarting(argv: tuple[str, ...]) -> bool:
    return argv[:2] == ("systemctl", "restart")


@pytest.fixture
def updated(site: FakeSite) -> FakeSite:
    site.apply()
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    return site


def test_the_put_back_is_said_and_waited_for(updated: FakeSite) -> None:
    seen = interrupted_at(updated.hosts["h"], restarting)
    ran = updated.run("apply", "-y")
    assert ran.code == 130
    assert seen == ["interrupted", "waiting"]
    said = ran.said
    assert "h/q  interrupted: the host puts back the previous version" in said
    assert "The previous version was put back and serves again" in said
    assert said.index("puts back") < said.index("serves again") < said.index("the next apply")
    assert [p.context for p in updated.hosts["h"].running()] == [2048]


def test_a_second_one_leaves_it_to_the_host(updated: FakeSite) -> None:
    interrupted_at(updated.hosts["h"], restarting, "interrupted")
    ran = updated.run("apply", "-y")
    assert ran.code == 130
    assert "not waited for: the hosts put back by themselves what worked" in ran.said


def test_before_anything_was_stopped_what_runs_is_left(updated: FakeSite) -> None:
    interrupted_at(updated.hosts["h"], lambda argv: argv[0] == "systemd-run")
    ran = updated.run("apply", "-y")
    assert ran.code == 130
    assert "h/q  interrupted. The version from before serves" in ran.said


def test_a_first_version_is_left_to_the_next_apply(make_site: MakeSite) -> None:
    site = make_site()
    interrupted_at(site.hosts["h"], restarting)
    ran = site.run("apply", "-y")
    assert ran.code == 130
    assert "It was being created and is left as it is" in ran.said


def test_a_put_back_that_does_not_come_is_not_waited_for(updated: FakeSite) -> None:
    interrupted_at(updated.hosts["h"], restarting, "nothing")
    ran = updated.run("apply", "-y")
    assert ran.code == 130
    assert "The previous version is not back yet" in ran.said


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UnreachableError("h", "lost")])
def test_what_runs_since_a_start_was_cut_short_is_not_called_stopped(
    error: BaseException, site: FakeSite
) -> None:
    host = site.hosts["h"]
    site.apply()
    site.run("stop", "-y")

    def cut_short(argv: tuple[str, ...], _: str) -> None:
        if restarting(argv):
            host.systemd.run(argv)
            raise error

    host.before = cut_short
    site.run("start", "-y")
    host.before = lambda *_: None
    said = site.run("plan").said
    assert "q was stopped by " in said
    assert "runs all the same, without a proof" in said
    assert "stays stopped" not in said
    verified = site.run("verify")
    assert verified.code == 1
    assert "h/q  stopped: " in verified.said, verified.said
    assert "it runs all the same, without a proof" in verified.said
    assert site.run("stop", "-y").code == 0
    assert host.running() == []
    assert "q stays stopped" in site.run("plan").said
    assert site.run("verify").code == 0
