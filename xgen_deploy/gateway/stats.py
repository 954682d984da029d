"""What a running gateway tells of itself, from the texts of its runtime socket: pure.

HAProxy's management guide, section 9: `show stat` is CSV, `show info` is lines of `Name: value`.
"""

import csv
import io

from xgen_deploy.values import Frozen

_POOL, _SERVER = "1", "2"


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


class DoorInfo(Frozen):
    """The process that serves: `digest` is of the configuration that it runs."""

    pid: int
    digest: str
    version: str


def parse_servers(text: str) -> tuple[ServerState, ...]:
    """Of `show stat`. Raises ValueError where it is something else."""
    return tuple(_server(row) for row in _rows(text) if row["type"] == _SERVER)


def parse_queues(text: str) -> dict[str, int]:
    """Of `show stat`: by pool, requests that wait for any of its servers. Raises ValueError."""
    return {row["pxname"]: int(row["qcur"] or 0) for row in _rows(text) if row["type"] == _POOL}


def parse_info(text: str) -> DoorInfo:
    """Of `show info`. Raises ValueError where it is something else."""
    shown = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    try:
        return DoorInfo(
            pid=int(shown["Pid"]),
            digest=shown.get("description", shown.get("Description", "")).rpartition(" ")[2],
            version=shown["Version"],
        )
    except (KeyError, ValueError):
        raise ValueError("the gateway's socket does not answer as HAProxy does") from None


def _rows(text: str) -> "csv.DictReader[str]":
    lines = text.lstrip("# ").splitlines()
    rows = csv.DictReader(io.StringIO("\n".join(line for line in lines if line)))
    if "svname" not in (rows.fieldnames or ()):
        raise ValueError("the gateway's statistics are not what HAProxy 2.4 and later give")
    return rows


def _server(row: dict[str, str]) -> ServerState:
    status = row["status"]
    check = " ".join(filter(None, (row.get("check_desc"), row.get("check_code"))))
    return ServerState(
        pool=row["pxname"],
        name=row["svname"],
        up=status.startswith("UP") or status == "no check",
        draining=status.startswith(("DRAIN", "NOLB")),
        sessions=int(row["scur"] or 0),
        queued=int(row["qcur"] or 0),
        undecided=row.get("check_status", "").lstrip("* ") in ("", "INI", "UNK"),
        reason="" if status.startswith("UP") else f"{status.lower()}: {check}",
    )
