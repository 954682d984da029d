"""`~/` in paths of hosts with a local connection."""

from xgen_deploy.frozen import replace
from xgen_deploy.state.features import Lora
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import SourceByFormat
from xgen_deploy.state.site import Site


def expand_home(site: Site, home: str) -> Site:
    """The site with the home folder in place of `~` wherever the connection is local."""
    hosts = {n: _host(h, home) for n, h in site.hosts.items()}
    declared = tuple(
        _instance(d, home) if site.hosts[d.host].connection == "local" else d for d in site.declared
    )
    return replace(site, hosts=hosts, declared=declared)


def _host(host: Host, home: str) -> Host:
    if host.connection != "local":
        return host
    return replace(
        host,
        model_dir=_path(host.model_dir, home),
        hf_home=_path(host.hf_home, home),
        binaries={k: _path(v, home) for k, v in host.binaries.items()},
        archives={_path(k, home): archive for k, archive in host.archives.items()},
    )


def _instance(instance: InstanceConfig, home: str) -> InstanceConfig:
    return replace(
        instance,
        mmproj=_path(instance.mmproj, home) if instance.mmproj else None,
        draft=replace(instance.draft, source=_source(instance.draft.source, home))
        if instance.draft
        else None,
        loras={name: _lora(lora, home) for name, lora in instance.loras.items()},
        chat_template=_path(instance.chat_template, home) if instance.chat_template else None,
        source=_source(instance.source, home),
        binary=_path(instance.binary, home) if instance.binary else None,
        binaries={k: _path(v, home) for k, v in instance.binaries.items()},
    )


def _source(source: str | SourceByFormat, home: str) -> str | SourceByFormat:
    if isinstance(source, str):
        return _path(source, home)
    gguf, hf = source.gguf, source.hf
    return replace(
        source, gguf=_path(gguf, home) if gguf else gguf, hf=_path(hf, home) if hf else hf
    )


def _lora(lora: str | Lora, home: str) -> str | Lora:
    if isinstance(lora, str):
        return _path(lora, home)
    return replace(lora, source=_source(lora.source, home))


def _path(path: str, home: str) -> str:
    return home + path[1:] if path.startswith("~/") else path
