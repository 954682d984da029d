"""Where a model's files lie on this host."""

from __future__ import annotations

import os
from typing import NamedTuple

from xgen_deploy.probe.remote.gguf_folder import gguf_files, listed, of_quantization
from xgen_deploy.probe.remote.hf_cache import Missing, Several, snapshot
from xgen_deploy.probe.remote.links import dangling
from xgen_deploy.probe.remote.machine import login_home
from xgen_deploy.probe.remote.sha256 import sha256

_SHOWN = 3
_MOST = 10_000


class Source(NamedTuple):
    """As the control side has read it from the manifest (see state/source.py). `any_revision`: none
    is stated, so that the only one there will do.
    """

    key: str
    source: str
    revision: str
    model_dir: str
    hf_home: str
    any_file: bool = False
    path: str | None = None
    url: str | None = None
    repository: str | None = None
    file: str | None = None
    quantization: str | None = None
    stem: str = ""
    any_revision: bool = False
    quantize: str | None = None
    content: str | None = None

    def named(self, file: str) -> str:
        """How a manifest would name another file of the same place."""
        if self.repository is None:
            return os.path.join(self.stem, file)
        return "{}:{}".format(self.stem, os.path.join(self.file or "", file))


class Located(NamedTuple):
    """The file or folder that the engine would be pointed at. `revision` is the commit, where that
    is another one than was asked for.
    """

    path: str
    revision: str | None = None


def locate(source: Source) -> Located:
    """Raises Missing, Several, OSError, and ValueError where the text can be no source's."""
    if source.url is not None:
        path = downloaded(source.url, source.model_dir)
        if source.repository is None or os.path.exists(path):
            return Located(existing(path, "is not downloaded yet"))
    if source.path is not None:
        path = source.path
        if path.startswith("~/"):
            path = os.path.join(login_home(), path[2:])
        return Located(_on_host(path))
    if source.repository is None:
        text = source.source
        raise ValueError(f"`{text}` is neither an absolute path, a URL nor org/name")
    return _in_cache(source, source.repository)


def downloaded(url: str, model_dir: str) -> str:
    """Where apply puts what it downloads from `url`."""
    name = os.path.basename(url.split("?")[0].split("#")[0]) or "model"
    digest = sha256(url.encode()).hexdigest()[:16]
    return os.path.join(model_dir, "xgen", digest, name)


def existing(path: str, problem: str) -> str:
    """Raises PermissionError, and Missing with the problem or where a dangling link points."""
    try:
        os.stat(path)
    except PermissionError:
        raise
    except OSError:
        raise Missing(path, dangling(path) or problem) from None
    return path


def _in_cache(source: Source, repository: str) -> Located:
    places = (source.hf_home, source.model_dir)
    folder, revision = snapshot(places, repository, source.revision, source.any_revision)
    if source.quantization is not None:
        return Located(_of_quantization(source, folder, source.quantization), revision)
    if source.file is None:
        return Located(folder, revision)
    path = os.path.join(folder, source.file)
    if not os.path.lexists(path):
        names = gguf_files(folder) if source.file.endswith(".gguf") else []
        others = f"; of {repository} it has {listed(names)}" if names else ""
        raise Missing(path, "is not in the local Hugging Face cache" + others)
    return Located(existing(path, "is not in the local Hugging Face cache"), revision)


def _of_quantization(source: Source, folder: str, quantization: str) -> str:
    """The one file that is meant. A folder may have the name too."""
    names = gguf_files(folder)
    found = of_quantization(names, quantization)
    if len(found) == 1:
        return os.path.join(folder, found[0])
    if found:
        problem = f"{quantization} may be several files: {listed(found)}"
        raise Several(folder, problem, [source.named(name) for name in found])
    has = f"; it has {listed(names)}" if names else ""
    raise Missing(folder, f"no GGUF file of {quantization} is in the local Hugging Face cache{has}")


def _on_host(path: str) -> str:
    """Raises Missing, with what is there instead."""
    folder = os.path.dirname(path)
    if os.path.lexists(path):
        return existing(path, "is not there")
    try:
        names = [name for name in os.listdir(folder)[:_MOST] if _is_model(folder, name)]
    except OSError:
        names = []
    from difflib import get_close_matches  # only where something is missing

    near = get_close_matches(os.path.basename(path), names, n=_SHOWN, cutoff=0.5) or sorted(names)
    instead = f"; {folder} has {listed(near, _SHOWN)}" if near else ""
    return existing(path, f"is not there{instead}")


def _is_model(folder: str, name: str) -> bool:
    return name.endswith(".gguf") or os.path.exists(os.path.join(folder, name, "config.json"))
