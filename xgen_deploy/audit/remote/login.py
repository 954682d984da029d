"""The SSH login that this process descends from, according to the host's sshd."""

from __future__ import annotations

import os
import re
import subprocess
from typing import NamedTuple

_ASK = 10.0
_ACCEPTED = re.compile(r"^Accepted publickey for \S+ from \S+ port (\d+) ssh2: (\S+ SHA256:\S+)")


class Login(NamedTuple):
    """Each None where unknown. `ssh_key` is the key's type and fingerprint."""

    user: str | None = None
    address: str | None = None
    ssh_key: str | None = None


def login() -> Login:
    """Looks at the ancestors of this process: the login shell has the connection's address and port
    in its environment, and sshd above it wrote the key's fingerprint to the journal. Only journal
    entries that root wrote under one of these process IDs count.
    """
    ancestors = _ancestors(os.getpid())
    for pid in ancestors:
        env = _environment(pid)
        words = env.get("SSH_CONNECTION", "").split()
        if len(words) == 4:
            return Login(env.get("LOGNAME"), words[0], _key(ancestors, words[1]))
    return Login()


def _ancestors(pid: int) -> list[int]:
    pids: list[int] = []
    while pid > 1 and pid not in pids:
        pids.append(pid)
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return pids


def _environment(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read(1 << 17).decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def _key(pids: list[int], port: str) -> str | None:
    argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=100", "_UID=0"]
    argv += [f"_PID={pid}" for pid in pids]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    key = None
    for line in done.stdout.decode(errors="replace").splitlines():
        match = _ACCEPTED.match(line)
        if match and match.group(1) == port:
            key = match.group(2)
    return key
