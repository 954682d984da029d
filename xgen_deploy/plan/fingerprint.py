"""What a plan rests on, as one short word: when it changes, the plan no longer holds.

Memory in use, utilization, process ids and logs are left out: they change all the time.
"""

from collections.abc import Mapping

from xgen_deploy.plan.operation import HostPlan
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.record import digest_of


def host_parts(facts: HostFacts, revision: int) -> dict[str, str]:
    """A digest for each thing that a plan rests on, by its name for people."""
    low = facts.ephemeral_ports[0] if facts.ephemeral_ports else 65536
    seen: dict[str, object] = {
        "its GPUs": [(g.identity, g.memory_total_mb, g.driver_version) for g in facts.gpu.gpus],
        "its units": sorted(
            (s.name, s.sha256 or "", s.state, ",".join(s.overridden)) for s in facts.services
        ),
        "an engine's image or binary": sorted(
            (e.backend, e.image or e.binary or "", e.state or "") for e in facts.engines
        ),
        "its containers": sorted(
            (c.name, c.image_id, c.labels.get("xgen.digest", "")) for c in facts.docker.containers
        ),
        "a model file": sorted((m.key, m.state or "", m.error or "") for m in facts.models),
        "its ports in use": sorted({p.port for p in facts.ports if p.port < low}),
        "what was applied there": revision,
    }
    return {name: digest_of(value)[:16] for name, value in seen.items()}


def plan_fingerprint(manifest_digest: str, hosts: Mapping[str, HostPlan]) -> str:
    """Over the manifest and every host that was seen."""
    seen = {name: h.fingerprint for name, h in hosts.items() if h.reachable}
    return digest_of({"manifest": manifest_digest, "hosts": seen})
