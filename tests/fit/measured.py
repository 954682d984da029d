"""Buffers that llama.cpp really allocated, with the models' headers: see cases/README.md."""

import gzip
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from xgen_deploy.backends.llama_builds import build_of
from xgen_deploy.fit.settings import Device, Settings
from xgen_deploy.fit.shape import ModelShape, Tensor

CASES = Path(__file__).parent / "cases"
MIB = 1 << 20


@lru_cache(maxsize=2)
def read(name: str) -> Any:
    return json.loads(gzip.decompress((CASES / f"{name}.json.gz").read_bytes()))


@lru_cache(maxsize=16)
def model(name: str) -> ModelShape:
    stated = read("models")[name]
    tensors = [Tensor(name, kind, tuple(dims)) for name, kind, dims in stated["tensors"]]
    return ModelShape(stated["architecture"], stated["keys"], tensors)


def settings(params: dict[str, Any]) -> Settings:
    largest = params.get("max_tensor")
    overrides, build = params.get("ot"), build_of(int(params["engine"].removeprefix("b")))
    return Settings(
        context=params["ctx"],
        batch=params.get("batch", 2048),
        ubatch=params.get("ub", 512),
        slots=params.get("np", 1),
        unified=bool(params.get("unified")),
        key_type=params.get("tk", "f16"),
        value_type=params.get("tv", "f16"),
        flash=bool(params.get("fa", 1)),
        layers=params.get("ngl", -1),
        split=tuple(params.get("ts", ())),
        one_device=params.get("sm") == "none",
        main_device=params.get("main_gpu", 0),
        cache_on_device=bool(params.get("okv", 1)),
        embeddings=bool(params.get("emb")),
        outputs=params["nout"],
        overrides=(overrides,) if overrides else (),
        full_window=bool(params.get("swa_full")),
        mixes_inputs=build.mixes_inputs,
        sums_experts=build.sums_experts,
        mixes_cache_types=build.mixes_cache_types,
        caches_predictions=build.caches_predictions,
        simulated=bool(params.get("oracle")),
        devices=tuple(
            Device(name=n, backend=params["backend"], largest=largest and largest * MIB)
            for n in params["devices"]
        ),
    )
