"""What a container is given besides a model's folder: where links in there lead, and the files of
options that lie in other ones. Pure.
"""

from collections.abc import Mapping

from xgen_deploy.resolve.stated_files import argument_files
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig


def linked_folders(
    config: InstanceConfig, spec: Spec, host: Host, files: Mapping[str, ModelFacts]
) -> tuple[str, ...]:
    """Where the links of all lead that the instance loads, and what its `extra_args` name in the
    host's model folders. `files` are the probe's answers.
    """
    named = {file.key for file in argument_files(config, host)}
    loaded = {spec.model_path, *(f.path for f in spec.beside)}
    own = (f"{host.model_dir.rstrip('/')}/", f"{host.hf_home.rstrip('/')}/")
    folders = [f.path for k, f in files.items() if k in named and (f.path or "").startswith(own)]
    for key, facts in files.items():
        if facts.links is not None and (key in named or facts.path in loaded):
            folders += facts.links.folders
    return tuple(dict.fromkeys(f for f in folders if f is not None))
