"""How one `serve` answers: the manifest's section with the command's options over it. Pure."""

import ipaddress
from dataclasses import dataclass

from xgen_deploy.errors import UsageError
from xgen_deploy.state.serve import LOOPBACK, PORT, Changes, Serve, ServeTLS

_LOCALHOST = "localhost"


@dataclass(frozen=True)
class Asked:
    """What the command line states; None where it does not."""

    changes: Changes | None = None
    listen: str | None = None
    port: int | None = None
    insecure: bool = False


@dataclass(frozen=True)
class ServeSettings:
    """`names` are what a browser may call it, with or without the port."""

    changes: Changes = "off"
    listen: str = LOOPBACK
    port: int = PORT
    tls: ServeTLS | None = None
    names: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        scheme = "https" if self.tls else "http"
        host = f"[{self.listen}]" if ":" in self.listen else self.listen
        if ipaddress.ip_address(self.listen).is_unspecified:
            host = "[::1]" if ":" in self.listen else LOOPBACK
        if self.names and not is_loopback(self.listen):
            host = self.names[0].partition(":")[0]
        return f"{scheme}://{host}:{self.port}"


def serve_settings(stated: Serve | None, asked: Asked) -> ServeSettings:
    """Raises UsageError where it would answer strangers in the clear."""
    section = stated or Serve()
    listen, tls = asked.listen or section.listen, section.tls
    changes: Changes = asked.changes or section.changes
    if asked.insecure:
        changes = "off"
    elif tls is None and not is_loopback(listen):
        raise UsageError(
            f"serve would answer on {listen} in the clear, where logins and tokens can be read; "
            "state `serve.tls` in the manifest, listen on 127.0.0.1 behind a proxy that has TLS, "
            "or take `--insecure`, which forces `--changes off`"
        )
    return ServeSettings(
        changes=changes,
        listen=listen,
        port=section.port if asked.port is None else asked.port,
        tls=tls,
        names=section.hosts,
    )


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def known_hosts(settings: ServeSettings) -> frozenset[str]:
    """What may stand in a request's `Host`: names that others could point here are no names of it
    (DNS rebinding)."""
    addresses = [] if ipaddress.ip_address(settings.listen).is_unspecified else [settings.listen]
    if is_loopback(settings.listen):
        addresses += [LOOPBACK, "::1"]
    bare = [_LOCALHOST, *(f"[{a}]" if ":" in a else a for a in addresses)]
    named = [name for name in settings.names if ":" in name]
    without_port = [name for name in settings.names if ":" not in name]
    default = 443 if settings.tls else 80
    ports = [f":{settings.port}"] + ([""] if settings.port == default else [])
    # A proxy in front passes on the name as the browser wrote it, without a port.
    return frozenset(
        [name + port for name in bare for port in ports]
        + [name + port for name in without_port for port in (f":{settings.port}", "")]
        + named
    )
