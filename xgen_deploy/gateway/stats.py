"""What a running gateway tells of itself, from the texts of its runtime socket: pure.

HAProxy's management guide, section 9: `show stat` is CSV, `show info` is lines of `Name: value`.
"""

import csv
import re

from xgen_deploy.frozen import Frozen
from xgen_deploy.visible import on_one_line

_POOL, _SERVER = "1", "2"
_COLUMNS = frozenset(("pxname", "svname", "type", "status", "scur", "qcur"))
_NUMBER = re.compile("[0-9]{1,15}")
_STRANGE = "the gateway's statistics are not what HAProxy 2.4 and later give"
_NOT_HAPROXY = "the gateway's socket does not answer as HAProxy does"


class ServerState(Frozen):
    """One server. `up` takes new requests; `sessions` are requests under way on it, `queued`
    those that wait for it alone. `undecided`: its first health check is still to come.
    """

    pool: str
    name: str
    up: bool
    draining: bool
    sessions: int
    queued: int
    undecided: bool = False
    reason: str = ""


class HaproxyInfo(Frozen):
    """The process that serves: `digest` is of the configuration that it runs."""

    pid: int
    digest: str
    version: str


def parse_servers(text: str) -> tuple[ServerState, ...]:
    """Of `show stat`. Raises ValueError where it is something else."""
    return tuple(_server(row) for row in _rows(text) if row["type"] == _SERVER)


def parse_queues(text: str) -> dict[str, int]:
    """Of `show stat`: by pool, requests that wait for any of its servers. Raises ValueError."""
    return {row["pxname"]: _count(row["qcur"]) for row in _rows(text) if row["type"] == _POOL}


def parse_info(text: str) -> HaproxyInfo:
    """Of `show info`. Raises ValueError where it is something else."""
    shown = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    if not _NUMBER.fullmatch(shown.get("Pid", "")) or "Version" not in shown:
        raise ValueError(_NOT_HAPROXY)
    return HaproxyInfo(
        pid=int(shown["Pid"]),
        digest=shown.get("description", shown.get("Description", "")).rpartition(" ")[2],
        version=shown["Version"],
    )


def _rows(text: str) -> list[dict[str, str]]:
    """Each with every column that is read."""
    lines = text.lstrip("# ").splitlines()
    rows = csv.DictReader((line for line in lines if line), restval="")
    try:
        if not _COLUMNS.issubset(rows.fieldnames or ()):
            raise ValueError(_STRANGE)
        return list(rows)
    except csv.Error:
        raise ValueError(_STRANGE) from None


def _server(row: dict[str, str]) -> ServerState:
    status = row["status"]
    # 0 while the next check is under way.
    code = row.get("check_code", "").removeprefix("0")
    check = " ".join(filter(None, (row.get("check_desc"), code)))
    return ServerState(
        pool=row["pxname"],
        name=row["svname"],
        up=status.startswith("UP") or status == "no check",
        draining=status.startswith(("DRAIN", "NOLB")),
        sessions=_count(row["scur"]),
        queued=_count(row["qcur"]),
        undecided=row.get("check_status", "").lstrip("* ") in ("", "INI", "UNK"),
        reason="" if status.startswith("UP") else on_one_line(f"{status.lower()}: {check}"),
    )


def _count(text: str) -> int:
    if text and not _NUMBER.fullmatch(text):
        raise ValueError(_STRANGE)
    return int(text or 0)
