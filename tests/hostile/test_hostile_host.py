"""Nothing that a host says is obeyed: each key of what it sends, with each hostile value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fake_host.host import LAYOUT
from tests.hostile.conftest import Site, check
from tests.hostile.values import VALUES, keyed, paths, with_value

HISTORY = f"{LAYOUT.history}/1.json"
# Each with a key or item replaced; "keys" renames them instead.
KINDS = [*VALUES, "hostile keys"]


def test_the_site_as_it_was_applied_has_nothing_to_do(site: Site) -> None:
    ran = site.run("plan", "--detailed-exitcode")
    assert ran.code == 0, ran.said
    check(site, ran)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_data(site: Site, kind: str) -> None:
    record = json.loads(site.host.document["record"])

    def put(text: str) -> None:
        site.host.document["record"] = text
        site.host.files[LAYOUT.record] = text.encode()

    _each(site, record, kind, put, ("apply", "-y"), ("status",))


@pytest.mark.parametrize("kind", KINDS)
def test_a_history_entry_is_data(site: Site, kind: str) -> None:
    entry = json.loads(site.host.files[HISTORY])

    def put(text: str) -> None:
        site.host.files[HISTORY] = text.encode()

    _each(site, entry, kind, put, ("rollback", "-y", "--to", "1"), ("history",))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_probe_says_is_data(site: Site, kind: str) -> None:
    document = json.loads(json.dumps(site.host.document))

    def put(text: str) -> None:
        site.host.raw = text.encode()

    _each(site, document, kind, put, ("plan",), ("status",))


def _each(
    site: Site,
    document: Any,
    kind: str,
    put: Callable[[str], None],
    *commands: tuple[str, ...],
) -> None:
    wrong = []
    for said_of, hostile in _variants(site, document, kind):
        kept, known = dict(site.host.files), site.host.document["record"]
        put(site.text(hostile))
        for command in commands:
            ran = site.run(*command)
            try:
                check(site, ran)
            except AssertionError as error:
                wrong.append(f"{said_of}, {command[0]}: {error}")
        site.host.files.clear()
        site.host.files.update(kept)
        site.host.document["record"], site.host.raw = known, None
        site.forget()
    assert not wrong, f"{len(wrong)} in all, the first:\n" + "\n".join(wrong[:5])


def _variants(site: Site, document: Any, kind: str) -> Iterator[tuple[str, Any]]:
    if kind == "hostile keys":
        yield from keyed(document)
        return
    for path in paths(document):
        yield ".".join(map(str, path)), with_value(document, path, site.hostile(VALUES[kind]))
