"""Which pydantic model describes a place of a file."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from xgen_deploy.manifest.node import Path


def model_at(kind: object, path: Path) -> type[BaseModel] | None:
    """The pydantic model that describes a place; None where none does."""
    candidates: list[Any] = [kind]
    for step in path:
        candidates = [under for branch in _branches(candidates) for under in _under(branch, step)]
    models = [branch for branch in _branches(candidates) if _is_model(branch)]
    return models[0] if models else None


def _branches(kinds: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for kind in kinds:
        args = get_args(kind)
        if hasattr(kind, "__metadata__"):
            flat += _branches([args[0]])
        elif get_origin(kind) in (Union, UnionType):
            flat += _branches(list(args))
        else:
            flat.append(kind)
    return flat


def _under(kind: Any, step: str | int) -> list[Any]:
    if _is_model(kind):
        field = kind.model_fields.get(step)
        return [field.annotation] if field else []
    if get_origin(kind) is dict:
        return [get_args(kind)[1]]
    if get_origin(kind) is tuple and isinstance(step, int):
        return [get_args(kind)[0]]
    return []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
