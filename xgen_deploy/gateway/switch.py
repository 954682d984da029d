"""Moves requests from one server to another on every gateway, while both of them run."""

from collections.abc import Mapping

from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.errors import XgenError
from xgen_deploy.gateway.apply import door_runtime, open_door
from xgen_deploy.gateway.doors import python_on
from xgen_deploy.gateway.plan import routes_for
from xgen_deploy.gateway.runtime import Runtime
from xgen_deploy.gateway.serving import Serving
from xgen_deploy.manifest.placement import Site
from xgen_deploy.record import Record


class Switch:
    """Over the gateways among `works`, the hosts at work; `records` are of the other hosts that
    were seen. Every call raises XgenError.
    """

    def __init__(
        self,
        site: Site,
        works: Mapping[str, HostAtWork],
        records: Mapping[str, Record],
        number: int,
    ) -> None:
        self._site = site
        self._works = works
        self._records = records
        self._number = number

    @property
    def doors(self) -> tuple[str, ...]:
        """Hosts at work on which a gateway runs; without any there is nothing to switch."""
        return tuple(n for n, w in self._works.items() if w.record.gateway is not None)

    def add(self, serving: Serving, name: str, timeout: float) -> None:
        """Beside what the records have: a reload of each gateway, then until the server `name`
        (see routes.server_name) was found healthy by each."""
        now = {**self._records, **{n: w.record for n, w in self._works.items()}}
        for door in self.doors:
            work = self._works[door]
            last = work.record.gateway
            if last is None:
                continue
            routes = routes_for(self._site, door, {}, now, (serving,))
            spec = last.spec.model_copy(update={"routes": routes.models})
            open_door(work, spec, self._number, python_on(self._site, door))
        for runtime in self._runtimes():
            if not runtime.wait_up(name, timeout):
                raise XgenError(f"the gateway did not find {name} healthy in {timeout:.0f} s")

    def drain(self, name: str, timeout: float) -> bool:
        """No new requests to this server; whether those under way ended within `timeout`."""
        for runtime in self._runtimes():
            runtime.drain(name)
        return all(runtime.wait_idle(name, timeout) for runtime in self._runtimes())

    def enable(self, name: str) -> None:
        """New requests again."""
        for runtime in self._runtimes():
            runtime.enable(name)

    def _runtimes(self) -> tuple[Runtime, ...]:
        return tuple(
            door_runtime(self._works[door], python_on(self._site, door)) for door in self.doors
        )
