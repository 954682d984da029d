"""The command line's options for reaching hosts."""

from dataclasses import dataclass, field

from xgen_deploy.state.settings import Runtime


@dataclass(frozen=True)
class Options:
    """`ssh_config` replaces both of SSH's own files, as `ssh -F` does. `connect_timeout` is in
    seconds and yields to ssh_config's. `runtime` is the manifest's, for hosts without one of
    their own: under the process runtime nothing runs as root.
    """

    ssh_config: str | None = None
    accept_new_host_keys: bool = False
    become_password: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    runtime: Runtime = "docker"
