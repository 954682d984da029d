"""Resolves all instances of one host: instances, refusals, warnings. Pure."""

from collections.abc import Container
from dataclasses import dataclass

from xgen_deploy.backends.availability import available_backends
from xgen_deploy.frozen import replace
from xgen_deploy.resolve import engines
from xgen_deploy.resolve.adoption import (
    adopted_by,
    at_boot_after_all,
    its_ports,
    nothing_to_adopt,
)
from xgen_deploy.resolve.choosing.choose import is_left_open
from xgen_deploy.resolve.gateway_needs import further_names, gateway_port, needed_listen
from xgen_deploy.resolve.gpus import reserved_nothing
from xgen_deploy.resolve.host_checks import host_warnings, runtime_refusals
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.instance import resolve_instance
from xgen_deploy.resolve.leaving import leaving
from xgen_deploy.resolve.locked import check_locked, unproved_files
from xgen_deploy.resolve.memory_shares import check_memory
from xgen_deploy.resolve.monitoring_needs import monitoring_ports
from xgen_deploy.resolve.ports import Ports
from xgen_deploy.resolve.room import reserved_for_nothing
from xgen_deploy.resolve.shared_gpus import with_shares
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.ownership import mislabelled_containers
from xgen_deploy.state.record import Record
from xgen_deploy.state.refuse import Refused
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class Resolved:
    """What is refused is not among `instances`."""

    instances: tuple[Instance, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]


def resolve_host(
    site: Site,
    host: Host,
    facts: HostFacts,
    record: Record,
    layout: Layout,
    *,
    repin: Container[int] = (),
    rebalance: bool = False,
) -> Resolved:
    """Pure: the same manifest, facts and record give the same answer."""
    declared = site.on(host.name)
    recorded = {name: r.spec.port for name, r in record.instances.items()}
    own_ports = gateway_port(site, host.name) | monitoring_ports(site, host.name)
    recorded |= own_ports
    names = frozenset(d.name for d in declared)
    services = frozenset(
        layout.service(n + slot) for n in names | recorded.keys() for slot in ("", SECOND)
    )
    boxes = {c.name: c for c in mislabelled_containers(facts, record, layout)}
    kept = names | (recorded.keys() if site.limited_models else own_ports.keys())
    second = {n: r.other_port for n, r in record.instances.items() if n in kept and r.other_port}
    adopts = {d.name: a for d in declared if (a := adopted_by(d, facts, record)) is not None}
    adopted = {name: its_ports(a, facts) for name, a in adopts.items()}
    inputs = HostInputs(
        host=host,
        layout=layout,
        facts=facts,
        record=record,
        available=available_backends(facts.gpu.gpus),
        models={m.key: m for m in facts.models},
        engines={engines.build_key(e): e for e in facts.engines},
        ports=Ports(facts, recorded, second, declared, services, boxes, frozenset(kept), adopted),
        adopts=adopts,
        adopted_ports=adopted,
        repin=repin,
        listen=needed_listen(site, host.name),
        leaving=leaving(site, host.name, record),
        has_gateway=site.gateway is not None,
        rebalance=rebalance,
        also_serves={d.model: further_names(site, d.model) for d in declared},
    )
    instances: list[Instance] = []
    refusals = list(runtime_refusals(host, declared, facts, layout))
    for config in sorted(declared, key=is_left_open) if not refusals else ():
        try:
            check_locked(site, config, host, inputs.models)
            instance = resolve_instance(config, inputs, instances, site.project)
            if site.lock is not None:
                unproved = unproved_files(site.lock, config, host, instance, facts)
                instance = replace(instance, unproved_files=unproved)
            instances.append(instance)
        except Refused as error:
            refusals.append(error.refusal)
    order = {d.name: at for at, d in enumerate(declared)}
    instances.sort(key=lambda i: order[i.name])
    planned = {d.name: d.chosen for d in declared if d.chosen is not None}
    instances, too_much = _within_memory(with_shares(instances, inputs, planned))
    refusals += too_much
    if site.gateway is not None:
        instances = [replace(i, spare_port=inputs.ports.spare(i.declared)) for i in instances]
    warnings = (
        *host_warnings(facts, instances),
        *reserved_nothing(host, facts.gpu.gpus),
        *reserved_for_nothing(host, facts.gpu.gpus),
        *at_boot_after_all(declared, facts, record),
        *nothing_to_adopt(declared, facts, record),
    )
    return Resolved(tuple(instances), tuple(refusals), warnings)


def _within_memory(instances: list[Instance]) -> tuple[list[Instance], list[Refusal]]:
    """Those whose shares fit together, those before in the manifest first."""
    fit: list[Instance] = []
    refusals = []
    for instance in instances:
        try:
            check_memory(instance, fit)
            fit.append(instance)
        except Refused as error:
            refusals.append(error.refusal)
    return fit, refusals
