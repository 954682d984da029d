"""What a container is given besides a model's folder, because links in there lead to it. Pure."""

from collections.abc import Mapping

from xgen_deploy.resolve.stated_files import argument_files
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig


def linked_folders(
    config: InstanceConfig, spec: Spec, host: Host, files: Mapping[str, ModelFacts]
) -> tuple[str, ...]:
    """Where the links of all lead that the instance loads. `files` are the probe's answers."""
    named = {file.key for file in argument_files(config, host)}
    loaded = {spec.model_path, *(f.path for f in spec.beside)}
    leading = (f.links for k, f in files.items() if f.links and (k in named or f.path in loaded))
    return tuple(dict.fromkeys(folder for links in leading for folder in links.folders))
