"""A host as the inventory describes it: how it is reached, and what is true of it alone."""

from typing import Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.settings import BinaryArchive, Image, Runtime


class Host(Frozen):
    """None means not stated: SSH's own configuration decides then.

    `become` None: sudo is used where the login is not root. `proxy_jump` lists the hops in
    order, each `[user@]host[:port]`; `ssh_settings` go before those of ssh_config.
    `software_gpu` is how many software Vulkan devices count as GPUs. `archives` are of this
    machine, by the path of `binaries` that each is brought to. `egress` False: it is never to
    contact anything outside. Hosts of one `site` hand each other files, at `peer_address`.
    `reserved_mb` of every GPU, or by GPU, is never planned.
    """

    name: str
    address: str | None = None
    port: int | None = None
    user: str | None = None
    private_key_file: str | None = None
    connection: Literal["ssh", "local"] = "ssh"
    become: bool | None = None
    python: str | None = None
    proxy_jump: tuple[str, ...] = ()
    ssh_settings: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    runtime: Runtime | None = None
    ports: str | None = None
    images: dict[str, Image] = Field(default_factory=dict)
    binaries: dict[str, str] = Field(default_factory=dict)
    archives: dict[str, BinaryArchive] = Field(default_factory=dict)
    client_address: str | None = None
    model_dir: str = "/srv/models"
    hf_home: str = "/srv/models/hf"
    reserved_gpus: tuple[int | str, ...] = ()
    reserved_mb: int | dict[int | str, int] | None = None
    software_gpu: int = 0
    fetch: Literal["auto", "host", "push", "never"] | None = None
    egress: bool | None = None
    site: str | None = None
    peer_address: str | None = None
    peer_port: int = 8099
