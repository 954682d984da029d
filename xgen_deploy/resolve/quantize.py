"""What a host is to make of a model's source, and what that will be. Pure."""

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.resolve.models import shown_source
from xgen_deploy.resolve.quantized_size import MIB, SLAB, CannotQuantize, memory_of, outcome_of
from xgen_deploy.sizes import size_text
from xgen_deploy.state.facts import (
    EngineFacts,
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
_SMALLEST_SLAB = 64
_ENDING = re.compile(r"(?:-\d{5}-of-\d{5})?\.gguf$", re.IGNORECASE)
_TYPE = re.compile(r"[-._](?:bf16|fp?16|fp?32|q8_0)$", re.IGNORECASE)
# Numbers of a model that a processor quantizes in a second, and bytes that a disk moves: measured
# with b11669.
_NUMBERS = {"Q": 60e6, "I": 12e6}
_DISK = 200e6


def quantizer_request(
    declared: Sequence[InstanceConfig], model_dir: str
) -> QuantizerRequest | None:
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
    places = tuple(dict.fromkeys(beside))
    return QuantizerRequest(places=places, as_login=as_login, model_dir=model_dir)


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
    file_type = config.quantize or ""
    outcome, quantizer = outcome_of(source, file_type), _quantizer(facts)
    slab, memory = _memory(facts, quantizer, outcome.buffer)
    _check_readable(config, source)
    of, path = source.state or "", source.path or ""
    recipe = _digest(f"{of} {file_type} {quantizer.version}")
    threads, root = max(1, facts.cores // 2), host.model_dir.rstrip("/")
    folder = f"{root}/{FOLDER}/{folder_of(source.key)}"
    source_size = source.size or 0
    numbers = sum(t.elements for t in outcome.tensors)
    seconds = numbers / _NUMBERS[file_type[0]] / threads + (source_size + outcome.size) / _DISK
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
        requantizes=outcome.requantizes,
        size=outcome.size,
        memory=memory,
        seconds=seconds,
        threads=threads,
        slab=slab,
        as_login=config.runtime == "process",
    )


def folder_of(key: str) -> str:
    """By the source as it is stated, so that what was made is found while the source is gone."""
    return _digest(key)[:16]


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


def _memory(facts: HostFacts, quantizer: QuantizerFacts, buffer: int) -> tuple[int, int]:
    """The MiB of a slab, 0 where none can be asked for, and the bytes that are taken."""
    available = facts.memory_available_mb
    if "--max-buffer-size" in quantizer.options:
        quarter = available // 4 if available is not None else SLAB
        slab = max(_SMALLEST_SLAB, min(SLAB, quarter))
        return slab, memory_of(buffer, slab)
    needed = memory_of(buffer, None)
    if available is not None and needed > available * MIB:
        raise CannotQuantize(
            f"{PROGRAM} {quantizer.version} needs {size_text(needed)} of memory for its largest "
            f"tensor, and {size_text(available * MIB)} are free",
            "Free memory there, or install a newer one, which has `--max-buffer-size`.",
        )
    return 0, needed


def _check_readable(config: InstanceConfig, source: ModelFacts) -> None:
    closed = source.closed_file or source.closed_folder
    if closed is not None and config.runtime != "process":
        bits = "o+r" if source.closed_file else "o+x"
        raise CannotQuantize(
            f"the quantizer, which runs without rights, may not read {closed}",
            f"Run on the host: `chmod {bits} {closed}`.",
        )


def _engine(facts: HostFacts) -> str | None:
    """A llama-server that is there, and new enough to prove it."""
    for engine in facts.engines:
        backend = backend_named(engine.backend)
        is_there = engine.binary and engine.state and not engine.coming and engine.error is None
        if is_there and backend is not None and backend.trial_with_gguf and _proves(engine):
            return engine.binary
    return None


def _proves(engine: EngineFacts) -> bool:
    return {"--check-tensors", "--device", "--no-warmup"} <= {*engine.flags}


def _named(config: InstanceConfig, source: ModelFacts) -> str:
    if config.local is not None:
        return config.model
    stated = shown_source(source.key)
    return stated if read_source(stated).repository is None else f"{stated}@{config.revision}"


def _stem(path: str) -> str:
    return _TYPE.sub("", _ENDING.sub("", posixpath.basename(path)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
