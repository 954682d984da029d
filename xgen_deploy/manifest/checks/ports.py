"""Ports: unique on a host, enough of them, and outside the kernel's ephemeral range."""

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.node import MapNode
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import Gateway

_EPHEMERAL = (32768, 60999)
_PRIVILEGED = 1024


def check_ports(
    instances: list[InstanceConfig],
    gateway: Gateway | None,
    gateway_node: MapNode,
    problems: Problems,
) -> None:
    """`gateway_node` is the gateway's section, for its mark. The plan checks what only a host can
    tell: its kernel's real ephemeral range, ports in use."""
    by_host: dict[str, list[InstanceConfig]] = {}
    for instance in instances:
        by_host.setdefault(instance.host, []).append(instance)
    for host, on_host in by_host.items():
        taken: dict[int, Mark] = {}
        if gateway is not None and host in (gateway.hosts or ()):
            taken[gateway.port] = gateway_node.key_mark("port")
        for instance in on_host:
            _fixed(instance, taken, problems)
        _enough(host, on_host, taken, problems)
    if gateway is not None:
        port, mark = gateway.port, gateway_node.key_mark("port")
        _ephemeral("the gateway's port", port, port, mark, problems)


def _fixed(instance: InstanceConfig, taken: dict[int, Mark], problems: Problems) -> None:
    low, high = instance.ports
    _ephemeral("ports", low, high, instance.marks.get("ports", instance.marks[""]), problems)
    if instance.port is None:
        return
    mark = instance.marks["port"]
    _ephemeral("port", instance.port, instance.port, mark, problems)
    if instance.port < _PRIVILEGED and instance.runtime != "docker":
        problems.warn(
            mark,
            f"port {instance.port} is below {_PRIVILEGED}, and engines run without the right to "
            f"listen there with the runtime {instance.runtime}",
        )
    if instance.port in taken:
        first = taken[instance.port]
        same = first == mark
        hint = "leave out `port` where there are replicas" if same else "choose another"
        message = f"port {instance.port} on {instance.host} is already taken by {first}; {hint}"
        problems.add(mark, message)
    else:
        taken[instance.port] = mark


def _enough(
    host: str, on_host: list[InstanceConfig], taken: dict[int, Mark], problems: Problems
) -> None:
    low, high = on_host[0].ports
    free = sum(1 for port in range(low, high + 1) if port not in taken)
    floating = [i for i in on_host if i.port is None]
    if len(floating) > free:
        problems.add(
            floating[free].marks[""],
            f"{host} has {len(floating)} instance{'s'[: len(floating) != 1]} without a fixed port, "
            f"but only {free} free port{'s'[: free != 1]} in {low}-{high}; widen `ports`",
        )


def _ephemeral(what: str, low: int, high: int, mark: Mark, problems: Problems) -> None:
    if low <= _EPHEMERAL[1] and high >= _EPHEMERAL[0]:
        shown = str(low) if low == high else f"{low}-{high}"
        problems.warn(
            mark,
            f"{what} {shown} overlaps {_EPHEMERAL[0]}-{_EPHEMERAL[1]}, from which kernels assign "
            "ports to outgoing connections; an instance may find its port in use",
        )
