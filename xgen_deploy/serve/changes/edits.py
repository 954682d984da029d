"""What was asked for as edits of the manifest. Pure."""

from collections.abc import Iterator, Mapping

from xgen_deploy.manifest.edit.data import alike, get
from xgen_deploy.manifest.edit.edits import AddPlacement, Edit, SetField
from xgen_deploy.serve.changes.requests import LoadRequest

# The request's field -> where a placement has it.
FIELDS: dict[str, tuple[str, ...]] = {
    "gpus": ("gpus",),
    "backend": ("backend",),
    "n_gpu_layers": ("n_gpu_layers",),
    "n_ctx": ("n_ctx",),
    "replicas": ("replicas",),
    "parallel": ("llama", "parallel"),
    "main_gpu": ("llama", "main_gpu"),
    "split_mode": ("llama", "split_mode"),
    "tensor_split": ("llama", "tensor_split"),
    "tensor_parallel_size": ("vllm", "tensor_parallel_size"),
    "gpu_memory_utilization": ("vllm", "gpu_memory_utilization"),
    "max_num_seqs": ("vllm", "max_num_seqs"),
}


def placement_name(asked: LoadRequest) -> str:
    return asked.name or asked.model


def load_edits(asked: LoadRequest, placed: Mapping[str, object] | None) -> tuple[Edit, ...]:
    """`placed` is the placement of this name that the manifest has on the host already, merged over
    its model."""
    stated = dict(_stated(asked))
    if placed is None:
        return (AddPlacement(asked.host, _placement(asked, stated)),)
    return tuple(
        SetField(asked.host, placement_name(asked), str(placed["model"]), path, value)
        for path, value in stated.items()
        if not alike(get(placed, path), value)
    )


def _stated(asked: LoadRequest) -> Iterator[tuple[tuple[str, ...], object]]:
    values = asked.model_dump(mode="json", exclude_none=True)
    if asked.gpu_index is not None:
        values["gpus"] = [] if asked.gpu_index < 0 else [asked.gpu_index]
    for field, path in FIELDS.items():
        if field in values:
            yield path, values[field]


def _placement(asked: LoadRequest, stated: dict[tuple[str, ...], object]) -> dict[str, object]:
    placement: dict[str, object] = {"model": asked.model}
    if placement_name(asked) != asked.model:
        placement["name"] = asked.name
    for path, value in stated.items():
        if len(path) == 1:
            placement[path[0]] = value
            continue
        section = placement.get(path[0])
        placement[path[0]] = {**(section if isinstance(section, dict) else {}), path[1]: value}
    return placement
