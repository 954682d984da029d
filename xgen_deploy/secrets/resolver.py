"""Resolves secrets: apply and verify do, right before they need them, each reference once."""

import threading
from dataclasses import dataclass, field

from xgen_deploy.errors import XgenError
from xgen_deploy.render.rendered import describe
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.source import HostFiles, NotReadable, read_source
from xgen_deploy.state.secret_rules import secret_problem
from xgen_deploy.state.secret_uses import SecretUse, stated_references
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site


class NotAtHand(XgenError):
    """The manifest names the secret, and its value cannot be had here and now."""


class NotStated(XgenError):
    """A host's record asks for a secret that the manifest does not name for that use."""


@dataclass
class _Once:
    """One reference: read by whoever comes first, the others wait for that."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    found: SecretText | NotReadable | None = None


class SecretResolver:
    """Of one apply. It resolves what the manifest of `site` has for the very use that is asked
    for, and nothing else: whatever comes from a host is data. Values are kept in memory, so that
    a source which gives another one each time cannot part an engine from its gateway.
    """

    def __init__(self, site: Site) -> None:
        self._stated = stated_references(site)
        self._known: dict[tuple[SecretRef, str], _Once] = {}
        self._guard = threading.Lock()

    def value(self, use: SecretUse, ref: SecretRef, on: HostFiles | None = None) -> SecretText:
        """`on` is where a `host_file` is read.

        Raises NotStated, NotAtHand, and XgenError for a value that cannot be used; a sentence
        each, never with the value.
        """
        where = _where(use, on)
        if ref not in self._stated.get(use, ()):
            raise NotStated(
                f"{where}: its record asks for a secret ({use.field}) that the manifest does not "
                "name for it, so it is not looked up. Where that instance only waits for its "
                "change, apply it too (without --limit); else find out who edited the record"
            )
        found = self._read(ref, on)
        if isinstance(found, NotReadable):
            raise NotAtHand(f"{where}: {found}")
        problem = secret_problem(found, use.kind)
        if problem is not None:
            raise XgenError(f"{where}: the {describe(ref)} ({use.field}) {problem}")
        return found

    def _read(self, ref: SecretRef, on: HostFiles | None) -> SecretText | NotReadable:
        place = on.host if on and ref.host_file is not None else ""
        with self._guard:
            once = self._known.setdefault((ref, place), _Once())
        with once.lock:
            if once.found is None:
                try:
                    once.found = read_source(ref, on)
                except NotReadable as error:
                    once.found = error
            return once.found


def _where(use: SecretUse, on: HostFiles | None) -> str:
    host = use.host or (on.host if on else "")
    return f"{host}/{use.owner}" if host else f"{use.owner}.{use.field}"
