"""The arguments that an inventory gives to ssh. Jump hosts and what decides about the login are
honoured, what only tunes the connection is ignored, all else is refused."""

import re
import shlex
from dataclasses import dataclass
from getopt import GetoptError, getopt
from pathlib import PurePosixPath

_HOP = re.compile(r"(ssh://)?([^\s@,/]+@)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_][\w.-]*)(:\d{1,5})?")
_OPTIONS = "1246AB:CD:E:F:GI:J:KL:MNO:PQ:R:S:TVW:XYab:c:e:fgi:kl:m:no:p:qstvw:xy"
_IGNORED_LETTERS = "246ACKSTXYacekmnqtvxy"
_STATED_ELSEWHERE = {
    "hostname": "ansible_host",
    "port": "ansible_port",
    "user": "ansible_user",
}
_HONOURED_NAMES = """
certificatefile connecttimeout globalknownhostsfile hostkeyalias identitiesonly identityagent
identityfile userknownhostsfile
"""
_IGNORED_NAMES = """
addkeystoagent addressfamily batchmode challengeresponseauthentication checkhostip ciphers
compression connectionattempts controlmaster controlpath controlpersist forwardagent forwardx11
forwardx11trusted gssapiauthentication gssapidelegatecredentials hashknownhosts
hostbasedauthentication hostkeyalgorithms ipqos kbdinteractiveauthentication kexalgorithms loglevel
macs numberofpasswordprompts passwordauthentication preferredauthentications
pubkeyacceptedalgorithms pubkeyacceptedkeytypes pubkeyauthentication rekeylimit requesttty sendenv
serveralivecountmax serveraliveinterval setenv tcpkeepalive updatehostkeys visualhostkey
"""
_HONOURED = frozenset(_HONOURED_NAMES.split())
_IGNORED = frozenset(_IGNORED_NAMES.split())
_LETTERS = {"-J": "proxyjump", "-i": "identityfile", "-l": "user", "-p": "port"}
_KEYS_CHECKED = "host keys are always checked against known_hosts; add the host's key there"


@dataclass(frozen=True)
class SSHArguments:
    """`proxy_jump` has the hops in order, each `[user@]host[:port]`; `settings` are others of
    ssh_config, each a key in lower case and its value."""

    proxy_jump: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


def ssh_arguments(text: str) -> SSHArguments:
    """Of several jump hosts the first holds, as in ssh. Raises ValueError with a sentence."""
    jumps: list[tuple[str, ...]] = []
    settings: list[tuple[str, str]] = []
    for option, value in _options(_words(text)):
        key, stated = _setting(option, value)
        if key == "proxyjump":
            jumps.append(_hops(stated))
        elif key == "proxycommand":
            jumps.append(_jump_of(stated))
        elif key in _HONOURED:
            settings.append((key, _known_hosts(key, stated)))
        elif key not in _IGNORED and not _is_checked(key, stated):
            raise ValueError(_refusal(option, key, stated))
    return SSHArguments(jumps[0] if jumps else (), tuple(settings))


def checked_ssh_arguments(text: str) -> str:
    """The text as it is. Raises as above."""
    ssh_arguments(text)
    return text


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"its quotes are unbalanced: {error}") from None


def _options(words: list[str]) -> list[tuple[str, str]]:
    options, rest = _parsed(words)
    if rest:
        raise ValueError(f"`{rest[0]}` is no option of ssh")
    return options


