"""The events of one open page, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from xgen_deploy.documents.live import LiveStates, LiveValues, live_host
from xgen_deploy.documents.management import loading_statuses
from xgen_deploy.documents.status import status_document
from xgen_deploy.frozen import Frozen
from xgen_deploy.serve.live.hub import Hub, State
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.site import Site
from xgen_deploy.verify.site_status import site_status
from xgen_deploy.visible import json_text

HEARTBEAT = 15.0  # seconds
_STATES = "states"
_APART = "\n"
_VERSION = '"version":0'


async def events(hub: Hub, user: User, stays: Callable[[], bool]) -> AsyncIterator[str]:
    """First all that is known, then what changes: `values` of hosts, `states` of instances, and
    what is posted. None is needed twice: whoever comes back gets all again.
    """
    view = _View(hub, user)
    with hub.stream() as waker:
        yield "retry: 3000\n\n"
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await waker.wait()
            except TimeoutError:
                yield ": still there\n\n"
            waker.clear()
            if not stays():
                yield event("end", "{}")
                return
            for text in view.news():
                yield text


def event(name: str, data: str, number: int | None = None) -> str:
    """One event; `data` is JSON, which has no line breaks."""
    with_id = "" if number is None else f"id: {number}\n"
    return f"event: {name}\n{with_id}data: {data}\n\n"


class _View:
    """What one stream has told so far."""

    def __init__(self, hub: Hub, user: User) -> None:
        self._hub = hub
        self._user = user
        self._rights = (user.hosts, user.models)
        self._values = 0
        self._state = ""
        self._state_number = 0
        self._posted = hub.number

    def news(self) -> Iterator[str]:
        state = self._hub.state
        if state is None:
            return
        yield from self._new_posted()
        yield from self._new_state(state)
        yield from self._new_values(state.site)

    def _new_posted(self) -> Iterator[str]:
        """Before states: where the manifest had errors, the next one is told whatever it is."""
        posted = [(n, p) for n, p in self._hub.posted if n > self._posted]
        for number, each in posted:
            self._posted = number
            if each.allowed(self._user):
                self._state = "" if each.name == _STATES else self._state
                yield event(each.name, each.text, number)

    def _new_state(self, state: State) -> Iterator[str]:
        if state.number == self._state_number:
            return
        self._state_number = state.number
        text = self._shared(("state", state.number), lambda: _state_text(self._user, state))
        if text != self._state:
            self._state = text
            told = text.partition(_APART)[0].replace(_VERSION, f"{_VERSION[:-1]}{state.number}", 1)
            yield event(_STATES, told, state.number)

    def _new_values(self, site: Site) -> Iterator[str]:
        since, values = self._values, self._hub.values
        number = max((n for n, _ in values.values()), default=0)
        if number <= since:
            return
        self._values = number

        def made() -> str:
            part = seen_by(self._user, site)
            told = {
                host: live_host(value, instances=_instances(self._user, part, host))
                for host, (at, value) in values.items()
                if at > since and host in part.hosts
            }
            return _text(LiveValues(hosts=told)) if told else ""

        text = self._shared(("values", since, number), made)
        if text:
            yield event("values", text, number)

    def _shared(self, what: object, made: Callable[[], str]) -> str:
        """Made once for all with the same rights."""
        key, texts = (what, self._rights), self._hub.texts
        if key not in texts:
            texts[key] = made()
        return texts[key]


def _state_text(user: User, state: State) -> str:
    """The event without its version, and behind it what else a page shows of the hosts."""
    site = seen_by(user, state.site)
    status = site_status(site, observed_of(site, state.observed))
    told = LiveStates(
        version=0, manifest=site.manifest_digest, models=loading_statuses(status).models
    )
    return _text(told) + _APART + _text(status_document(status))


def _instances(user: User, site: Site, host: str) -> frozenset[str] | None:
    """Those that a user of some models sees; None: all."""
    return None if user.models is None else frozenset(config.name for config in site.on(host))


def _text(document: Frozen) -> str:
    return json_text(document.model_dump(mode="json")).replace("<", "\\u003c")
