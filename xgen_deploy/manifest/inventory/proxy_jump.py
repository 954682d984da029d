"""The jump hosts in `ansible_ssh_common_args`, the only option that is allowed there."""

import re
import shlex

_HOP = re.compile(r"(ssh://)?([^\s@,/]+@)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_][\w.-]*)(:\d{1,5})?")


def proxy_jump(text: str) -> tuple[str, ...]:
    """The hops in order, each `[user@]host[:port]`. Raises ValueError with a sentence."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"its quotes are unbalanced: {error}") from None
    hops: tuple[str, ...] | None = None
    while words:
        given, words = _option(words)
        if hops is None:
            hops = given
    return hops or ()


def _option(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    word = words[0]
    if word[:2] not in ("-J", "-o"):
        raise ValueError(f"`{word}` is not supported; only ProxyJump (`-J` or `-o ProxyJump=…`) is")
    inline = word[2:]
    rest = words[1:] if inline else words[2:]
    if not inline and len(words) < 2:
        raise ValueError(f"`{word}` needs a value")
    value = inline or words[1]
    return _hops(value if word[:2] == "-J" else _jump_value(value)), rest


def _jump_value(setting: str) -> str:
    name, _, value = re.sub(r"\s*=\s*|\s+", "=", setting.strip(), count=1).partition("=")
    if name.lower() == "proxyjump":
        return value
    if name.lower() == "proxycommand":
        raise ValueError(
            "`ProxyCommand` is not supported here; use `ProxyJump`, or put the `ProxyCommand` into "
            "~/.ssh/config"
        )
    if name.lower() in ("stricthostkeychecking", "userknownhostsfile", "globalknownhostsfile"):
        raise ValueError(
            f"`{name}` is not supported: host keys are always checked against known_hosts; add the "
            "host's key there and remove the option"
        )
    raise ValueError(f"`{name}` is not supported here; put it into ~/.ssh/config")


def _hops(value: str) -> tuple[str, ...]:
    if value.lower() == "none":
        return ()
    hops = tuple(hop.strip() for hop in value.split(","))
    for hop in hops:
        if not _HOP.fullmatch(hop):
            raise ValueError(f"`{hop}` is not a jump host; write [user@]host[:port]")
    return tuple(hop.removeprefix("ssh://") for hop in hops)
