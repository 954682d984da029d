"""Where a file of this machine lies on a host: by its content."""

from xgen_deploy.errors import XgenError
from xgen_deploy.files.places import places
from xgen_deploy.frozen import replace
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Request, Sources
from xgen_deploy.hub.locked import artifact_of
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site


def placed(config: InstanceConfig, site: Site, catalog: Sources) -> InstanceConfig:
    """Raises XgenError where it cannot be read here."""
    if config.local is None:
        return config
    host = site.hosts[config.host]
    request = Request(source=config.model, local=config.local)
    entry = site.lock.entry(request) if site.lock is not None else None
    try:
        artifact = (
            catalog.describe(request).artifact
            if entry is None
            else artifact_of(entry, request, site.fetch)
        )
    except HubError as error:
        raise XgenError(
            f"{config.host}/{config.name}: {config.local} cannot be brought: {error.reason}"
        ) from None
    found = places(artifact, model_dir=host.model_dir, hf_home=host.hf_home)
    return replace(config, source=found.path)
