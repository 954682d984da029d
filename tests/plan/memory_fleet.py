"""A host with GPUs of a stated size, and models with the headers of measured ones."""

import json
from pathlib import Path
from typing import Any

from tests.fit.checkpoints import weight_facts
from tests.fit.measured import model, read
from tests.plan.fleet import Fleet
from xgen_deploy.frozen import replace
from xgen_deploy.probe.remote.gguf_shape import shape
from xgen_deploy.state.facts import GGUFFacts, GGUFShape, HostFacts, ModelFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo, GPUProcess
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.site import Site

GIB = 1 << 30
CHECKPOINTS = {
    c["model"]: c["config"] for c in read("choices")["ranks"] if c["model"] == "llama32-1b"
}


class MemoryFleet(Fleet):
    """One host `h`; `gpus` are their sizes in GiB, of which so much is free as `used` leaves.
    A model is called as the measured one, with any ending behind `_`; `_new` is of an architecture
    that nobody knows, `_mmproj` a projector."""

    def __init__(self, folder: Path, gpus: list[float], **top: Any) -> None:
        super().__init__(folder, {"h": "cpu"}, **top)
        self.gpus = [_gpu(index, round(size * 1024)) for index, size in enumerate(gpus)]
        self.ram: int | None = 256 << 10
        self.available: int | None = None  # the same unless stated

    def seen_as(self, **fields: Any) -> None:
        """What is told of every GPU."""
        self.gpus = [GPUInfo.model_validate({**g.model_dump(), **fields}) for g in self.gpus]

    def uses(self, gpu: int, mib: int, **process: Any) -> None:
        """A process holds so much."""
        before = self.gpus[gpu]
        free = (before.memory_free_mb or 0) - mib
        held = GPUProcess(pid=8812 + gpu, memory_mb=mib, **process)
        self.gpus[gpu] = before.model_copy(
            update={"memory_free_mb": free, "processes": (*before.processes, held)}
        )

    def reported(self, name: str, report: LoadReport) -> None:
        record = self.records["h"]
        entry = record.instances[name].model_copy(update={"report": report})
        instances = {**record.instances, name: entry}
        self.records["h"] = record.model_copy(update={"instances": instances})

    def _model(self, key: str, source: str) -> ModelFacts:
        name, _, ending = source.removeprefix("/m/").removesuffix(".gguf").partition("_")
        if name in CHECKPOINTS:
            config = CHECKPOINTS[name]
            seen = ModelFacts(key=key, path=source, state="m1", format="hf", size=5 << 30)
            return replace(seen, config=config, weights=weight_facts(config))
        header = header_of(name)
        if ending == "new":
            header = header.model_copy(update={"architecture": "orion"})
        if ending == "mmproj":
            header = header.model_copy(update={"architecture": "clip"})
        return ModelFacts(
            key=key, path=source, state="m1", format="gguf", gguf=header, size=5 << 30
        )

    def _facts(self, site: Site, name: str) -> HostFacts:
        facts = super()._facts(site, name)
        return facts.model_copy(
            update={
                "gpu": GPUDetectionResult(gpus=tuple(self.gpus), detection_method="pynvml"),
                "memory_total_mb": self.ram,
                "memory_available_mb": self.available or self.ram,
            }
        )


def source(name: str) -> str:
    return f"/m/{name}" if name in CHECKPOINTS else f"/m/{name}.gguf"


def _gpu(index: int, mib: int) -> GPUInfo:
    return GPUInfo.model_validate(
        {
            "index": index,
            "gpu_type": "nvidia",
            "device_name": "NVIDIA L4",
            "uuid": f"GPU-{index}",
            "memory_total_mb": mib,
            "memory_free_mb": mib,
        }
    )


def header_of(name: str) -> GGUFFacts:
    whole = model(name)
    keys: dict[str, Any] = {f"{whole.architecture}.{k}": v for k, v in whole.keys.items()}
    keys["general.architecture"] = whole.architecture
    table = [(t.name, t.kind, t.dims) for t in whole.tensors]
    return GGUFFacts(
        version=3,
        architecture=whole.architecture,
        layers=whole.blocks,
        context_length=whole.trained_context,
        tensor_count=len(table),
        shape=GGUFShape.model_validate(json.loads(json.dumps(shape(keys, table)))),
    )
