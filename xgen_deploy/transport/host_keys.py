"""The host keys of one run: known_hosts files read once, new keys recorded where that is asked."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport import known_hosts
from xgen_deploy.transport.known_hosts import Entry, Key, Verdict
from xgen_deploy.transport.target import Target


class HostKeys:
    """Safe to be used by many threads. `accept_new`: an unknown key is recorded and trusted."""

    def __init__(self, *, accept_new: bool) -> None:
        self._accept_new = accept_new
        self._files: dict[str, tuple[Entry, ...]] = {}
        self._lock = threading.Lock()

    def kinds(self, target: Target) -> tuple[str, ...]:
        """The key types that the target is known by."""
        return known_hosts.known_kinds(self._entries(target), target.known_as)

    def check(self, host: str, target: Target, shown: Key) -> None:
        """Raises UnreachableError for any key but a known one. `host` is for the message."""
        with self._lock:
            entries = self._read(target)
            verdict, said = known_hosts.judge(entries, target.known_as, shown)
            if verdict is Verdict.KNOWN:
                return
            if verdict is Verdict.UNKNOWN and self._accept_new:
                self._record(host, target, shown)
                return
        refuse: Callable[[], UnreachableError] = {
            Verdict.REVOKED: lambda: _revoked(host, shown, said),
            Verdict.CHANGED: lambda: _changed(host, target, shown, said),
            Verdict.UNKNOWN: lambda: _unknown(
                host, target, shown, known_hosts.has_authority(entries, target.known_as)
            ),
        }[verdict]
        raise refuse()

    def _entries(self, target: Target) -> tuple[Entry, ...]:
        with self._lock:
            return self._read(target)

    def _read(self, target: Target) -> tuple[Entry, ...]:
        files = (*target.user_known_hosts, *target.global_known_hosts)
        return tuple(entry for file in files for entry in self._file(file))

    def _file(self, file: str) -> tuple[Entry, ...]:
        if file not in self._files:
            try:
                text = Path(file).read_text(errors="replace")
            except OSError:
                text = ""
            self._files[file] = known_hosts.parse(text, file)
        return self._files[file]

    def _record(self, host: str, target: Target, shown: Key) -> None:
        if not target.user_known_hosts:
            reason = "its host key is not known, and UserKnownHostsFile names no file to record it"
            raise UnreachableError(host, reason)
        file = Path(target.user_known_hosts[0])
        line = known_hosts.to_line(target.known_as, shown)
        try:
            append(file, line)
        except OSError as error:
            reason = f"its new host key could not be recorded in {file}: {error.strerror}"
            raise UnreachableError(host, reason, "Make that file writable.") from None
        self._files[str(file)] = (*self._file(str(file)), *known_hosts.parse(line, str(file)))


def append(file: Path, line: str) -> None:
    """Add a line to a known_hosts file, made with its folder where it is missing."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as opened:
        size = os.fstat(handle).st_size
        unended = size and os.pread(handle, 1, size - 1) != b"\n"
        opened.write((b"\n" if unended else b"") + line.encode())


def _unknown(host: str, target: Target, shown: Key, authority: bool) -> UnreachableError:
    file = target.user_known_hosts[0] if target.user_known_hosts else "~/.ssh/known_hosts"
    if target.known_as != known_hosts.known_name(target.address, target.port):
        fetch = f"ssh {target.alias}"
    elif target.jumps or target.proxy_command:
        jumps = f"-J {','.join(target.jumps)} " if target.jumps else ""
        fetch = f"ssh {jumps}-p {target.port} {target.user}@{target.address}"
    else:
        fetch = f"ssh-keyscan -p {target.port} {target.address} >> {file}"
    reason = f"its host key is not known; it showed {shown.fingerprint}"
    if authority:
        reason += " (a @cert-authority vouches for it, but host certificates are not read here)"
    return UnreachableError(
        host,
        reason,
        "Compare that with what «ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub» prints on the host, "
        f"then run: {fetch}\n  or let --accept-new-host-keys record it.",
    )


def _changed(host: str, target: Target, shown: Key, said: tuple[Entry, ...]) -> UnreachableError:
    known = "; ".join(f"{entry.key.fingerprint} ({entry.where})" for entry in said)
    return UnreachableError(
        host,
        f"its host key has changed: it showed {shown.fingerprint}, known is {known}",
        "Somebody may be in between. If the host was installed anew, forget the old key: "
        f"ssh-keygen -f {said[0].where.rpartition(':')[0]} -R '{target.known_as}'",
    )


def _revoked(host: str, shown: Key, said: tuple[Entry, ...]) -> UnreachableError:
    reason = f"its host key {shown.fingerprint} is revoked ({said[0].where})"
    return UnreachableError(host, reason, "Give the host a new key.")
