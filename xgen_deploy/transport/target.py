"""Where an SSH connection goes, as whom, and which known_hosts files are checked. Pure."""

import os.path
from dataclasses import dataclass

from xgen_deploy.errors import UsageError
from xgen_deploy.transport.known_hosts import known_name
from xgen_deploy.transport.ssh_config import Settings

_DEFAULT_KEYS = tuple(f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519"))
_USER_KNOWN = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True)
class Destination:
    """What the inventory or a `[user@]host[:port]` says; None leaves it to ssh_config."""

    alias: str
    user: str | None = None
    port: int | None = None
    private_key_file: str | None = None
    proxy_jump: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Target:
    """One hop with every setting resolved. `known_as` is its name in known_hosts."""

    alias: str
    address: str
    port: int
    user: str
    known_as: str
    identity_files: tuple[str, ...]
    certificate_files: tuple[str, ...]
    stated_keys: bool
    identities_only: bool
    agent: str | None
    user_known_hosts: tuple[str, ...]
    global_known_hosts: tuple[str, ...]
    connect_timeout: float
    jumps: tuple[str, ...]
    proxy_command: str | None


@dataclass(frozen=True)
class ControlUser:
    """Who runs the tool on this machine, with their home folder and ssh-agent."""

    user: str
    home: str
    agent: str | None


def parse_hop(hop: str) -> Destination:
    """Parses `[user@]host[:port]`, `[ipv6]:port` or `ssh://…`, as in ProxyJump."""
    rest = hop.removeprefix("ssh://").rstrip("/")
    user, _, place = rest.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    if not host or (port and not port.isdigit()):
        raise UsageError(f"`{hop}` is not a jump host; write [user@]host[:port]")
    return Destination(host, user or None, int(port) if port else None)


def resolve(
    destination: Destination, settings: Settings, local: ControlUser, timeout: float
) -> Target:
    """Settings of the inventory, else of ssh_config, else the defaults. Raises UsageError."""
    address = (
        (settings.text("hostname") or "%h").replace("%h", destination.alias).replace("%%", "%")
    )
    port = destination.port or int(settings.text("port") or 22)
    user = destination.user or settings.text("user") or local.user
    tokens = {"%h": address, "%n": destination.alias, "%p": str(port), "%r": user}
    tokens |= {"%u": local.user, "%d": local.home, "%%": "%"}

    def files(names: list[str]) -> tuple[str, ...]:
        return tuple(_path(name, tokens, local.home) for name in names if name.lower() != "none")

    stated = [destination.private_key_file] if destination.private_key_file else []
    stated += settings.each("identityfile")
    alias = settings.text("hostkeyalias")
    jumps = destination.proxy_jump or _jumps(settings.raw("proxyjump"), tokens)
    if any(_is_itself(parse_hop(hop), destination, port) for hop in jumps):
        jumps = ()
    command = settings.raw("proxycommand")
    direct = command is None or command.lower() == "none" or bool(jumps)
    return Target(
        alias=destination.alias,
        address=address,
        port=port,
        user=user,
        known_as=alias.lower() if alias else known_name(address, port),
        identity_files=files(stated or list(_DEFAULT_KEYS)),
        certificate_files=files(settings.each("certificatefile")),
        stated_keys=bool(stated),
        identities_only=(settings.text("identitiesonly") or "no").lower() == "yes",
        agent=_agent(settings.text("identityagent"), tokens, local),
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


def _is_itself(hop: Destination, destination: Destination, port: int) -> bool:
    """`Host *` with a ProxyJump matches the jump host too, which is reached directly."""
    return hop.alias == destination.alias and hop.port in (None, port)


def _agent(stated: str | None, tokens: dict[str, str], local: ControlUser) -> str | None:
    if stated is None or stated == "SSH_AUTH_SOCK":
        return local.agent
    if stated.lower() == "none":
        return None
    return _path(stated, tokens, local.home)


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
