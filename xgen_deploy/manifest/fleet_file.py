"""A fleet in a file: recorded by `gpus --json`, or invented in a few lines of YAML."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from xgen_deploy.frozen import Frozen
from xgen_deploy.manifest.diagnostics import Problems, failure, listing
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.file_text import Files, beside
from xgen_deploy.manifest.fleet_drivers import drivers_of
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode, Node, plain
from xgen_deploy.manifest.scalars import core
from xgen_deploy.state.driver_memory import DriverMemory
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.field_types import Positive, Word
from xgen_deploy.state.known_cards import known_card, known_names

ANY = "*"  # stands for every host that has no entry of its own


def _card(value: object) -> object:
    """`4x H100` is short for `{name: H100, count: 4}`."""
    if not isinstance(value, str):
        return value
    count, x, name = value.partition("x ")
    return {"name": name, "count": int(count)} if x and count.isdigit() else {"name": value}


class Cards(Frozen):
    """Equal cards. What is not stated is the named card's (see state/known_cards.py)."""

    name: str
    count: Positive = 1
    type: Literal["nvidia", "amd_rdna", "amd_cdna"] | None = None
    memory_mb: Positive | None = None
    gfx: Word | None = None
    compute_capability: str | None = None
    apu: bool = False


class FleetHost(Frozen):
    """What a host is said to have; None: not stated, so whatever is needed is taken as present.
    `models` are by path: a file with the header of the model here (the beginning of a GGUF, or
    its `config.json`)."""

    cards: tuple[Annotated[Cards, BeforeValidator(_card)], ...] = ()
    driver: str | None = None
    memory_mb: Positive | None = None
    cores: Positive | None = None
    images: tuple[Word, ...] | None = None
    binaries: tuple[str, ...] | None = None
    models: dict[str, str] = Field(default_factory=dict)


class FleetFile(Frozen):
    """By host: `invented` or, from a recorded document, its facts. `drivers` are what they were
    measured to take of GPUs, elsewhere."""

    path: str
    drivers: tuple[DriverMemory, ...] = ()
    invented: dict[str, FleetHost] = Field(default_factory=dict)
    recorded: dict[str, HostFacts] = Field(default_factory=dict)


class _Whole(Frozen):
    hosts: dict[str, FleetHost]
    drivers: object = None  # see fleet_drivers.py


def read_fleet(path: str) -> FleetFile:
    """Raises ManifestError."""
    problems = Problems()
    root = parse(path, Files().text(path, "fleet file"), core, problems)
    hosts = root.get("hosts") if isinstance(root, MapNode) else None
    if not isinstance(root, MapNode) or not isinstance(hosts, MapNode):
        raise failure(path, "a fleet file is a map with `hosts:`, or what `gpus --json` printed")
    drivers = drivers_of(path, root, problems)
    facts = {name: _facts_node(entry.node) for name, entry in hosts.entries.items()}
    if any(node is not None for node in facts.values()):
        recorded = {n: _recorded(path, n, node) for n, node in facts.items() if node is not None}
        problems.raise_if_any()
        return FleetFile(path=path, drivers=drivers, recorded=recorded)
    try:
        whole = _Whole.model_validate(plain(root))
    except ValidationError as error:
        report(error, root, _Whole, problems)
        whole = _Whole(hosts={})
    for name, host in whole.hosts.items():
        for cards in host.cards:
            known = known_card(cards.name)
            if known is None and (cards.type is None or cards.memory_mb is None):
                problems.add(
                    hosts.key_mark(name),
                    f"{name}: no card is known as `{cards.name}`; state its `type` and "
                    f"`memory_mb`, or name one of {listing(known_names())}",
                )
    problems.raise_if_any()
    hosts_here = {n: _located(path, h) for n, h in whole.hosts.items()}
    return FleetFile(path=path, drivers=drivers, invented=hosts_here)


def _facts_node(node: Node) -> Node | None:
    return node.get("facts") if isinstance(node, MapNode) else None


def _recorded(path: str, host: str, node: Node) -> HostFacts:
    try:
        return HostFacts.model_validate(plain(node))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise failure(
            path, f"{host}: these facts cannot be read ({where}: {first['msg']})", node.mark.line, 1
        ) from None


def _located(path: str, host: FleetHost) -> FleetHost:
    models = {source: beside(path, header) for source, header in host.models.items()}
    return FleetHost(**{**dict(host), "models": models})
