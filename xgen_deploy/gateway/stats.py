"""Parses what a running gateway reports on its runtime socket. Pure.

HAProxy's management guide, section 9: `show stat` is CSV, `show info` is lines of `Name: value`.
"""

import csv
import re

from xgen_deploy.frozen import Frozen
from xgen_deploy.visible import on_one_line

_POOL, _SERVER = "1", "2"
_COLUMNS = frozenset(("pxname", "svname", "type", "status", "scur", "qcur"))
_STATE_COLUMNS = frozenset(("be_name", "srv_name", "srv_fqdn"))
_NUMBER = re.compile("[0-9]{1,15}")
_BAD_STATISTICS = "the gateway's statistics are not in the format of HAProxy 2.4 and later"
_BAD_STATE = "the gateway's servers are not told in the format of HAProxy 2.4 and later"
_NOT_HAPROXY = "the gateway's socket does not answer like HAProxy"


class ServerState(Frozen):
    """One server. `up`: it takes new requests; `sessions` are its active requests, `queued` those
    that wait for it alone. `undecided`: its first health check has not ended. `reason` is why it
    is not up, as HAProxy words it. `address` (where HAProxy tells it) and `port` are where it is,
    `limit` how many requests it gets at once. `closed`: in maintenance, by whoever said so.
    """

    pool: str
    name: str
    up: bool
    draining: bool
    sessions: int
    queued: int
    undecided: bool = False
    reason: str = ""
    address: str = ""
    port: int = 0
    limit: int = 0
    closed: bool = False


class HaproxyInfo(Frozen):
    """The serving process; `digest` is of the configuration that it runs."""

    pid: int
    digest: str
    version: str


def parse_servers(text: str) -> tuple[ServerState, ...]:
    """Parses `show stat`. Raises ValueError where it is something else."""
    return tuple(_server(row) for row in _rows(text) if row["type"] == _SERVER)


def parse_queues(text: str) -> dict[str, int]:
    """From `show stat`: pool -> requests that wait for any of its servers. Raises ValueError."""
    return {row["pxname"]: _count(row["qcur"]) for row in _rows(text) if row["type"] == _POOL}


def parse_host_names(text: str) -> dict[tuple[str, str], str]:
    """From `show servers state`: pool and server -> the host's name that it was given by, where it
    was not an address. Raises ValueError.
    """
    lines = [line for line in text.splitlines() if line]
    if len(lines) < 2 or lines[0] != "1" or not lines[1].startswith("# "):
        raise ValueError(_BAD_STATE)
    columns = lines[1][2:].split(" ")
    if not _STATE_COLUMNS.issubset(columns):
        raise ValueError(_BAD_STATE)
    rows = [dict(zip(columns, line.split(" "), strict=False)) for line in lines[2:]]
    if not all(_STATE_COLUMNS.issubset(row) for row in rows):
        raise ValueError(_BAD_STATE)
    named = {(r["be_name"], r["srv_name"]): r["srv_fqdn"] for r in rows}
    return {server: name for server, name in named.items() if name not in ("", "-")}


def parse_info(text: str) -> HaproxyInfo:
    """Parses `show info`. Raises ValueError where it is something else."""
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    if not _NUMBER.fullmatch(fields.get("Pid", "")) or "Version" not in fields:
        raise ValueError(_NOT_HAPROXY)
    return HaproxyInfo(
        pid=int(fields["Pid"]),
        digest=fields.get("description", fields.get("Description", "")).rpartition(" ")[2],
        version=fields["Version"],
    )


def _rows(text: str) -> list[dict[str, str]]:
    """Every row has all of `_COLUMNS`. Raises ValueError."""
    lines = text.lstrip("# ").splitlines()
    rows = csv.DictReader((line for line in lines if line), restval="")
    try:
        if not _COLUMNS.issubset(rows.fieldnames or ()):
            raise ValueError(_BAD_STATISTICS)
        return list(rows)
    except csv.Error:
        raise ValueError(_BAD_STATISTICS) from None


def _server(row: dict[str, str]) -> ServerState:
    status = row["status"]
    closed = status == "MAINT"
    address, _, port = row.get("addr", "").rpartition(":")
    # 0 while a check is running.
    code = row.get("check_code", "").removeprefix("0")
    check = " ".join(filter(None, (row.get("check_desc"), code)))
    return ServerState(
        pool=row["pxname"],
        name=row["svname"],
        up=status.startswith("UP") or status == "no check",
        draining=status.startswith(("DRAIN", "NOLB")),
        sessions=_count(row["scur"]),
        queued=_count(row["qcur"]),
        undecided=not closed and row.get("check_status", "").lstrip("* ") in ("", "INI", "UNK"),
        reason="" if status.startswith("UP") else on_one_line(f"{status.lower()}: {check}"),
        address=address.strip("[]"),
        port=_count(port),
        limit=_count(row.get("slim", "")),
        closed=closed,
    )


def _count(text: str) -> int:
    if text and not _NUMBER.fullmatch(text):
        raise ValueError(_BAD_STATISTICS)
    return int(text or 0)
