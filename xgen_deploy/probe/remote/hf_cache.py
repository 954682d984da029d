"""The local Hugging Face cache."""

from __future__ import annotations

import os
import re

from xgen_deploy.probe.remote.reading import read_text

_REPOSITORY = re.compile(r"^\w[\w.-]*/\w[\w.-]*$")


class Missing(Exception):
    """A model that is not on the host; `path` is where it would be."""

    def __init__(self, path: str | None, problem: str) -> None:
        super().__init__(problem)
        self.path = path


def snapshot(hf_home: str, repository: str, revision: str) -> str:
    """The folder of one revision: below `hub/` or, in an older layout, right in `hf_home`.
    Raises Missing, and ValueError where the name can be no repository's."""
    if not _REPOSITORY.match(repository):
        raise ValueError(f"`{repository}` is neither an absolute path, a URL nor org/name")
    name = "models--" + repository.replace("/", "--")
    for folder in (os.path.join(hf_home, "hub", name), os.path.join(hf_home, name)):
        commit = (read_text(os.path.join(folder, "refs", revision)) or revision).strip()
        path = os.path.join(folder, "snapshots", commit)
        if os.path.isdir(path):
            return path
    place = os.path.join(hf_home, "hub", name)
    raise Missing(place, f"is not in the local Hugging Face cache (revision {revision})")
