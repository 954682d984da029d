"""What has to be there when an instance starts, also at a boot with late disks. Pure."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance import Spec


@dataclass(frozen=True)
class LateFiles:
    """`awaited` are files and folders that the start waits for, `mounted` folders whose file
    systems are mounted before it.
    """

    awaited: tuple[str, ...]
    mounted: tuple[str, ...]


def late_files(spec: Spec, facts: Mapping[str, ModelFacts], linked: Iterable[str]) -> LateFiles:
    """`facts` are the probe's answers, `linked` where the links of these files lead."""
    paths = [spec.model_path, *(f.path for f in spec.beside)]
    if spec.binary is not None and spec.runtime != "docker":
        paths.append(spec.binary)
    known = [f for f in facts.values() if f.path in paths]
    folders = {f.path for f in known if f.format == "hf"}
    mounted = [path if path in folders else posixpath.dirname(path) for path in paths]
    mounted += [posixpath.dirname(f.real_path) for f in known if f.real_path is not None]
    mounted += [mount.split(":")[0] for mount in spec.container.mounts or ()]
    unique = dict.fromkeys
    return LateFiles(tuple(unique(paths)), tuple(unique([*mounted, *linked])))
