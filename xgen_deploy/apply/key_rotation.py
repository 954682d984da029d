"""Instances that get another API key in this apply: until each runs with it, gateways ask it with
the key that it had.
"""

from collections.abc import Iterator, Mapping

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.resolve.gateway_needs import everywhere
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, with_old_keys
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site

# A host and an instance on it.
InstanceId = tuple[str, str]


class KeyRotation:
    """`new_keys`: the key that each instance is about to be changed to, None for no key."""

    def __init__(self, site: Site, new_keys: Mapping[InstanceId, SecretRef | None]) -> None:
        self.instances = frozenset(new_keys)
        self._waiting = set(new_keys)
        models = {(d.host, d.name): d.model for d in everywhere(site)}
        self._model_keys = {models[i]: key for i, key in new_keys.items() if i in models}

    def runs_with_new_key(self, host: str, instance: str) -> None:
        self._waiting.discard((host, instance))

    def runs_with_old_key(self, host: str, instance: str) -> None:
        """The version before was put back."""
        if (host, instance) in self.instances:
            self._waiting.add((host, instance))

    def routes(
        self, routes: tuple[Route, ...], records: Mapping[str, Record], *, first: bool
    ) -> tuple[Route, ...]:
        """With the servers that still have their old key told from the others. `first`: before
        anything changes.
        """
        return tuple(
            with_old_keys(route, self._waiting, self._model_keys, seen=records, first=first)
            for route in routes
        )


def new_keys(
    plan: Plan, contexts: Mapping[str, HostContext], new_secrets: Mapping[str, frozenset[str]]
) -> Iterator[tuple[InstanceId, SecretRef | None]]:
    """Instances that run with an API key and are to get another one. `new_secrets`: by host,
    instances whose secrets have other values now.
    """
    for operation in plan.operations:
        context, instance = contexts.get(operation.host), operation.instance
        last = context.record.instances.get(operation.name) if context else None
        if last is None or instance is None:
            continue
        key = instance.spec.api_key
        new_value = operation.name in new_secrets.get(operation.host, ())
        if last.spec.api_key != key or (key and new_value):
            yield (operation.host, operation.name), key
