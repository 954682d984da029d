"""GGUF models that lie on this machine, read for what they would take of memory: their headers are
enough.
"""

from pathlib import Path

from pydantic import ValidationError

from xgen_deploy.errors import XgenError
from xgen_deploy.probe.remote.gguf_folder import gguf_files
from xgen_deploy.probe.remote.gguf_parts import gguf_model
from xgen_deploy.probe.remote.hf_model import hf_model
from xgen_deploy.state.facts import ModelFacts


def gguf_here(path: str) -> ModelFacts:
    """In one file or several, of which `path` is the first. Raises XgenError with what is wrong."""
    if Path(path).is_dir():
        raise XgenError(f"{path} is a folder: name the GGUF in it")
    try:
        told = gguf_model(path, alone=True)
    except OSError as error:
        raise XgenError(f"{path} cannot be read: {error.strerror}") from None
    if told["error"]:
        raise XgenError(f"{path}: {told['error']}")
    try:
        model = ModelFacts.model_validate({"key": path, **told})
    except ValidationError:
        raise XgenError(f"{path}: its header holds numbers that no model has") from None
    if model.gguf is None or model.gguf.shape is None:
        raise XgenError(f"{path}: its header tells too little: no architecture, or no tensors")
    _check_count(path, model)
    return model


def ggufs_here(folder: str) -> list[str]:
    """Paths of the models in a folder. Raises XgenError where there are none."""
    names = gguf_files(folder)
    if not names:
        raise XgenError(f"there is no GGUF in {folder}")
    return [str(Path(folder, name)) for name in names]


def models_here(path: str) -> list[ModelFacts]:
    """A GGUF or all in a folder, or a folder of Hugging Face's. Raises XgenError."""
    if not Path(path).is_dir():
        return [gguf_here(path)]
    if not Path(path, "config.json").is_file() or gguf_files(path):
        return [gguf_here(name) for name in ggufs_here(path)]
    try:
        told = hf_model(path)
    except OSError as error:
        raise XgenError(f"{path} cannot be read: {error.strerror}") from None
    if told["error"]:
        raise XgenError(f"{path} {told['error']}")
    try:
        return [ModelFacts.model_validate({"key": path, **told})]
    except ValidationError:
        raise XgenError(f"{path}: its files hold numbers that no model has") from None


def _check_count(path: str, model: ModelFacts) -> None:
    """Of several files each has its part of the tensors. Raises XgenError."""
    if model.gguf is None or model.gguf.shape is None:
        return
    shape, told = model.gguf.shape, model.gguf.tensor_count
    count = len(shape.whole) + sum(len(shape.kinds[kind]) for kind in shape.blocks)
    if count != told:
        raise XgenError(f"{path}: its header tells {told} tensors, and there are {count}")
