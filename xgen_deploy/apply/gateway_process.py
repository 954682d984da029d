"""HAProxy on its host: started, reloaded or told of servers alone, and put back as it was."""

import posixpath
import time
from collections.abc import Mapping
from hashlib import sha256

from xgen_deploy.apply.gateway_servers import ServersAlone
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.gateway.config import digest_in
from xgen_deploy.gateway.server_changes import NeedsReload
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.transport.base import HostError
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_ASK = 60.0
_CHANGED = 30.0
_PAUSE = 0.1
_RESTARTS = 3


class Changed(Frozen):
    """Whether HAProxy was started anew, and a clause for people about how it took the change."""

    started: bool = False
    how: str = ""


class GatewayProcess:
    """`before` is what each of the `rendered` files was, None where there was none."""

    def __init__(
        self,
        context: HostContext,
        runtime: HaproxySocket,
        rendered: Rendered,
        before: Mapping[str, bytes | None],
    ) -> None:
        self._context = context
        self._runtime = runtime
        self._rendered = rendered
        self._before = before
        self._unit = f"{rendered.service}.service"

    @property
    def is_first(self) -> bool:
        """There was no gateway before."""
        return self._before[self._rendered.definition.path] is None

    def change(self, servers: ServersAlone, *, keeps: bool | None, reload: bool) -> Changed:
        """Writes the files and has HAProxy serve by them. `keeps`: the process that runs goes on,
        by default where its unit is the same; `reload` as in state/plan.py, Operation.
        """
        unit = self._rendered.definition
        same_unit = self._before[unit.path] == unit.content.encode()
        old = self._running() if (same_unit if keeps is None else keeps) else None
        self._write(self._rendered.files)
        if not same_unit:
            self._write((unit,))
            if reload or old is None:
                self._context.service_manager.reload()
        digest = digest_in(next(f.content for f in self._rendered.files if not f.secret))
        if old is None:
            self._context.service_manager.start(self._rendered.service)
            self._await(digest, old)
            return Changed(started=True)
        how = self._told(servers, digest)
        if how is None:
            self._enable()
            return Changed(how="no reload")
        self._reload()
        self._await(digest, old)
        return Changed(how=how)

    def put_back(self) -> str:
        """As it was before; a sentence about how it stands. Raises XgenError."""
        for file in (*self._rendered.files, self._rendered.definition):
            content = self._before[file.path]
            if content is None:
                self._context.session.remove(file.path, within=posixpath.dirname(file.path))
            else:
                self._context.session.write_file(file.path, content, mode=file.mode)
        self._context.service_manager.reload()
        replaced = self._running()
        done = self._context.session.run(
            ["systemctl", "reload-or-restart", self._unit], timeout=_ASK
        )
        if done.returncode != 0:
            return f"Putting the previous gateway back failed too: {done.stderr.strip()[:200]}"
        self._await_another(replaced)
        return "The previous one serves"

    def _told(self, servers: ServersAlone, digest: str) -> str | None:
        """None where the process has the servers now, else why it is to be reloaded; nothing where
        more than servers changed.
        """
        if not self._is_as_applied():
            return ""
        try:
            return None if servers.follow(digest) else ""
        except NeedsReload as error:
            return f"reloaded: {error}"

    def _is_as_applied(self) -> bool:
        """Whether the files, and so the process, were what the record says: not after an edit by
        hand or an apply that was killed.
        """
        last = self._context.record.gateway
        return last is not None and all(
            path not in self._before or sha256(self._before[path] or b"").hexdigest() == digest
            for path, digest in last.files.items()
            if path != self._rendered.definition.path
        )

    def _running(self) -> int | None:
        """The serving process, None where nothing can be reloaded."""
        try:
            return self._runtime.info().pid
        except XgenError:
            return None

    def _reload(self) -> None:
        """The new configuration is checked first, and the old process ends its own requests."""
        done = self._context.session.run(["systemctl", "reload", self._unit], timeout=_ASK)
        if done.returncode != 0:
            error = (done.stderr.strip().splitlines() or ["no reason given"])[0]
            raise HostError(self._context.name, f"its reload failed: {error}")
        self._enable()

    def _enable(self) -> None:
        self._context.session.run(["systemctl", "enable", "--quiet", self._unit], timeout=_ASK)

    def _await(self, digest: str, old: int | None) -> None:
        """Waits until a new process serves this configuration."""
        end = time.monotonic() + _CHANGED
        while True:
            try:
                info = self._runtime.info()
                if info.digest == digest and info.pid != old:
                    return
                problem = "it still runs the configuration from before"
            except XgenError as error:
                problem = str(error)
            restarts = self._context.service_manager.state(self._rendered.service).restarts
            if restarts >= _RESTARTS:
                raise XgenError(f"crash loop ({restarts} restarts)")
            if time.monotonic() > end:
                raise XgenError(f"it did not start to serve within {_CHANGED:.0f} s: {problem}")
            time.sleep(_PAUSE)

    def _await_another(self, old: int | None) -> None:
        """What follows must not be told to a process that is about to go."""
        end = time.monotonic() + _CHANGED
        while self._running() in (None, old) and time.monotonic() < end:
            time.sleep(_PAUSE)

    def _write(self, files: tuple[File, ...]) -> None:
        session, layout = self._context.session, self._context.layout
        session.make_dir(layout.etc_dir, mode=0o700)
        session.make_dir(layout.settings(GATEWAY), mode=0o700)
        for file in files:
            session.write_file(file.path, file.content.encode(), mode=file.mode)
