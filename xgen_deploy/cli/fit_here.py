"""`fit MODEL --gpu 24G`: what would fit on GPUs that are named, without any host."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.markup import escape

from xgen_deploy.backends.availability import available_backends
from xgen_deploy.backends.llama_shape import NoForecast, sound_shape
from xgen_deploy.backends.registry import ENGINES, backend_named
from xgen_deploy.cli.fit_quantized import CHOSEN, CannotBeMade, quantized_here, rows_of_made
from xgen_deploy.cli.fit_rows import entry_of, yaml_of
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.fit_table import fit_table, recommendation
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.fit import FitDocument, QuantizedEntry
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.hub.model_here import models_here
from xgen_deploy.resolve.fitting.recommended import recommended
from xgen_deploy.resolve.fitting.rows import SHORTEST, NotKnown, Place, Row, rows
from xgen_deploy.state.driver_memory import assumed_for
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.field_types import size, size_bytes
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance import Engine, Spec
from xgen_deploy.state.known_cards import Card, known_card
from xgen_deploy.state.memory import little_of
from xgen_deploy.state.settings import LlamaSettings

_MIB = 1 << 20
_SEVERAL = re.compile(r"(\d{1,2})x (.+)")
_PORT = 8001  # of none that is started


def fit_here(
    settings: Settings, stated: Sequence[str], backend: str | None, quantize: str | None
) -> int:
    """`settings.manifest` is the model's file or folder. Raises XgenError, UsageError."""
    path, gpus = settings.manifest, tuple(_gpus(stated))
    all_rows: list[Row] = []
    notes: list[str] = []
    made: list[QuantizedEntry] = []
    for model in models_here(path):
        try:
            if quantize is None:
                all_rows += _rows(model, backend, gpus)
            else:
                model, entry = quantized_here(model, quantize)
                all_rows += rows_of_made(_rows(model, backend, gpus), entry)
                made.append(entry)
        except CannotBeMade as error:
            notes.append(str(error))
        except (NoForecast, NotKnown) as error:
            notes.append(f"{model.path}: {error}")
    if not all_rows:
        raise XgenError(notes[0])
    notes += [CHOSEN] * bool(made)
    line = _recommended(path, all_rows)
    screen = Screen(settings)
    screen.lines(fit_table(all_rows, [g.label for g in gpus], screen.width))
    screen.lines(map(escape, notes))
    screen.lines(recommendation(line, "models"), exact=True)
    document = FitDocument(
        rows=tuple(map(entry_of, all_rows)),
        recommended=() if line is None else (line,),
        notes=tuple(notes),
        quantized=made[0] if len(made) == 1 else None,
    )
    screen.value(document)
    return 0


def _recommended(path: str, all_rows: Sequence[Row]) -> str | None:
    best = recommended(all_rows)
    if best is None:
        return None
    first: dict[str, object] = {"source": {"local": _written(path, best)}}
    if best.made:
        first["quantize"] = best.made
    return f"{_name(path)}: {yaml_of(best, first)}"


def _rows(model: ModelFacts, stated: str | None, gpus: tuple[GPUInfo, ...]) -> Iterator[Row]:
    """Raises NoForecast, NotKnown."""
    backend = stated or _backend(model, gpus)
    if model.gguf is not None:
        sound_shape(model.gguf)
    yield from rows(_spec(model, backend, len(gpus)), model, _place(backend, gpus))


def _gpus(stated: Sequence[str]) -> Iterator[GPUInfo]:
    """Raises UsageError."""
    cards: list[Card] = []
    for text in stated:
        several = _SEVERAL.fullmatch(text)
        count, name = (int(several[1]), several[2]) if several else (1, text)
        cards += [_card(name)] * count
    for at, card in enumerate(cards):
        yield GPUInfo(
            index=at,
            gpu_type=card.gpu_type,
            device_name=card.name,
            uuid=f"GPU-{at}",
            compute_capability=card.compute_capability,
            memory_total_mb=card.memory_mb,
            memory_free_mb=card.memory_mb,
        )


def _card(name: str) -> Card:
    known = known_card(name)
    if known is not None:
        return known
    try:
        memory = size_bytes(size(name)) // _MIB
    except ValueError:
        memory = 0
    if not 0 < memory < 1 << 24:
        raise UsageError(f"`--gpu {name}`: state its memory, such as 24G, or a card such as H100")
    return Card(name=name, gpu_type=GPUType.NVIDIA, memory_mb=memory)


def _backend(model: ModelFacts, gpus: Sequence[GPUInfo]) -> str:
    """The one that would be chosen there; of cards that nobody knows, the first for the format."""
    form = "gguf" if model.gguf is not None else "hf"
    names = (*available_backends(tuple(gpus)).backends, *(b.name for b in ENGINES))
    built = ((name, backend_named(name)) for name in names)
    return next(name for name, backend in built if backend and form in backend.formats)


def _place(name: str, gpus: tuple[GPUInfo, ...]) -> Place:
    """Raises UsageError."""
    backend = backend_named(name)
    if backend is None:
        raise UsageError(f"there is no backend {name}")
    whole = tuple((gpu.memory_total_mb or 0) * _MIB for gpu in gpus)
    free = tuple(
        max(0, total - assumed_for(gpu) - little_of(total))
        for gpu, total in zip(gpus, whole, strict=True)
    )
    engine = Engine(backend=name)
    return Place(backend=backend, engine=engine, gpus=gpus, free=free, whole=whole)


def _spec(model: ModelFacts, backend: str, gpus: int) -> Spec:
    path = model.path or model.key
    pools = model.gguf is not None and model.gguf.pooling_type is not None
    return Spec(
        model="model",
        type="embedding" if pools else "llm",
        backend=backend,
        runtime="docker",
        source=path,
        model_path=path,
        gpus=tuple(f"GPU-{at}" for at in range(gpus)),
        n_ctx=SHORTEST,
        n_gpu_layers="all" if model.gguf is not None else None,
        llama=LlamaSettings() if pools else LlamaSettings(parallel=1),
        port=_PORT,
    )


def _written(path: str, best: Row) -> str:
    return str(Path(best.model.path or path))


def _name(path: str) -> str:
    """For `models:`, after the file or folder."""
    stem = Path(path).resolve().name.removesuffix(".gguf").lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-.") or "model"
