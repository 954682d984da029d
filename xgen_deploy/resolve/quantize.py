"""What a host is to make of a model's source, and what that will be. Pure."""

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from xgen_deploy.backends.llama_forecast import model_shape
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.fit.quantized import buffer_bytes, quantized_tensors
from xgen_deploy.fit.shape import ModelShape, Tensor, UnknownType
from xgen_deploy.resolve.models import shown_source
from xgen_deploy.state.facts import (
    HostFacts,
    ModelFacts,
    QuantizerFacts,
    QuantizerRequest,
)
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.quantize import Quantizing
from xgen_deploy.state.source import read_source

PROGRAM = "llama-quantize"
FOLDER = "xgen/quantized"
_SHORT = 12
_ALIGNMENT = 32
_MIB = 1 << 20
_OVERHEAD = 256 * _MIB
_SLAB = 2048
_SMALLEST_SLAB = 64
# ggml's numbers of types that are not quantized, and of Q8_0.
_PLAIN, _Q8_0 = (0, 1, 30), 8
_ENDING = re.compile(r"(?:-\d{5}-of-\d{5})?\.gguf$", re.IGNORECASE)
_TYPE = re.compile(r"[-._](?:bf16|fp?16|fp?32|q8_0)$", re.IGNORECASE)
# Numbers of a model that a processor quantizes in a second, and bytes that a disk moves: measured
# with b11669.
_NUMBERS = {"Q": 60e6, "I": 12e6}
_DISK = 200e6


