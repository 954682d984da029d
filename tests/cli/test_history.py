"""`history N`: the values that an apply changed, what failed and the engine's own sentence, which
`status` shows too."""

import json

import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.site import FakeSite

WORDS = "main: failed to allocate 5 GiB"
BROKEN = {"4096": Engine(dies="at once", complaint=WORDS)}


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """Apply #1 was good; #2 failed on the first host, so the second was not begun with."""
    made = make_site({"h": "cpu", "b": "cpu"}, hosts={"h": [q()], "b": [q()]})
    made.apply()
    for host in made.hosts.values():
        host.engines = {"--ctx-size 8192": BROKEN["4096"]}
    made.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    made.apply(code=1)
    return made


def test_one_apply_is_shown_with_its_values_and_what_failed(site: FakeSite) -> None:
    said = site.run("history", "2").out
    assert "#1 " not in said
    assert "\nh\n  update q: " in said
    assert "    q: n_ctx 2048 -> 4096\n  FAILED  q: " in said
    assert said.count(WORDS) == 1
    assert "  FAILED  q: not started, because h/q failed" in said
    assert "\nh, b\n  create q: " in site.run("history", "1").out, "both had the same"
    (apply,) = json.loads(site.run("history", "2", "--json").out)["applies"]
    assert apply["number"] == 2
    assert apply["hosts"]["h"]["values"] == ["q: n_ctx 2048 -> 4096"]
    assert WORDS in apply["hosts"]["h"]["failures"]["q"]


def test_a_number_that_there_is_not_is_refused(site: FakeSite) -> None:
    ran = site.run("history", "7")
    assert ran.code == 1
    assert "there is no record of apply #7; there are #1, #2" in ran.said
    assert site.run("history", "1", "--since", "7d").code == 1


def test_status_says_why_the_last_apply_failed_though_the_version_before_serves(
    site: FakeSite,
) -> None:
    ran = site.run("status")
    assert ran.code == 0
    assert "WARNING  h/q: apply #2 failed: " in ran.out
    assert WORDS in ran.out
    for host in site.hosts.values():
        host.engines = {}
    site.apply()
    assert "failed" not in site.run("status").out


def test_what_never_came_to_run_says_why(make_site: MakeSite) -> None:
    site = make_site(hosts={"h": [q(n_ctx=4096)]})
    site.hosts["h"].engines = {"--ctx-size 8192": BROKEN["4096"]}
    site.apply(code=1)
    (row,) = json.loads(site.run("status", "--json").out)["models"]
    assert row["status"] == "absent"
    assert row["reason"].startswith("apply #1 failed: ")
    assert WORDS in row["reason"]


def test_a_gateway_that_failed_is_in_it_too(gateway_site: FakeSite) -> None:
    gateway_site.hosts["h"].systemd.run(["systemctl", "stop", "xgen-p-q.service"])
    gateway_site.change(lambda m: m["gateway"].update(queue_timeout="9s"))
    gateway_site.run("apply", "-y", "--limit", "g")
    (apply,) = json.loads(gateway_site.run("history", "2", "--json").out)["applies"]
    assert "nothing answers for q" in apply["hosts"]["g"]["failures"]["gateway"]
