"""Resolves secrets, for apply and verify only: right before they are needed, each once."""

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
    """The manifest names the secret, but its value is not available on this run."""


class NotStated(XgenError):
    """A host's record asks for a secret that the manifest does not have for that use."""


@dataclass
class _Once:
    """One reference: the first thread reads it, the others wait."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    result: SecretText | NotReadable | None = None


class SecretResolver:
    """The secrets of one apply. It resolves only references that `site`'s manifest has for the
    requested use, because a host's record is untrusted. Values are kept in memory, so that a source
    that returns a new one each time cannot give an engine and its gateway different keys.
    """

    def __init__(self, site: Site) -> None:
        self._stated = stated_references(site)
        self._known: dict[tuple[SecretRef, str], _Once] = {}
        self._guard = threading.Lock()

    def value(self, use: SecretUse, ref: SecretRef, on: HostFiles | None = None) -> SecretText:
        """`on` is the host where a `host_file` is read.

        Raises NotStated, NotAtHand, and XgenError for a value that cannot be used, each with a
        sentence that never has the value.
        """
        where = _where(use, on)
        if ref not in self._stated.get(use, ()):
            raise NotStated(
                f"{where}: its record asks for a secret ({use.field}) that the manifest does not "
                "have for it, so it is not looked up. If that instance only waits for its "
                "change, apply it too (without --limit); otherwise find out who edited the record"
            )
        result = self._read(ref, on)
        if isinstance(result, NotReadable):
            raise NotAtHand(f"{where}: {result}")
        problem = secret_problem(result, use.kind)
        if problem is not None:
            raise XgenError(f"{where}: the {describe(ref)} ({use.field}) {problem}")
        return result

    def _read(self, ref: SecretRef, on: HostFiles | None) -> SecretText | NotReadable:
        place = on.host if on and ref.host_file is not None else ""
        with self._guard:
            once = self._known.setdefault((ref, place), _Once())
        with once.lock:
            if once.result is None:
                try:
                    once.result = read_source(ref, on)
                except NotReadable as error:
                    once.result = error
            return once.result


def _where(use: SecretUse, on: HostFiles | None) -> str:
    host = use.host or (on.host if on else "")
    return f"{host}/{use.owner}" if host else f"{use.owner}.{use.field}"
