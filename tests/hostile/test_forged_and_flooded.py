"""A field of a host's prints no line of its own, and no list of a host's fills the screen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fake_host.host import LAYOUT
from tests.hostile.conftest import Site, check
from xgen_deploy.limits import CHANGES, HISTORY_ENTRIES, INSTANCES

HISTORY = f"{LAYOUT.history}/1.json"
FORGED = "Nothing to do; all hosts verified."
BREAKS = f"x\n\n{FORGED}\n\tok"
_READABLE = 20_000


def told(site: Site, record: dict[str, Any]) -> None:
    text = json.dumps(record)
    site.host.document["record"] = text
    site.host.files[LAYOUT.record] = text.encode()


def test_a_line_break_in_a_record_is_shown_as_one(site: Site) -> None:
    record = json.loads(site.host.document["record"])
    record["hosts"].append(BREAKS)
    record["last_apply"] |= {"by": BREAKS, "outcome": BREAKS}
    record["instances"]["q"]["stopped"] = {"by": BREAKS, "at": 1.0}
    record["instances"]["q"]["report"] = {"warnings": [BREAKS], "version": BREAKS}
    told(site, record)
    for command in ("plan", "status"):
        _shown_escaped(site, command)


def test_a_line_break_in_a_history_entry_is_shown_as_one(site: Site) -> None:
    entry = json.loads(site.host.files[HISTORY])
    entry["apply"] |= {"by": BREAKS, "git": BREAKS, "what": BREAKS, "changes": [BREAKS]}
    site.host.files[HISTORY] = json.dumps(entry).encode()
    _shown_escaped(site, "history")


def test_a_line_break_in_what_the_probe_says_is_shown_as_one(site: Site) -> None:
    document = site.host.document
    document["services"][0] |= {"state": "failed", "result": BREAKS, "overridden": [BREAKS]}
    document["errors"] = {"services": BREAKS}
    document["lock"] = {"holder": json.dumps({"by": BREAKS, "doing": BREAKS}), "pid": 1}
    document["heal"] = json.dumps({"instances": {"q": {"gave_up": BREAKS}}})
    for command in ("plan", "status"):
        _shown_escaped(site, command)


def _shown_escaped(site: Site, command: str) -> None:
    ran = site.run(command)
    check(site, ran)
    assert FORGED in ran.said
    assert not [line for line in ran.said.splitlines() if line.strip().startswith(FORGED)]


def test_hosts_that_a_record_names_are_told_of_by_the_ten(site: Site) -> None:
    record = json.loads(site.host.document["record"])
    record["hosts"] += [f"x{n}" for n in range(5000)]
    told(site, record)
    ran = site.run("plan")
    assert "x9 left the manifest" in ran.said
    assert "... and 4990 more hosts that left the manifest" in ran.said
    assert len(ran.said) < _READABLE


@pytest.mark.parametrize("field", ["hosts", "pending"])
def test_a_record_that_names_more_than_there_can_be_is_refused(site: Site, field: str) -> None:
    record = json.loads(site.host.document["record"])
    names = [f"x{n}" for n in range(20_000)]
    record[field] = names if field == "hosts" else dict.fromkeys(names, "d")
    told(site, record)
    ran = site.run("plan")
    assert ran.code == 1
    assert "at most" in ran.said
    assert len(ran.said) < _READABLE


def test_of_an_apply_with_thousands_of_changes_the_first_are_shown(site: Site) -> None:
    entry = json.loads(site.host.files[HISTORY])
    entry["apply"] |= {"by": "k" * 100_000, "changes": [f"change {n}" for n in range(CHANGES)]}
    site.host.files[HISTORY] = json.dumps(entry).encode()
    ran = site.run("history")
    assert f"... and {CHANGES - 30} more" in ran.said
    assert len(ran.said) < _READABLE


def test_an_entry_with_too_many_instances_is_left_out_and_the_newest_fifty_are_read(
    site: Site,
) -> None:
    entry = json.loads(site.host.files[HISTORY])
    for number in range(1, 3 * HISTORY_ENTRIES):
        entry["apply"]["number"] = number
        site.host.files[f"{LAYOUT.history}/{number}.json"] = json.dumps(entry).encode()
    said = site.run("history").said
    assert said.count("\n#") == HISTORY_ENTRIES
    one = {k: entry["declared"][0][k] for k in ("host", "name", "model", "source", "ports")}
    entry |= {"declared": [one] * (INSTANCES + 1)}
    site.host.files[f"{LAYOUT.history}/{number}.json"] = json.dumps(entry).encode()
    assert site.run("history").said.count("\n#") == HISTORY_ENTRIES - 1
