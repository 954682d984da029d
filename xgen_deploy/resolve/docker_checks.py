"""Why containers cannot be run on a host, and the way out. Pure."""

from xgen_deploy.state.facts import DockerFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal

_PACKAGES = "`apt-get install docker.io`, or Docker's own packages"
_OTHERWISE = "or use `runtime: systemd` with `binaries:`"
_REFUSED = {
    "absent": ("Docker is not installed", f"Install it ({_PACKAGES}), {_OTHERWISE}."),
    "down": (
        "the Docker daemon does not answer",
        "Start it (`systemctl start docker`); `journalctl -u docker` says why it is down.",
    ),
    "denied": (
        "this login may not open the Docker socket",
        "Look at what confines root there (SELinux, AppArmor) and at the socket itself.",
    ),
    "podman": (
        "`docker` on this host is Podman, which xgen-deploy does not drive",
        f"Install Docker in its place ({_PACKAGES}; first `apt-get remove podman-docker`), "
        f"{_OTHERWISE}.",
    ),
    "snap": (
        "Docker here is the snap, whose `docker` reads homes and /var/snap/docker alone: neither "
        "/etc/xgen-deploy nor models outside of /home, /mnt and /media",
        f"Install Docker in its place ({_PACKAGES}; first `snap remove docker`), {_OTHERWISE}.",
    ),
    "rootless": (
        "Docker here is rootless: it belongs to one login, and cannot give an engine a user and "
        "files of its own",
        f"Install the system's Docker beside it ({_PACKAGES}), {_OTHERWISE}.",
    ),
}


def docker_refusals(host: Host, docker: DockerFacts) -> tuple[Refusal, ...]:
    """One at most: the first says what to do."""
    if docker.state != "ok":
        reason, hint = _REFUSED[docker.state]
        detail = f" ({docker.reason})" if docker.reason else ""
        return (Refusal(host=host.name, reason=reason + detail, hint=hint),)
    if docker.cli is None:
        reason = "the Docker daemon answers, but its command `docker` is not installed"
        hint = "Install it (`apt-get install docker-cli`, or `docker-ce-cli` of Docker's packages)."
        return (Refusal(host=host.name, reason=reason, hint=hint),)
    if docker.unit is None:
        reason = "the Docker daemon was started by hand, in no unit of systemd"
        hint = (
            "Start it as `docker.service`, which packages bring: engines start and stop with "
            "that unit, at boot too."
        )
        return (Refusal(host=host.name, reason=reason, hint=hint),)
    return ()
