"""What was started by hand and an instance takes the place of, where the manifest says so. Pure."""

from xgen_deploy.state.facts import AdoptableFacts, HostFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import Record
from xgen_deploy.state.refuse import refuse


def adopted_by(config: InstanceConfig, facts: HostFacts, record: Record) -> AdoptableFacts | None:
    """None once the instance was applied, and where there is no such thing any more."""
    if config.adopt is None or config.name in record.instances:
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
    """Raises Refused for something that serves another port: it is not what the manifest means."""
    if not adopted.running or port in ports:
        return
    listens = ", ".join(map(str, sorted(ports)[:5])) or "no port that can be seen"
    raise refuse(
        config,
        f"{adopted} cannot be adopted: it listens on {listens}, not on port {port}",
        "State its port with `port:`, or name what listens there.",
        "adopt",
    )
