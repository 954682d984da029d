"""Checks of a whole host: refusals for what its runtimes lack, and warnings. Pure."""

from xgen_deploy.resolve.docker_checks import docker_refusals
from xgen_deploy.resolve.host_rights import not_root
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import Layout

_TALKING = {"pynvml", "torch.cuda", "nvidia-smi"}


def runtime_refusals(
    host: Host, declared: tuple[InstanceConfig, ...], facts: HostFacts, layout: Layout
) -> tuple[Refusal, ...]:
    """What the runtimes need and the host lacks: one refusal, not one for each instance."""
    runtimes = {d.runtime for d in declared}
    refusals: list[Refusal] = []
    if runtimes & {"docker", "systemd"} and facts.systemd is None:
        refusals.append(
            Refusal(
                host=host.name,
                reason="systemd does not run on this host; the docker and systemd runtimes need it",
                hint="Use a host with systemd; on your own machine use `runtime: process`.",
            )
        )
    if runtimes & {"docker", "systemd"} and facts.journal_gap is not None:
        refusals.append(
            Refusal(
                host=host.name,
                reason="the engines' logs cannot be read: the journal of this host keeps nothing "
                f"of what they print ({facts.journal_gap})",
                hint="An engine's own report of its start is read there, and proves what it uses. "
                "`Storage=volatile` with `MaxLevelStore=info` in journald.conf is enough; then "
                "`systemctl restart systemd-journald`.",
            )
        )
    if "docker" in runtimes:
        denied = not_root(host, facts, layout) if facts.docker.state == "denied" else None
        refusals += (denied,) if denied else docker_refusals(host, facts.docker)
    return tuple(refusals)


def _nvidia_warnings(gpu: GPUDetectionResult) -> list[str]:
    """NVIDIA GPUs that the kernel lists, but that neither NVML nor nvidia-smi can query."""
    if _TALKING & set(gpu.detection_method.split("+")):
        return []
    failed = [a for a in gpu.attempts if not a.ok and not a.expected_absent]
    why = "; ".join(f"{a.detector}: {a.reason}" for a in failed if a.detector in _TALKING)
    reason = why or "neither NVML nor nvidia-smi is available"
    return [f"an engine may not start on its NVIDIA GPUs: {reason}"]


def host_warnings(facts: HostFacts, instances: list[Instance]) -> tuple[str, ...]:
    """Clauses for the reader of the plan, without the host's name."""
    warnings: list[str] = []
    docker = [i for i in instances if i.spec.runtime == "docker"]
    version = (facts.docker.version or "").split(".")[0]
    if docker and version.isdigit() and int(version) < 28:
        warnings.append(
            f"Docker {facts.docker.version} lets neighbours on the same network reach ports "
            "published on loopback; 28 and later do not"
        )
    for instance in instances:
        spec = instance.spec
        if spec.listen not in ("127.0.0.1", "::1", "localhost") and spec.api_key is None:
            warnings.append(f"{instance.name} listens on {spec.listen} without an api_key")
    if any(g.gpu_type is GPUType.NVIDIA for i in instances for g in i.gpus):
        warnings += _nvidia_warnings(facts.gpu)
    low_high = facts.ephemeral_ports
    for instance in instances:
        port = instance.spec.port
        if low_high and low_high[0] <= port <= low_high[1]:
            warnings.append(
                f"{instance.name}: port {port} is in the kernel's ephemeral range "
                f"{low_high[0]}-{low_high[1]}, so any process may be given it"
            )
    return tuple(warnings)
