"""What a plan rests on, as one short word: when it changes, the plan no longer holds.

Memory in use, utilization, process ids and logs are left out: they change all the time.
"""

from collections.abc import Mapping

from xgen_deploy.plan.operation import HostPlan
from xgen_deploy.probe.facts import HostFacts
from xgen_deploy.record import digest_of


def host_fingerprint(facts: HostFacts, revision: int) -> str:
    """GPU identity, memory and driver; units; images; model files; ports; the record."""
    return digest_of({
        "gpus": [(g.identity, g.memory_total_mb, g.driver_version) for g in facts.gpu.gpus],
        "services": sorted(
            (s.name, s.sha256 or "", s.state, ",".join(s.overridden)) for s in facts.services
        ),
        "engines": sorted((e.backend, e.image or e.binary or "", e.state or "")
                          for e in facts.engines),
        "containers": sorted((c.name, c.image_id, c.labels.get("xgen.digest", ""))
                             for c in facts.docker.containers),
        "models": sorted((m.key, m.state or "", m.error or "") for m in facts.models),
        "ports": sorted({p.port for p in facts.ports}),
        "record": revision,
    })


def plan_fingerprint(manifest_digest: str, hosts: Mapping[str, HostPlan]) -> str:
    """Over the manifest and every host that was seen."""
    seen = {name: h.fingerprint for name, h in hosts.items() if h.reachable}
    return digest_of({"manifest": manifest_digest, "hosts": seen})
