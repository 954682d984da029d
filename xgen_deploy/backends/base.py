"""What an engine has to tell the rest of the tool; one module an engine implements it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from xgen_deploy.state.instance import Instance
from xgen_deploy.state.load_report import LoadReport


@dataclass(frozen=True)
class Command:
    """An engine's arguments (without the program) and environment, in values for Jinja.

    `extra` goes to the end as it is. `compiles`: the engine builds code while it runs and loads
    it from its home, which must therefore be writable and may hold programs. `shm_size` is what
    its container has of shared memory where the manifest says nothing.
    """

    template: str
    values: Mapping[str, object]
    env: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    compiles: bool = False
    shm_size: str | None = None


@dataclass(frozen=True)
class KeyFile:
    """An API key that the engine reads from a file: its name, and the template of its content
    (over `key`).
    """

    name: str
    template: str


@dataclass(frozen=True)
class KeyVariable:
    """An API key that the engine takes from its environment alone."""

    variable: str


@dataclass(frozen=True)
class SmokeRequest:
    """A real request of the instance's kind: POST `body` (JSON) to `path`.

    `answered` names the list in the reply that must not be empty.
    """

    path: str
    body: Mapping[str, object]
    answered: str


@dataclass(frozen=True)
class Place:
    """Where the engine finds things: on the host itself, or inside its container.

    `address` and `port` are what it binds to; `api_key_file` is None without a key, and where
    the engine takes its key from the environment. `contained`: the program is the image's
    ENTRYPOINT, which gets options only.
    """

    model_path: str
    address: str
    port: int
    api_key_file: str | None = None
    contained: bool = False


class Unsupported(Exception):
    """This build of the engine cannot do what the manifest asks; the text says what."""


class Backend(Protocol):
    """One engine. `name` is the backend's, `formats` the model formats that it takes.

    `health_path` answers 200 once the engine serves, with a key or without. `counts`: its
    /metrics has counters that move while a request runs (see heal/remote.py).
    """

    @property
    def name(self) -> str: ...

    @property
    def formats(self) -> tuple[str, ...]: ...

    @property
    def health_path(self) -> str: ...

    @property
    def counts(self) -> bool: ...

    @property
    def container_port(self) -> int: ...

    @property
    def api_key(self) -> KeyFile | KeyVariable:
        """How the engine is given its API key: never on its command line."""

    def command(self, instance: Instance, place: Place) -> Command:
        """Raises Unsupported."""

    def smoke_request(self, instance: Instance) -> SmokeRequest: ...

    def read_report(self, log: str) -> LoadReport: ...

    @property
    def report_endpoints(self) -> tuple[str, ...]:
        """Endpoints that tell more than the log does, asked once the engine serves."""

    def report_endpoint(self, report: LoadReport, path: str, page: str) -> LoadReport:
        """The report with what one of `pages` adds; unchanged where it makes no sense."""
