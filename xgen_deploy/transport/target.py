"""Where an SSH connection goes, as whom, and what vouches for the other end. Pure."""

import os.path
from dataclasses import dataclass

from xgen_deploy.errors import UsageError
from xgen_deploy.transport.known_hosts import known_name
from xgen_deploy.transport.ssh_config import Settings

_DEFAULT_KEYS = tuple(f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519"))
_USER_KNOWN = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True)
class Wish:
    """What the inventory or a `[user@]host[:port]` states; None leaves it to ssh_config."""

    alias: str
    user: str | None = None
    port: int | None = None
    private_key_file: str | None = None
    proxy_jump: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """One end of one hop, with nothing left to look up. `known_as` is its known_hosts name."""

    alias: str
    address: str
    port: int
    user: str
    known_as: str
    identity_files: tuple[str, ...]
    stated_keys: bool
    identities_only: bool
    agent: str | None
    user_known_hosts: tuple[str, ...]
    global_known_hosts: tuple[str, ...]
    connect_timeout: float
    jumps: tuple[str, ...]
    proxy_command: str | None


@dataclass(frozen=True)
class Here:
    """This side: who runs the tool and where their files and ssh-agent are."""

    user: str
    home: str
    agent: str | None


def parse_hop(hop: str) -> Wish:
    """`[user@]host[:port]`, `[ipv6]:port` or `ssh://…` as ProxyJump has them."""
    rest = hop.removeprefix("ssh://").rstrip("/")
    user, _, place = rest.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    if not host or (port and not port.isdigit()):
        raise UsageError(f"«{hop}» is no jump host; write [user@]host[:port]")
    return Wish(host, user or None, int(port) if port else None)


def resolve(wish: Wish, settings: Settings, here: Here, timeout: float) -> Target:
    """The inventory's word, then ssh_config's, then the defaults. Raises UsageError."""
    address = (settings.text("hostname") or "%h").replace("%h", wish.alias).replace("%%", "%")
    port = wish.port or int(settings.text("port") or 22)
    user = wish.user or settings.text("user") or here.user
    tokens = {"%h": address, "%n": wish.alias, "%p": str(port), "%r": user}
    tokens |= {"%u": here.user, "%d": here.home, "%%": "%"}

    def files(names: list[str]) -> tuple[str, ...]:
        return tuple(_path(name, tokens, here.home) for name in names if name.lower() != "none")

    stated = [wish.private_key_file] if wish.private_key_file else []
    stated += settings.each("identityfile")
    alias = settings.text("hostkeyalias")
    jumps = wish.proxy_jump or _jumps(settings.raw("proxyjump"), tokens)
    if any(_is_itself(parse_hop(hop), wish, port) for hop in jumps):
        jumps = ()
    command = settings.raw("proxycommand")
    direct = command is None or command.lower() == "none" or bool(jumps)
    return Target(
        alias=wish.alias,
        address=address,
        port=port,
        user=user,
        known_as=alias.lower() if alias else known_name(address, port),
        identity_files=files(stated or list(_DEFAULT_KEYS)),
        stated_keys=bool(stated),
        identities_only=(settings.text("identitiesonly") or "no").lower() == "yes",
        agent=_agent(settings.text("identityagent"), tokens, here),
        user_known_hosts=files(settings.words("userknownhostsfile") or list(_USER_KNOWN)),
        global_known_hosts=files(settings.words("globalknownhostsfile") or list(_GLOBAL_KNOWN)),
        connect_timeout=_seconds(settings.text("connecttimeout")) or timeout,
        jumps=jumps,
        proxy_command=None if direct or command is None else _expand(command, tokens),
    )


def _jumps(value: str | None, tokens: dict[str, str]) -> tuple[str, ...]:
    if value is None or value.strip().lower() == "none":
        return ()
    return tuple(_expand(hop.strip(), tokens) for hop in value.strip('"').split(","))


def _is_itself(hop: Wish, wish: Wish, port: int) -> bool:
    """`Host *` with a ProxyJump holds for the jump host too, which is reached directly."""
    return hop.alias == wish.alias and hop.port in (None, port)


def _agent(stated: str | None, tokens: dict[str, str], here: Here) -> str | None:
    if stated is None or stated == "SSH_AUTH_SOCK":
        return here.agent
    if stated.lower() == "none":
        return None
    return _path(stated, tokens, here.home)


def _path(name: str, tokens: dict[str, str], home: str) -> str:
    full = _expand(name, tokens)
    if full.startswith("~/"):
        full = home + full[1:]
    return os.path.expanduser(os.path.expandvars(full))  # noqa: PTH111


def _expand(text: str, tokens: dict[str, str]) -> str:
    out, rest = "", text
    while rest:
        token = tokens.get(rest[:2])
        out, rest = (out + token, rest[2:]) if token is not None else (out + rest[0], rest[1:])
    return out


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