def _parsed(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    try:
        return getopt(words, _OPTIONS)
    except GetoptError as error:
        if error.opt and f"{error.opt}:" in _OPTIONS:
            raise ValueError(f"`-{error.opt}` needs a value") from None
        raise ValueError(f"`-{error.opt}` is no option of ssh") from None


def _setting(option: str, value: str) -> tuple[str, str]:
    """An option as the setting of ssh_config that it stands for."""
    if option == "-o":
        name, _, stated = re.sub(r"\s*=\s*|\s+", "=", value.strip(), count=1).partition("=")
        return name.lower(), stated
    if option[1:] in _IGNORED_LETTERS:
        return "loglevel", value
    return _LETTERS.get(option, ""), value


def _refusal(option: str, key: str, value: str) -> str:
    if key in _STATED_ELSEWHERE:
        return f"state this as `{_STATED_ELSEWHERE[key]}: {value}`"
    if option == "-F":
        return f"`-F` is not supported here; give `--ssh-config {value}` to xgen-deploy"
    if key == "stricthostkeychecking":
        return f"`{value}` for StrictHostKeyChecking is not supported: {_KEYS_CHECKED}" + (
            ", or give `--accept-new-host-keys` once" if value.lower() == "accept-new" else ""
        )
    return f"`{key or option}` is not supported, and may decide how the host is reached; remove it"


def _is_checked(key: str, value: str) -> bool:
    return key == "stricthostkeychecking" and value.lower() in ("yes", "true", "ask")


def _known_hosts(key: str, value: str) -> str:
    if key.endswith("knownhostsfile") and value.strip('"') in ("/dev/null", "none"):
        raise ValueError(f"`{value}` for known_hosts is not supported: {_KEYS_CHECKED}")
    return value


def _hops(value: str) -> tuple[str, ...]:
    if value.lower() == "none":
        return ()
    hops = tuple(hop.strip() for hop in value.split(","))
    for hop in hops:
        if not _HOP.fullmatch(hop):
            raise ValueError(f"`{hop}` is not a jump host; write [user@]host[:port]")
    return tuple(hop.removeprefix("ssh://") for hop in hops)


def _jump_of(command: str) -> tuple[str, ...]:
    """The jump hosts that a ProxyCommand stands for: `ssh -W %h:%p HOST` or `ssh HOST nc %h %p`."""
    if command.strip('"').lower() == "none":
        return ()
    words = _words(command)
    if words and words[0] == "exec":
        words = words[1:]
    if not words or PurePosixPath(words[0]).name != "ssh":
        raise ValueError(_own_config(command))
    options, rest = _parsed(words[1:])
    host, rest = (rest[0], rest[1:]) if rest else ("", [])
    after, forwarder = _parsed(rest)
    stated = options + after
    forwarded = [value.replace("[%h]", "%h") for option, value in stated if option == "-W"]
    if not host or (forwarded != ["%h:%p"] if not forwarder else not _is_netcat(forwarder)):
        raise ValueError(_own_config(command))
    return _hop_with(host, [pair for pair in stated if pair[0] != "-W"], command)


def _hop_with(host: str, stated: list[tuple[str, str]], command: str) -> tuple[str, ...]:
    user, port = "", ""
    before: tuple[str, ...] = ()
    for option, value in stated:
        key, text = _setting(option, value)
        if key == "user":
            user = user or f"{text}@"
        elif key == "port":
            port = port or f":{text}"
        elif key == "proxyjump":
            before = before or _hops(text)
        elif _is_checked(key, text):
            continue
        elif key == "stricthostkeychecking" or key.endswith("knownhostsfile"):
            raise ValueError(f"the jump host's key is checked too: {_KEYS_CHECKED}")
        elif key not in _IGNORED | {"connecttimeout"}:
            raise ValueError(_own_config(command))
    hop = host if "@" in host else user + host
    return (*before, *_hops(hop + port))


def _is_netcat(words: list[str]) -> bool:
    name = PurePosixPath(words[0]).name
    return name in ("nc", "ncat", "netcat") and words[-2:] == ["%h", "%p"]


def _own_config(command: str) -> str:
    return (
        f"`ProxyCommand={command}` is no plain jump host, and commands of an inventory are not "
        "run; use `ProxyJump`, or put the `ProxyCommand` under the host's name into ~/.ssh/config"
    )
