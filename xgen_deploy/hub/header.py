"""What a model's files say of it, read from its source before it is brought anywhere."""

import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Literal, NamedTuple

from xgen_deploy.bounded_json import read_json
from xgen_deploy.hub.asking import HubError, read_some
from xgen_deploy.probe.remote.gguf import essentials as gguf_essentials
from xgen_deploy.probe.remote.gguf import read_header_alone
from xgen_deploy.probe.remote.gguf_cursor import NotGGUF
from xgen_deploy.probe.remote.hf_config import essentials, mistral_essentials
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.facts import GGUFFacts
from xgen_deploy.transfer.remote.web_source import (
    Access,
    Connect,
    Refused,
    Unavailable,
    open_at,
)

_FIRST = 4 << 20
_MOST = 256 << 20
_CONFIG = 4 << 20
# So many of a file's first bytes.
Beginning = Callable[[int], bytes]


def beginning_of(file: ArtifactFile, access: Access, connect: Connect | None = None) -> Beginning:
    """From its source on the web. Raises HubError when it is called."""

    def read(count: int) -> bytes:
        try:
            answer = open_at(file.url or "", access, 0, None, connect=connect)
            with answer.response as response:
                return read_some(response, count)
        except (Refused, Unavailable, OSError, HTTPException) as error:
            raise HubError(f"the beginning of {file.path} cannot be read: {error}") from None

    return read


def beginning_here(path: Path) -> Beginning:
    """Of a file on this machine. Raises OSError when it is called."""

    def read(count: int) -> bytes:
        with path.open("rb") as file:
            return file.read(count)

    return read


def gguf_facts(beginning: Beginning, parts: int) -> GGUFFacts:
    """Of a GGUF's first file; a vocabulary makes its header long. Raises HubError."""
    count = _FIRST
    while True:
        data = beginning(count)
        try:
            with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
                file.write(data)
                file.flush()
                header = read_header_alone(file.name)
            return GGUFFacts.model_validate(gguf_essentials(header, parts if parts > 1 else None))
        except NotGGUF as error:
            if len(data) < count or count >= _MOST:
                raise HubError(f"it is not a valid GGUF: {error}") from None
            count *= 4


class Config(NamedTuple):
    """The essentials of a repository's own configuration, and its format where that is not Hugging
    Face's, as the probe tells them."""

    values: dict[str, object]
    form: Literal["mistral"] | None = None


def config_of(artifact: Artifact, beginning: Callable[[ArtifactFile], Beginning]) -> Config:
    """Empty where there is none. Raises HubError."""
    files = {f.path: f for f in artifact.files}
    if "config.json" in files:
        values = _object(beginning(files["config.json"]), "config.json")
        with tempfile.TemporaryDirectory() as folder:
            for name in files:  # what lies beside it matters by its name
                if "/" not in name:
                    Path(folder, name).touch()
            return Config(essentials(values, folder))
    if "params.json" in files:
        params = _object(beginning(files["params.json"]), "params.json")
        return Config(mistral_essentials(params), "mistral")
    return Config({})


def _object(beginning: Beginning, name: str) -> dict[str, object]:
    try:
        value = read_json(beginning(_CONFIG), _CONFIG)
    except ValueError:
        raise HubError(f"its {name} is not valid JSON") from None
    return value if isinstance(value, dict) else {}
