"""The host keys of one run: known_hosts files read once, new keys recorded on request."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport import known_hosts
from xgen_deploy.transport.known_hosts import Entry, Key, Verdict
from xgen_deploy.transport.target import Target


class HostKeys:
    """Thread-safe. With `accept_new` an unknown key is recorded and trusted."""

    def __init__(self, *, accept_new: bool) -> None:
        self._accept_new = accept_new
        self._files: dict[str, tuple[Entry, ...]] = {}
        self._lock = threading.Lock()

    def kinds(self, target: Target) -> tuple[str, ...]:
        """The types of the target's known keys."""
        return known_hosts.known_kinds(self._entries(target), target.known_as)

    def check(self, host: str, target: Target, presented: Key) -> None:
        """Raises UnreachableError for any key but a known one, naming `host`."""
        with self._lock:
            entries = self._read(target)
            verdict, matches = known_hosts.judge(entries, target.known_as, presented)
            if verdict is Verdict.KNOWN:
                return
            if verdict is Verdict.UNKNOWN and self._accept_new:
                self._record(host, target, presented)
                return
        refuse: Callable[[], UnreachableError] = {
            Verdict.REVOKED: lambda: _revoked(host, presented, matches),
            Verdict.CHANGED: lambda: _changed(host, target, presented, matches),
            Verdict.UNKNOWN: lambda: _unknown(
                host, target, presented, known_hosts.has_authority(entries, target.known_as)
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

    def _record(self, host: str, target: Target, presented: Key) -> None:
        if not target.user_known_hosts:
            reason = "its host key is not known, and `UserKnownHostsFile` names no file for it"
            raise UnreachableError(host, reason)
        file = Path(target.user_known_hosts[0])
        line = known_hosts.to_line(target.known_as, presented)
        try:
            append(file, line)
        except OSError as error:
            reason = f"its new host key could not be recorded in {file}: {error.strerror}"
            raise UnreachableError(host, reason, "Make that file writable.") from None
        self._files[str(file)] = (*self._file(str(file)), *known_hosts.parse(line, str(file)))


def append(file: Path, line: str) -> None:
    """Add a line to a known_hosts file; creates the file and its folder."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as opened:
        size = os.fstat(handle).st_size
        unended = size and os.pread(handle, 1, size - 1) != b"\n"
        opened.write((b"\n" if unended else b"") + line.encode())


def _unknown(host: str, target: Target, presented: Key, authority: bool) -> UnreachableError:
    file = target.user_known_hosts[0] if target.user_known_hosts else "~/.ssh/known_hosts"
    if target.known_as != known_hosts.known_name(target.address, target.port):
        fetch = f"ssh {target.alias}"
    elif target.jumps or target.proxy_command:
        jumps = f"-J {','.join(target.jumps)} " if target.jumps else ""
        fetch = f"ssh {jumps}-p {target.port} {target.user}@{target.address}"
    else:
        fetch = f"ssh-keyscan -p {target.port} {target.address} >> {file}"
    reason = f"its host key is not known: it presented {presented.fingerprint}"
    if authority:
        reason += " (a @cert-authority entry covers it, but host certificates are not supported)"
    return UnreachableError(
        host,
        reason,
        "Compare that with what `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` prints on the host, "
        f"then run: {fetch}\n  or record it with --accept-new-host-keys.",
    )


def _changed(
    host: str, target: Target, presented: Key, matches: tuple[Entry, ...]
) -> UnreachableError:
    known = "; ".join(f"{entry.key.fingerprint} ({entry.where})" for entry in matches)
    return UnreachableError(
        host,
        f"its host key has changed: it presented {presented.fingerprint}, known_hosts has {known}",
        "Somebody may be intercepting the connection. If the host was reinstalled, remove the old "
        "key: "
        f"ssh-keygen -f {matches[0].where.rpartition(':')[0]} -R '{target.known_as}'",
    )


def _revoked(host: str, presented: Key, matches: tuple[Entry, ...]) -> UnreachableError:
    reason = f"its host key {presented.fingerprint} is revoked ({matches[0].where})"
    return UnreachableError(host, reason, "Give the host a new key.")
