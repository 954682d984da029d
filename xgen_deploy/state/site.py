"""A project as its manifest and inventory state it: hosts, instances and the gateway."""

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.lock_file import LockFile
from xgen_deploy.state.monitoring_config import Monitoring
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.serve import Serve
from xgen_deploy.state.settings import Audit, Gateway, Image, Notify, Pull, Registry, Runtime


class Site(Frozen):
    """A manifest and its inventory, read, merged and checked: what every command starts from.

    `declared` is in manifest order; a host of the manifest without an instance (`gpu-a: []`)
    is in `hosts` all the same. `manifest_digest` is of all `files` that took part. A gateway has
    its `hosts` filled in. What `--limit` cut off is in `other_hosts` and `elsewhere`: it is to be
    left alone, neither forgotten nor removed; with `limited_models`, so is every instance of a
    host that is not in `declared`. `origin` is known where the manifest is planned or applied,
    `fleet` is the file that stands for the hosts, `bundle` all that anything may be taken from.
    `packages` are patterns of files of this machine. `serve` is in no saved plan.
    """

    project: str
    manifest_file: str
    manifest_digest: str
    files: tuple[str, ...] = ()
    runtime: Runtime = "docker"
    pull: Pull = "missing"
    images: dict[str, Image] = Field(default_factory=dict)
    binaries: dict[str, str] = Field(default_factory=dict)
    hosts: dict[str, Host]
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    declared: tuple[InstanceConfig, ...] = ()
    gateway: Gateway | None = None
    monitoring: Monitoring | None = None
    fetch: FetchSettings = FetchSettings()
    registries: dict[str, Registry] = Field(default_factory=dict)
    lock: LockFile | None = None
    packages: tuple[str, ...] = ()
    notify: Notify | None = None
    audit: Audit | None = None
    serve: Serve | None = Field(default=None, exclude=True)
    warnings: tuple[str, ...] = ()
    other_hosts: dict[str, Host] = Field(default_factory=dict)
    elsewhere: tuple[InstanceConfig, ...] = ()
    limited_to: tuple[str, ...] = ()
    limited_models: tuple[str, ...] = ()
    origin: Origin | None = None
    fleet: str | None = None
    bundle: BundleOrigin | None = None

    def on(self, host: str) -> tuple[InstanceConfig, ...]:
        """The instances of one host, in manifest order."""
        return tuple(d for d in self.declared if d.host == host)
