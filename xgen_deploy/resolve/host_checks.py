"""What a whole host lacks for what it is asked to run, and what to know of it: pure."""

from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.instance_config import InstanceConfig

_TALKING = {"pynvml", "torch.cuda", "nvidia-smi"}


def runtime_refusals(
    host: Host, declared: tuple[InstanceConfig, ...], facts: HostFacts
) -> tuple[Refusal, ...]:
    """What the runtime needs and the host lacks: refused once, not once an instance."""
    runtimes = {d.runtime for d in declared}
    found: list[Refusal] = []
    if runtimes & {"docker", "systemd"} and facts.systemd is None:
        found.append(
            Refusal(
                host=host.name,
                reason="systemd does not run here, and the docker and systemd runtimes need it",
                hint="use a host with systemd; on your own machine runtime: process needs none",
            )
        )
    if "docker" in runtimes and facts.docker.state != "ok":
        found.append(_docker_refusal(host, facts))
    return tuple(found)


def _docker_refusal(host: Host, facts: HostFacts) -> Refusal:
    docker = facts.docker
    out = {
        "absent": "install it (apt-get install docker.io, or Docker's own packages), "
        "or use runtime: systemd with `binaries:`",
        "down": "start it (systemctl start docker) and look at journalctl -u docker",
        "denied": "let the login use sudo (ansible_become), or put it into the docker group",
        "ok": "",
    }[docker.state]
    reason = {
        "absent": "Docker is not installed",
        "down": "the Docker daemon does not answer",
        "denied": "the Docker socket may not be opened by this login",
    }[docker.state]
    detail = f" ({docker.reason})" if docker.reason else ""
    return Refusal(host=host.name, reason=reason + detail, hint=out)


def _nvidia_warnings(gpu: GPUDetectionResult) -> list[str]:
    """NVIDIA's cards are there by the word of the kernel's files, and nothing can talk to them."""
    if _TALKING & set(gpu.detection_method.split("+")):
        return []
    failed = [a for a in gpu.attempts if not a.ok and not a.expected_absent]
    why = "; ".join(f"{a.detector}: {a.reason}" for a in failed if a.detector in _TALKING)
    return [f"an engine may not start on its NVIDIA GPUs: {why or 'no tool of theirs is there'}"]


def host_warnings(facts: HostFacts, instances: list[Instance]) -> tuple[str, ...]:
    found: list[str] = []
    docker = [i for i in instances if i.spec.runtime == "docker"]
    version = (facts.docker.version or "").split(".")[0]
    if docker and version.isdigit() and int(version) < 28:
        found.append(
            f"Docker {facts.docker.version} lets neighbours on the same network reach ports "
            "published on loopback; 28 and later do not"
        )
    for one in instances:
        if one.spec.listen not in ("127.0.0.1", "::1", "localhost") and one.spec.api_key is None:
            found.append(f"{one.name} listens on {one.spec.listen} without an api_key")
    if any(g.gpu_type is GPUType.NVIDIA for i in instances for g in i.gpus):
        found += _nvidia_warnings(facts.gpu)
    low_high = facts.ephemeral_ports
    for one in instances:
        if low_high and low_high[0] <= one.spec.port <= low_high[1]:
            found.append(
                f"{one.name}: port {one.spec.port} lies in the kernel's ephemeral range "
                f"{low_high[0]}-{low_high[1]} and may be taken by anyone"
            )
    return tuple(found)
