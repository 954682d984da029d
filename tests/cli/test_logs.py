"""`logs`: of one instance, of all, of the gateway; filtered, and in the order of their times."""

import json

import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UsageError
from xgen_deploy.run.logs.entries import FileEntries, JournalEntries, LogEntry
from xgen_deploy.run.logs.request import LogRequest, log_argv, pattern_of
from xgen_deploy.state.layout import process_layout, system_layout

LAYOUT = system_layout("p")


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """Two hosts with an instance each."""
    made = make_site({"h": "cpu", "b": "cpu"}, hosts={"h": [q()], "b": [q(name="q-b")]})
    made.apply()
    return made


def test_one_instance_s_log_is_the_journal_s(site: FakeSite) -> None:
    said = site.run("logs", "q").said
    assert "system_info: n_threads = 16" in said
    assert "h/q" not in said


def test_without_a_name_all_instances_are_shown_with_their_place(site: FakeSite) -> None:
    ran = site.run("logs")
    assert ran.code == 0
    for place in ("h/q  ", "b/q-b  "):
        assert f" {place.strip():<5}  0.00.100.000 I system_info: n_threads = 16" in ran.said


def test_all_is_what_the_manifest_has_within_the_limit_the_gateway_too(
    gateway_site: FakeSite,
) -> None:
    for host in gateway_site.hosts.values():
        host.forget()
    gateway_site.run("logs")
    (asked,) = [a for a in gateway_site.hosts["g"].ran if a[0] == "journalctl"]
    assert "--unit=xgen-p-gateway.service" in asked
    assert gateway_site.run("logs", "gateway").code == 0
    assert gateway_site.run("logs", "gateway", "--limit", "h").code == 1


def test_all_are_followed_at_once(site: FakeSite) -> None:
    said = site.run("logs", "-f", "--grep", "system_info").out
    assert sorted(line.split()[2] for line in said.splitlines()) == ["b/q-b", "h/q"]
    assert all("--follow" in argv for h in site.hosts.values() for argv in _journalctl(h))


def _journalctl(host: FakeHost) -> list[tuple[str, ...]]:
    return [argv for argv in host.ran[-1:] if argv[0] == "journalctl"]


def test_grep_shows_the_lines_that_match(site: FakeSite) -> None:
    for words in (("q",), ()):
        said = site.run("logs", *words, "--grep", "new slot").said
        assert "new slot, n_ctx" in said
        assert "system_info" not in said


def test_json_of_several_has_time_and_place(site: FakeSite) -> None:
    document = json.loads(site.run("logs", "--grep", "system_info", "--json").said)
    assert document["entries"] == [
        {
            "time": 1700000000.0,
            "host": host,
            "instance": name,
            "text": "0.00.100.000 I system_info: n_threads = 16",
        }
        for host, name in (("h", "q"), ("b", "q-b"))
    ]


def test_an_unreached_host_is_said_and_the_others_are_shown(site: FakeSite) -> None:
    site.hosts["b"].unreachable = "port 22 timed out"
    ran = site.run("logs")
    assert ran.code == 4
    assert "h/q" in ran.said
    assert "b: port 22 timed out" in ran.said


def test_an_instance_that_the_manifest_has_no_more_is_found_in_a_record(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"].update(b=[]))
    assert site.run("logs", "q-b").code == 0


@pytest.mark.parametrize("words", [("--grep", "("), ("--since", "yesterday")], ids=" ".join)
def test_what_cannot_be_understood_is_refused(site: FakeSite, words: tuple[str, ...]) -> None:
    ran = site.run("logs", *words)
    assert ran.code == 1
    assert words[1] in ran.said


def test_the_journal_is_asked_for_what_is_wanted() -> None:
    units = ["--unit=xgen-p-q.service", "--unit=xgen-p-q.b.service"]
    start = ["journalctl", "--no-pager", *units]
    assert log_argv(LAYOUT, ["q"], LogRequest()) == [*start, "--lines=200"]
    assert log_argv(LAYOUT, ["q"], LogRequest(5, 1.7e9)) == [
        *start, "--since=@1700000000", "--lines=5",
    ]  # fmt: skip
    failing = LogRequest(pattern=pattern_of("fail"))
    assert log_argv(LAYOUT, ["q"], failing) == [*start, "--grep=fail"]
    following = LogRequest(5, pattern=pattern_of("fail"), follow=True)
    assert log_argv(LAYOUT, ["q"], following) == [*start, "--lines=5", "--follow"]


def test_files_without_times_take_no_since() -> None:
    layout = process_layout("p", "/s")
    log = "/s/xgen-deploy/p/log/q.log"
    assert log_argv(layout, ["q"], LogRequest(5)) == ["tail", "--lines=5", log]
    matching = LogRequest(pattern=pattern_of("x"))
    assert log_argv(layout, ["q"], matching) == ["tail", "--lines=+1", log]
    with pytest.raises(UsageError, match="no times"):
        log_argv(layout, ["q"], LogRequest(since=1.0))


@pytest.mark.parametrize(
    ("pattern", "line", "matches"),
    [("fail", "FAILED", True), ("Fail", "FAILED", False), ("^x.z$", "xyz", True)],
)
def test_without_a_capital_any_case_matches(pattern: str, line: str, matches: bool) -> None:
    assert LogRequest(pattern=pattern_of(pattern)).matches(line) is matches


def test_what_a_host_calls_an_entry_is_read_with_care() -> None:
    entries = JournalEntries("h", {"xgen-p-q.service": "q"})
    lines = [
        b'{"__REALTIME_TIMESTAMP": "1000000", "UNIT": "xgen-p-q.service", "MESSAGE": "a\\nb"}',
        b'{"__REALTIME_TIMESTAMP": "2000000", "_SYSTEMD_UNIT": "evil", "MESSAGE": [104, 255]}',
        *(b"[1]", b"{", b'{"MESSAGE": "no time"}', b'{"__REALTIME_TIMESTAMP": "x"}', b""),
    ]
    assert [entry for line in lines for entry in entries.read(line)] == [
        LogEntry("h", "q", "a", 1.0),
        LogEntry("h", "q", "b", 1.0),
        LogEntry("h", "", "h\\xff", 2.0),
    ]


def test_several_files_are_told_apart_by_tail_s_headers() -> None:
    entries = FileEntries("h", {"/log/a": "a", "/log/b": "b"})
    lines = [b"==> /log/a <==", b"1", b"", b"==> /log/b <==", b"2", b"==> /etc/passwd <=="]
    told = [(e.instance, e.text) for line in lines for e in entries.read(line)]
    assert told == [("a", "1"), ("b", "2"), ("b", "==> /etc/passwd <==")]
