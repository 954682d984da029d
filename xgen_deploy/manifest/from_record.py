"""A manifest of what one host's record says, where an older version kept none. Pure."""

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.as_applied import as_applied
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.kept_manifest import KeptManifest
from xgen_deploy.state.record import Record
from xgen_deploy.state.settings import Gateway
from xgen_deploy.state.site import Site


def manifest_of_record(record: Record, reached_as: str) -> KeptManifest | None:
    """Of this host alone, under the name that its manifest gave it; None where the record has no
    instance as it was declared.
    """
    declared = tuple(
        replace(last.declared, name=name)
        for name, last in record.instances.items()
        if last.declared is not None
    )
    if not declared:
        return None
    host = declared[0].host or reached_as
    own = tuple(replace(config, host=host) for config in declared)
    apply = record.last_apply.number if record.last_apply else 0
    return KeptManifest(apply=apply, host=host, manifest=as_applied(_site(record, host, own)))


def _site(record: Record, host: str, declared: tuple[InstanceConfig, ...]) -> Site:
    first = declared[0]
    return Site(
        project=record.project,
        manifest_file="",
        manifest_digest="",
        runtime=first.runtime,
        pull=first.pull,
        images=first.images,
        binaries=first.binaries,
        hosts={host: Host(name=host)},
        declared=declared,
        gateway=_gateway(record, host),
    )


def _gateway(record: Record, host: str) -> Gateway | None:
    if record.gateway is None:
        return None
    spec = record.gateway.spec
    return Gateway(
        hosts=(host,),
        listen=spec.listen,
        port=spec.port,
        tls=spec.tls,
        api_key=spec.api_key,
        queue_timeout=spec.queue_timeout,
    )
