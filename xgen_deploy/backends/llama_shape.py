"""The shape of a GGUF model, put together from what the probe tells of its header."""

from xgen_deploy.fit.shape import ModelShape, Tensor, UnknownType
from xgen_deploy.fit.sound import problem_of
from xgen_deploy.state.facts import GGUFFacts, GGUFShape


class NoForecast(Exception):
    """The header is not that of a model, or the options are none; the text says why."""


def sound_shape(model: GGUFFacts) -> ModelShape:
    """Raises NoForecast."""
    if model.shape is None or model.architecture is None:
        raise NoForecast("its header tells no architecture, or no tensors")
    shape = model_shape(model.architecture, model.shape)
    try:
        problem = problem_of(shape)
    except UnknownType as error:
        problem = str(error)
    if problem is not None:
        raise NoForecast(problem)
    return shape


def model_shape(architecture: str, told: GGUFShape) -> ModelShape:
    tensors = [Tensor(name, kind, dims) for name, kind, dims in told.whole]
    for number, kind in enumerate(told.blocks):
        block = told.kinds[kind] if kind < len(told.kinds) else ()
        tensors += [Tensor(f"blk.{number}.{name}", form, dims) for name, form, dims in block]
    keys = {k: list(v) if isinstance(v, tuple) else v for k, v in told.keys.items()}
    return ModelShape(architecture, keys, tensors)
