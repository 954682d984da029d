"""What was started by hand and an instance takes the place of, where the manifest says so. Pure."""

from collections.abc import Iterable, Iterator

from xgen_deploy.state.facts import AdoptableFacts, HostFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import Record
from xgen_deploy.state.refuse import refuse


def adopted_by(config: InstanceConfig, facts: HostFacts, record: Record) -> AdoptableFacts | None:
    """None once the instance was applied, and where there is no such thing any more."""
    return None if config.name in record.instances else _named_by(config, facts)


def at_boot_after_all(
    declared: Iterable[InstanceConfig], facts: HostFacts, record: Record
) -> Iterator[str]:
    """What was taken over and still starts at boot, because the apply was cut short after it had
    recorded the new one, or because somebody enabled it again."""
    for config in declared:
        adopted = _named_by(config, facts)
        if adopted is not None and adopted.at_boot and config.name in record.instances:
            end = f"systemctl disable {adopted.name}"
            if adopted.kind == "container":
                end = f"docker update --restart no {adopted.name}"
            yield (
                f"{adopted}, whose place {config.name} took, starts at boot too: both want its "
                f"port and memory; `{end}` ends that"
            )


def nothing_to_adopt(
    declared: Iterable[InstanceConfig], facts: HostFacts, record: Record
) -> Iterator[str]:
    """A slip in a name would start the new one beside the old one."""
    for config in declared:
        new = config.adopt is not None and config.name not in record.instances
        if config.adopt is not None and new and _named_by(config, facts) is None:
            what = f"unit {config.adopt.unit}" if config.adopt.unit else None
            yield (
                f"{config.name} takes nobody's place: `adopt` names "
                f"{what or f'container {config.adopt.container}'}, which is not on this host"
            )


def _named_by(config: InstanceConfig, facts: HostFacts) -> AdoptableFacts | None:
    if config.adopt is None:
        return None
    kind = "unit" if config.adopt.unit else "container"
    name = config.adopt.unit or config.adopt.container
    return next((a for a in facts.adoptable if (a.kind, a.name) == (kind, name)), None)


def its_ports(adopted: AdoptableFacts, facts: HostFacts) -> frozenset[int]:
    """Where it listens."""
    own = {p.port for p in facts.ports if p.unit and adopted.cgroup in p.unit}
    return frozenset(own | set(adopted.ports))


def check_adoption(
    config: InstanceConfig, adopted: AdoptableFacts, ports: frozenset[int], port: int
) -> None:
    """Raises Refused for something that serves another port: it is not what the manifest means.
    Also for what could not be put back.
    """
    if not adopted.running:
        return
    if adopted.vanishes:
        raise refuse(config, _vanishes(adopted), "Stop it yourself, then apply.", "adopt")
    if port in ports:
        return
    listens = ", ".join(map(str, sorted(ports)[:5])) or "no port that can be seen"
    raise refuse(
        config,
        f"{adopted} cannot be adopted: it listens on {listens}, not on port {port}",
        "State its port with `port:`, or name what listens there.",
        "adopt",
    )


def _vanishes(adopted: AdoptableFacts) -> str:
    how = "docker run --rm" if adopted.kind == "container" else "systemd-run"
    return (
        f"{adopted} cannot be adopted: it was started by `{how}` and is gone once it is stopped, "
        "so it could not be put back"
    )