class CannotQuantize(Exception):
    """`reason` is a clause about the source; `hint` what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def quantizer_request(declared: Sequence[InstanceConfig]) -> QuantizerRequest | None:
    """None where nothing is to be quantized."""
    if not any(config.quantize for config in declared):
        return None
    binaries: Iterable[str | None] = (
        path
        for config in declared
        if config.runtime != "docker"
        for path in (config.binary, *config.binaries.values())
    )
    beside = (posixpath.join(posixpath.dirname(path), PROGRAM) for path in binaries if path)
    as_login = all(config.runtime == "process" for config in declared if config.quantize)
    return QuantizerRequest(places=tuple(dict.fromkeys(beside)), as_login=as_login)


def to_quantize(
    config: InstanceConfig,
    host: Host,
    facts: HostFacts,
    source: ModelFacts,
    *,
    sha256: Mapping[str, str],
) -> Quantizing:
    """`source` is there or will be; its `key` is that of what is made. `sha256` are those that its
    files must have. Raises CannotQuantize."""
    file_type, header = config.quantize or "", _header(source)
    quantizer = _quantizer(facts)
    kinds = {t.kind for t in header.tensors}
    _check_source(kinds, source, file_type)
    try:
        made = quantized_tensors(header, file_type)
        buffer = buffer_bytes(header, file_type)
    except (UnknownType, ArithmeticError, LookupError, ValueError):
        raise CannotQuantize("its header is odd", "Take another file of it.") from None
    slab, memory = _memory(facts, quantizer, buffer)
    _check_readable(config, source)
    of, path = source.state or "", source.path or ""
    recipe = _digest(f"{of} {file_type} {quantizer.version}")
    threads, root = max(1, facts.cores // 2), host.model_dir.rstrip("/")
    folder = f"{root}/{FOLDER}/{folder_of(source.key)}"
    source_size = source.size or 0
    size = max(1, source_size - _data(header.tensors) + _data(made))
    numbers = sum(t.elements for t in made)
    seconds = numbers / _NUMBERS[file_type[0]] / threads + (source_size + size) / _DISK
    return Quantizing(
        host=host.name,
        instances=(config.name,),
        name=config.model,
        file_type=file_type,
        source=path,
        source_size=source_size,
        sha256=sha256,
        origin=f"{_named(config, source)} as {file_type}, {PROGRAM} {quantizer.version}",
        root=root,
        place=f"{folder}/{_stem(path)}-{file_type}-{recipe[:_SHORT]}.gguf",
        recipe=recipe,
        source_state=of,
        program=quantizer.program or "",
        version=quantizer.version,
        engine=_engine(facts),
        requantizes=_Q8_0 in kinds,
        size=size,
        memory=memory,
        seconds=seconds,
        threads=threads,
        slab=slab,
        as_login=config.runtime == "process",
    )


def folder_of(key: str) -> str:
    """By the source as it is stated, so that what was made is found while the source is gone."""
    return _digest(key)[:16]


def _header(source: ModelFacts) -> ModelShape:
    if source.format != "gguf" or source.gguf is None:
        raise CannotQuantize(
            "`quantize` takes a GGUF, and this is not one",
            "llama.cpp's convert_hf_to_gguf.py makes one of safetensors, where PyTorch is; for "
            "vLLM state `vllm: {quantization: ...}` in place of `quantize`.",
        )
    if source.gguf.shape is None or source.gguf.architecture is None:
        raise CannotQuantize("its header tells of no tensors", "Take another file of it.")
    return model_shape(source.gguf.architecture, source.gguf.shape)


def _quantizer(facts: HostFacts) -> QuantizerFacts:
    found = facts.quantizer
    if found is not None and found.program is not None and found.error is None:
        return found
    reason = f"there is no {PROGRAM} on this host"
    if found is not None and found.error is not None:
        reason = f"{found.program or PROGRAM} does not run on this host: {found.error}"
    raise CannotQuantize(
        reason,
        "Install llama.cpp's tools there (Debian: `apt install llama.cpp-tools`), or put "
        f"{PROGRAM} beside the llama-server of `binaries:`; or take a file that is quantized.",
    )


def _check_source(kinds: set[int], source: ModelFacts, file_type: str) -> None:
    told = (source.gguf and source.gguf.quantization) or "quantized"
    if told == file_type:
        raise CannotQuantize(f"it is {told} already", "Leave `quantize` out.")
    if not kinds <= {*_PLAIN, _Q8_0}:
        raise CannotQuantize(
            f"it is {told} already, and making {file_type} of that would cost much quality",
            "Take a source in F16, BF16, F32 or Q8_0, or leave `quantize` out.",
        )


def _memory(facts: HostFacts, quantizer: QuantizerFacts, buffer: int) -> tuple[int, int]:
    """The MiB of a slab, 0 where none can be asked for, and the bytes that are taken."""
    available = facts.memory_available_mb
    if "--max-buffer-size" in quantizer.options:
        quarter = available // 4 if available is not None else _SLAB
        slab = max(_SMALLEST_SLAB, min(_SLAB, quarter))
        return slab, min(buffer, slab * _MIB) + _OVERHEAD
    needed = buffer + _OVERHEAD
    if available is not None and needed > available * _MIB:
        raise CannotQuantize(
            f"{PROGRAM} {quantizer.version} needs {_gib(needed)} of memory for its largest "
            f"tensor, and {_gib(available * _MIB)} are free",
            "Free memory there, or install a newer one, which has `--max-buffer-size`.",
        )
    return 0, needed


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _check_readable(config: InstanceConfig, source: ModelFacts) -> None:
    closed = source.closed_file or source.closed_folder
    if closed is not None and config.runtime != "process":
        bits = "o+r" if source.closed_file else "o+x"
        raise CannotQuantize(
            f"the quantizer, which runs without rights, may not read {closed}",
            f"Run on the host: `chmod {bits} {closed}`.",
        )


def _engine(facts: HostFacts) -> str | None:
    """A llama-server that is there."""
    for engine in facts.engines:
        backend = backend_named(engine.backend)
        is_there = engine.binary and engine.state and not engine.coming and engine.error is None
        if is_there and backend is not None and backend.trial_with_gguf:
            return engine.binary
    return None


def _named(config: InstanceConfig, source: ModelFacts) -> str:
    if config.local is not None:
        return config.model
    stated = shown_source(source.key)
    return stated if read_source(stated).repository is None else f"{stated}@{config.revision}"


def _stem(path: str) -> str:
    return _TYPE.sub("", _ENDING.sub("", posixpath.basename(path)))


def _data(tensors: Iterable[Tensor]) -> int:
    return sum(-(-t.bytes // _ALIGNMENT) * _ALIGNMENT for t in tensors)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
