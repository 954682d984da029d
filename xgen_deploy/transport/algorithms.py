"""Which of SSH's algorithms the two sides do not share, and the line that mends it. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paramiko.ssh_exception import IncompatiblePeer

_NAME = re.compile(r"[A-Za-z0-9][\w.@+-]{0,63}")
_NOT_ALGORITHMS = ("ext-info-", "kex-strict-")
_MOST_SHOWN = 12


@dataclass(frozen=True)
class _Kind:
    """`setting` is the line of sshd_config, `advised` what every OpenSSH of the last years has,
    `offer` paramiko's name for the other side's list."""

    what: str
    setting: str
    advised: str
    offer: str


_KINDS = (
    _Kind("key exchange", "KexAlgorithms", "curve25519-sha256@libssh.org", "kex_algo_list"),
    _Kind("kind of host key", "HostKeyAlgorithms", "rsa-sha2-512", "server_key_algo_list"),
    _Kind("cipher", "Ciphers", "aes256-gcm@openssh.com", "client_encrypt_algo_list"),
    _Kind("MAC", "MACs", "hmac-sha2-256-etm@openssh.com", "client_mac_algo_list"),
)


class NothingShared(IncompatiblePeer):
    """The reason and the hint, each a sentence without the host's name."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def nothing_shared(
    theirs: Mapping[str, Sequence[str]], ours: Mapping[str, Sequence[str]]
) -> NothingShared | None:
    """Of two sides' offers, by paramiko's names of the lists; None where all is shared."""
    for kind in _KINDS:
        offered = [name for name in theirs.get(kind.offer, ()) if _is_algorithm(name)]
        if set(offered).isdisjoint(ours[kind.offer]):
            return NothingShared(
                f"offers no {kind.what} that xgen-deploy has: there "
                f"{_listed(offered)}; here {_listed(ours[kind.offer])}",
                f"Add `{kind.advised}` to the line `{kind.setting}` in /etc/ssh/sshd_config there "
                "(or in a file of sshd_config.d), and reload sshd. On this side nothing is to set.",
            )
    return None


def _is_algorithm(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not name.startswith(_NOT_ALGORITHMS)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return (", ".join(names[:_MOST_SHOWN]) + more) or "none"
