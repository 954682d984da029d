"""The header of a model from a file on this machine, in place of the model."""

import json
from pathlib import Path

from xgen_deploy.limits import MANIFEST
from xgen_deploy.manifest.diagnostics import failure
from xgen_deploy.state.facts import GGUFFacts, ModelFacts, ModelRequest


def read_model_header(request: ModelRequest, path: str) -> ModelFacts:
    """Of the beginning of a GGUF, or of a `config.json`. Raises ManifestError."""
    try:
        with Path(path).open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
        return _gguf(request, path) if is_gguf else _hf(request, path)
    except OSError as error:
        raise failure(
            path, f"this header of {request.source} cannot be read: {error.strerror}"
        ) from None


def _gguf(request: ModelRequest, path: str) -> ModelFacts:
    from xgen_deploy.probe.remote.gguf import essentials, read_header_alone
    from xgen_deploy.probe.remote.gguf_cursor import NotGGUF

    try:
        header = read_header_alone(path)
    except NotGGUF as error:
        reason = f"this is not the whole header of a GGUF ({error}); give more of its beginning"
        raise failure(path, reason) from None
    return ModelFacts(
        key=request.key,
        path=request.source,
        format="gguf",
        state="header",
        gguf=GGUFFacts.model_validate(essentials(header, None)),
    )


def _hf(request: ModelRequest, path: str) -> ModelFacts:
    with Path(path).open("rb") as file:
        content = file.read(MANIFEST)
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise failure(path, f"this is neither a GGUF nor the config.json of {request.source}")
    return ModelFacts(
        key=request.key, path=request.source, format="hf", state="header", config=config
    )
