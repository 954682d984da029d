"""Facts of a host that nobody has looked at: what a fleet file says, and the rest as present."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.fleet_file import Cards, FleetHost
from xgen_deploy.state.facts import (
    DockerFacts,
    EngineFacts,
    EngineRequest,
    FileFacts,
    HostFacts,
    ModelFacts,
    ModelRequest,
    ProbeRequest,
)
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo, GPUType
from xgen_deploy.state.known_cards import known_card

_RENDER = 128  # the first number of a render node
_AMD = (GPUType.AMD_RDNA, GPUType.AMD_CDNA)
_GROUP = 109
_UNITS = "/etc/systemd/system/xgen-"


@dataclass(frozen=True)
class Invented:
    """`taken` names what is taken as present without being stated, for the reader of the plan."""

    facts: HostFacts
    taken: tuple[str, ...]


def invented(host: FleetHost, name: str) -> HostFacts:
    """Without what a manifest asks for."""
    gpus = _gpus(host)
    nodes = [g.render_node for g in gpus if g.render_node]
    amd = any(g.gpu_type in _AMD for g in gpus)
    nvidia = any(g.gpu_type is GPUType.NVIDIA for g in gpus)
    devices = (*(("/dev/kfd",) if amd else ()), *nodes)
    method = "+".join(["pynvml"] * nvidia + ["amdsmi"] * amd) or "cpu_fallback"
    return HostFacts(
        probe="python",
        hostname=name,
        arch="x86_64",
        kernel="",
        user="root",
        uid=0,
        now=0.0,
        cores=host.cores or 1,
        memory_total_mb=host.memory_mb,
        memory_available_mb=host.memory_mb,
        gpu=GPUDetectionResult(gpus=gpus, detection_method=method),
        systemd="255",
        docker=DockerFacts(
            state="ok",
            version="28.0.0",
            cli="/usr/bin/docker",
            runtimes=("runc", "nvidia") if nvidia else ("runc",),
        ),
        device_files=devices,
        groups={**dict.fromkeys(devices, _GROUP), "render": _GROUP, "video": 44},
    )


def completed(
    facts: HostFacts, host: FleetHost, request: ProbeRequest, formats: Mapping[str, str]
) -> Invented:
    """With an answer to all that a manifest asks for; `formats` are by key of a model. Nothing runs
    there, whatever was recorded, and who looked at it need not be who applies."""
    models = {m.key: m for m in facts.models}
    builds = {(e.backend, e.binary, e.image): e for e in facts.engines}
    files = {f.path: f for f in facts.files}
    found = [models.get(m.key) or _model(m, host, formats) for m in request.models]
    engines = [
        builds.get((e.backend, e.binary, e.image)) or _engine(e, host) for e in request.engines
    ]
    taken_models = [m.key.rpartition("@")[0] for m in found if m.state is None and not m.error]
    taken_builds = [e.image or e.binary or "" for e in engines if e.state is None and not e.error]
    taken = (
        *(f"model {text}" for text in dict.fromkeys(taken_models)),
        *(f"engine {text}" for text in dict.fromkeys(taken_builds)),
        *(f"file {p}" for p in request.files if p not in files and not _is_own(p, request)),
    )
    whole = replace(
        facts,
        models=tuple(found),
        engines=tuple(engines),
        files=tuple(files.get(p) or _file(p, request) for p in request.files),
        uid=0,
        exec_error=None,
        gpu=_idle(facts.gpu),
        docker=replace(facts.docker, containers=()),
        record=None,
        services=(),
        ports=(),
    )
    return Invented(whole, taken)


def _file(path: str, request: ProbeRequest) -> FileFacts:
    return FileFacts(path=path, kind="absent" if _is_own(path, request) else "file")


def _is_own(path: str, request: ProbeRequest) -> bool:
    """Whether the tool itself would write it."""
    return path.startswith((f"{request.state_dir}/", f"{request.etc_dir}/", _UNITS))


def _idle(result: GPUDetectionResult) -> GPUDetectionResult:
    gpus = [
        replace(g, processes=(), memory_used_mb=0, memory_free_mb=g.memory_total_mb)
        for g in result.gpus
    ]
    return replace(result, gpus=tuple(gpus))


def _gpus(host: FleetHost) -> tuple[GPUInfo, ...]:
    each = [cards for cards in host.cards for _ in range(cards.count)]
    return tuple(_gpu(cards, at, host.driver) for at, cards in enumerate(each))


def _gpu(cards: Cards, at: int, driver: str | None) -> GPUInfo:
    known = known_card(cards.name)
    stated = GPUType(cards.type) if cards.type else None
    gpu_type = stated or (known.gpu_type if known else GPUType.UNKNOWN)
    memory = cards.memory_mb or (known.memory_mb if known else None)
    address = f"0000:{0x41 + at:02x}:00.0"
    node = f"/dev/dri/renderD{_RENDER + at}"
    apu = cards.apu or bool(known and known.apu)
    # What is stated of one of AMD's is all that it has.
    mapped = 0 if apu and gpu_type is not GPUType.NVIDIA else None
    return GPUInfo(
        index=at,
        gpu_type=gpu_type,
        device_name=known.name if known and not cards.type else cards.name,
        uuid=f"GPU-{at:08d}-0000-0000-0000-000000000000" if gpu_type is GPUType.NVIDIA else None,
        pci_bus_id=address,
        memory_total_mb=memory,
        memory_used_mb=0,
        memory_free_mb=memory,
        compute_capability=cards.compute_capability
        or (known.compute_capability if known else None),
        gfx_version=cards.gfx or (known.gfx if known else None),
        driver_version=driver,
        render_node=node,
        render_path=f"/dev/dri/by-path/pci-{address}-render",
        apu=apu,
        gtt_total_mb=mapped,
        gtt_used_mb=mapped,
    )


def _model(request: ModelRequest, host: FleetHost, formats: Mapping[str, str]) -> ModelFacts:
    header = host.models.get(request.source)
    if header is not None:
        from xgen_deploy.run.model_header import read_model_header

        return read_model_header(request, header)
    path = (
        request.source if request.source.startswith("/") else f"{request.hf_home}/{request.source}"
    )
    is_hf = formats.get(request.key, "gguf") == "hf"
    return ModelFacts(key=request.key, path=path, format="hf" if is_hf else "gguf")


def _engine(request: EngineRequest, host: FleetHost) -> EngineFacts:
    stated = host.images if request.image is not None else host.binaries
    name = request.image or request.binary
    error = (
        f"{name} is not in the fleet file" if stated is not None and name not in stated else None
    )
    return EngineFacts(
        backend=request.backend,
        binary=request.binary,
        image=request.image,
        state=f"stated:{name}" if stated is not None and error is None else None,
        entrypoint=_entrypoint(request),
        error=error,
    )


def _entrypoint(request: EngineRequest) -> tuple[str, ...]:
    """An image that nobody looked into is taken to start the engine that it is named for."""
    if request.image is None:
        return ()
    backend = backend_named(request.backend)
    return backend.entrypoint if backend and backend.entrypoint else ("/engine",)
