"""What an engine printed since it was last started: the head of its log, where it reports."""

from __future__ import annotations

import os

from xgen_deploy.probe.remote.commands import run

PATIENCE = 10.0
HEAD = 200_000  # characters; a start's report is well within


def unit_run(unit: str) -> str | None:
    """systemd's id of the unit's current start."""
    answer = run(["systemctl", "show", "--property=InvocationID", "--value", unit], PATIENCE)
    return answer.out.strip() or None


def unit_log(unit: str, invocation: str) -> str:
    """The journal of one start."""
    argv = ["journalctl", "--no-pager", "--output=cat", "--unit=" + unit]
    argv.append("_SYSTEMD_INVOCATION_ID=" + invocation)
    return run(argv, PATIENCE, head=4 * HEAD).out[:HEAD]


def program_log(process_dir: str, instance: str) -> str:
    """The tail of a supervised program's log; several starts may be in it."""
    path = os.path.join(process_dir, "log", instance + ".log")
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2 * HEAD))
            return file.read(2 * HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
