"""Ports: none twice on a host, enough of them, and outside the kernel's own range."""

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.node import MapNode
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import Gateway

_EPHEMERAL = (32768, 60999)


def check_ports(
    instances: list[InstanceConfig],
    gateway: Gateway | None,
    gateway_node: MapNode,
    problems: Problems,
) -> None:
    """`gateway_node` is the gateway's section, for its place. What only a host can tell (the
    range its
    kernel really uses, ports that others hold) is seen later."""
    by_host: dict[str, list[InstanceConfig]] = {}
    for one in instances:
        by_host.setdefault(one.host, []).append(one)
    for host, here in by_host.items():
        taken: dict[int, Mark] = {}
        if gateway is not None and host in (gateway.hosts or ()):
            taken[gateway.port] = gateway_node.key_mark("port")
        for one in here:
            _fixed(one, taken, problems)
        _enough(host, here, taken, problems)
    if gateway is not None:
        port, mark = gateway.port, gateway_node.key_mark("port")
        _ephemeral("the gateway's port", port, port, mark, problems)


def _fixed(one: InstanceConfig, taken: dict[int, Mark], problems: Problems) -> None:
    low, high = one.ports
    _ephemeral("ports", low, high, one.marks.get("ports", one.marks[""]), problems)
    if one.port is None:
        return
    mark = one.marks["port"]
    _ephemeral("port", one.port, one.port, mark, problems)
    if one.port in taken:
        first = taken[one.port]
        same = first == mark
        hint = "leave `port` out where there are replicas" if same else "choose another"
        problems.add(mark, f"port {one.port} on {one.host} is already taken by {first}; {hint}")
    else:
        taken[one.port] = mark


def _enough(
    host: str, here: list[InstanceConfig], taken: dict[int, Mark], problems: Problems
) -> None:
    low, high = here[0].ports
    free = sum(1 for port in range(low, high + 1) if port not in taken)
    floating = [one for one in here if one.port is None]
    if len(floating) > free:
        problems.add(
            floating[free].marks[""],
            f"{host} has {len(floating)} instances without a fixed port, but only {free} free "
            f"ports in {low}-{high}; widen `ports`",
        )


def _ephemeral(what: str, low: int, high: int, mark: Mark, problems: Problems) -> None:
    if low <= _EPHEMERAL[1] and high >= _EPHEMERAL[0]:
        shown = str(low) if low == high else f"{low}-{high}"
        problems.warn(
            mark,
            f"{what} {shown} lies in the range {_EPHEMERAL[0]}-{_EPHEMERAL[1]}, from which kernels "
            "give ports to outgoing connections; an instance may find its port taken",
        )
