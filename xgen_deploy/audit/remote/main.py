"""Writes events to the host's own log and its journal; run there by `python3 -I -c`.

Reads `{"file", "events", "login"}` from stdin and answers with one JSON object: the login, and an
error or null for `file` and `journal`. A missing folder is not created.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from xgen_deploy.audit.remote.log import append
from xgen_deploy.audit.remote.login import Login, login

_ASK = 10.0
# A socket, and the command that logs to it: systemd's journal, else another system log.
_LOGGERS = (
    (
        "/run/systemd/journal/stdout",
        ["systemd-cat", "--identifier=xgen-deploy", "--priority=notice"],
    ),
    ("/dev/log", ["logger", "--tag=xgen-deploy", "--priority=user.notice", "--size=16384"]),
)


def main() -> None:
    request = json.load(sys.stdin)
    known = Login(*request["login"]) if request["login"] else login()
    who = {
        "remote_login": known.user,
        "remote_address": known.address,
        "ssh_key": known.ssh_key,
    }
    events = [{k: v for k, v in {**e, **who}.items() if v is not None} for e in request["events"]]
    failed = {"file": _to_file(request["file"], events), "journal": _to_journal(events)}
    print(json.dumps({"login": list(known), **failed}))


def _to_file(path: str, events: list[dict[str, object]]) -> str | None:
    if not os.path.isdir(os.path.dirname(path)):
        return None
    try:
        append(path, events)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None


def _to_journal(events: list[dict[str, object]]) -> str | None:
    """Logs a line for each event. A host without a system log is not a failure."""
    tools = [argv for socket, argv in _LOGGERS if os.path.exists(socket)]
    lines = "".join(json.dumps(event) + "\n" for event in events).encode()
    failure = None
    for argv in tools:
        try:
            done = subprocess.run(argv, input=lines, capture_output=True, timeout=_ASK, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            failure = f"{argv[0]}: {error}"
            continue
        if done.returncode == 0:
            return None
        failure = f"{argv[0]}: {done.stderr.decode(errors='replace').strip()}"
    return failure
