"""What the command line says about reaching hosts."""

from dataclasses import dataclass, field

from xgen_deploy.state.settings import Runtime


@dataclass(frozen=True)
class Options:
    """`ssh_config` replaces both of SSH's own files, as `ssh -F` does. `connect_timeout` is in
    seconds, where ssh_config states none. `runtime` is the manifest's, for hosts with none of
    their own: the process runtime never becomes root.
    """

    ssh_config: str | None = None
    accept_new_host_keys: bool = False
    become_password: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    runtime: Runtime = "docker"
