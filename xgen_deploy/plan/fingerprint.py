"""The fingerprint of everything that a plan is based on: when it changes, the plan is stale.

Memory in use, utilization, process ids and logs are left out: they change all the time.
"""

from collections.abc import Mapping

from xgen_deploy.resolve.request import ports_of
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.monitoring_config import EXPORTER
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.record import Record, digest_of
from xgen_deploy.state.site import Site

_PORT = "port "


def host_parts(site: Site, facts: HostFacts, record: Record, host: str) -> dict[str, str]:
    """Everything that a host's plan is based on -> its state, both in words for people. Of ports
    those alone that something of the site may use: others come and go.
    """
    last = f"#{record.last_apply.number}, " if record.last_apply else ""
    seen = {"the newest apply": f"{last}revision {record.revision}" if record.revision else "none"}
    for gpu in facts.gpu.gpus:
        driver = f", driver {gpu.driver_version}" if gpu.driver_version else ""
        seen[f"GPU {gpu.identity}"] = f"{gpu.memory_total_mb} MiB{driver}"
        for part in gpu.devices if gpu.mig_enabled else ():
            seen[f"GPU {part.identity}"] = f"{part.memory_total_mb} MiB of GPU {gpu.identity}"
    exporter = f"xgen-{record.project}-{EXPORTER}.service"
    for unit in facts.services:
        if unit.name == exporter and EXPORTER not in record.instances:
            continue  # it runs only while it is asked
        drop_ins = "".join(f", drop-in {path}" for path in unit.overridden)
        content = f", file {_short(unit.sha256)}" if unit.sha256 else ""
        seen[unit.name] = f"{unit.state}{content}{drop_ins}"
    for engine in facts.engines:
        name = f"{engine.backend} {engine.image or engine.binary or ''}".strip()
        seen[f"engine {name}"] = _short(engine.state)
    for box in facts.docker.containers:
        digest = _short(box.labels.get("xgen.digest"))
        seen[f"container {box.name}"] = f"image {_short(box.image_id)}, digest {digest}"
    for model in facts.models:
        seen[f"model {model.path or model.key}"] = model.error or f"file {_short(model.state)}"
    for port in sorted({p.port for p in facts.ports}):
        seen[f"{_PORT}{port}"] = "in use"
    return without_strange_ports(site, host, seen)


def without_strange_ports(site: Site, host: str, parts: Mapping[str, str]) -> dict[str, str]:
    """Plans that versions before 0.2 saved have every port that was in use."""
    ranges = ports_of(site, site.hosts[host], site.on(host))

    def counts(part: str) -> bool:
        number = part.removeprefix(_PORT)
        if number == part or not number.isdecimal():
            return True
        return any(first <= int(number) <= last for first, last in ranges)

    return {part: state for part, state in parts.items() if counts(part)}


def _short(digest: str | None) -> str:
    return (digest or "unknown").removeprefix("sha256:")[:12]


def plan_fingerprint(manifest_digest: str, hosts: Mapping[str, HostPlan]) -> str:
    """Over the manifest and every observed host."""
    seen = {name: h.fingerprint for name, h in hosts.items() if h.reachable}
    return digest_of({"manifest": manifest_digest, "hosts": seen})
