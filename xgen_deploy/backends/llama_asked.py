"""What llama-server makes of its command line, for a forecast of its memory: its defaults, and what
it refuses or changes by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from xgen_deploy.backends.llama_builds import OLD, SAME, build_of
from xgen_deploy.backends.llama_words import BadWords, Words, read_words
from xgen_deploy.fit.layers import host_experts
from xgen_deploy.fit.replay.compute import has_flash
from xgen_deploy.fit.settings import ALL, Device, Settings
from xgen_deploy.fit.shape import ModelShape
from xgen_deploy.state.settings import CacheType

_BATCH, _UBATCH, _SLOTS = 2048, 512, 4
_MOST = 1 << 31
_ALL_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
_ON, _OFF = frozenset({"on", "1", "true", "enabled"}), frozenset({"off", "0", "false", "disabled"})
# How each build allocates on its devices.
RULES = {
    "llama-server-cuda": "cuda",
    "llama-server-rocm": "cuda",  # the same code, compiled for AMD
    "llama-server-vulkan": "vulkan",
    "llama-server-cpu": None,
}


@dataclass(frozen=True)
class Asked:
    """`doubts`: why the forecast is an estimate. `notes`: what was assumed."""

    settings: Settings
    doubts: tuple[str, ...]
    notes: tuple[str, ...]


def asked(
    words: Sequence[str],
    model: ModelShape,
    *,
    backend: str,
    devices: Sequence[str],
    build: int | None = None,
    largest: int | None = None,
) -> Asked:
    """`devices` are those that there are, `largest` the largest buffer that they take. Raises
    BadWords."""
    told = read_words(words)
    rules, reader = RULES[backend], _Reader(told)
    known = build_of(build)
    used = reader.devices(devices if rules else ())
    settings = replace(
        reader.settings(),
        split=reader.split(len(used)),
        main_device=reader.main_device(len(used)),
        one_device=told.values.get("split_mode") == "none",
        cache_on_device=reader.last("cache on host", "cache on device") != "cache on host",
        copies_operations=reader.last("leaves operations", "moves operations")
        != "leaves operations",
        full_window="full_window" in told.switches,
        overrides=tuple(reader.overrides()),
        mixes_inputs=known.mixes_inputs,
        sums_experts=known.sums_experts,
        mixes_cache_types=known.mixes_cache_types,
        caches_predictions=known.caches_predictions,
        moves_sinks=known.moves_sinks,
        devices=tuple(Device(name=n, backend=rules or "cpu", largest=largest) for n in used),
    )
    settings = replace(settings, flash=reader.flash(settings, model))
    _check_cache_types(settings, model)
    doubts = [*told.doubts, *reader.doubts(used)]
    if not known.measured:
        doubts.append(f"build {build} lies between those that were measured, b{OLD} and b{SAME}")
    return Asked(settings, tuple(doubts), tuple(reader.notes()))


class _Reader:
    def __init__(self, told: Words) -> None:
        self._told, self._values = told, told.values

    def last(self, *switches: str) -> str | None:
        """Which of these was written last."""
        return next((s for s in reversed(self._told.switches) if s in switches), None)

    def settings(self) -> Settings:
        """What is a number or a word."""
        switches, stated = self._told.switches, self._number("slots", -1, least=-1)
        slots = _SLOTS if stated < 0 else max(1, stated)
        embeds = "embeddings" in switches or "reranking" in switches
        pools = self._values.get("pooling", "none") != "none"
        return Settings(
            context=self._number("context", 0),
            batch=self._number("batch", _BATCH, least=1),
            ubatch=self._number("ubatch", _UBATCH, least=1),
            slots=slots,
            unified=stated < 0 or self.last("unified", "not unified") == "unified",
            key_type=self._cache_type("key_type"),
            value_type=self._cache_type("value_type"),
            layers=self._layers(),
            embeddings=embeds,
            outputs=0 if embeds or pools else None,
        )

    def devices(self, those: Sequence[str]) -> tuple[str, ...]:
        stated = self._values.get("devices")
        if stated is None:
            return tuple(those)
        names = () if stated == "none" else tuple(stated.split(","))
        for name in names:
            if name not in those:
                raise BadWords(f"`--device {stated}`: there is no {name} among {', '.join(those)}")
        return names

    def split(self, count: int) -> tuple[float, ...]:
        stated = self._values.get("split")
        if stated is None:
            return ()
        parts = re.split("[,/]", stated)
        try:
            shares = tuple(float(part) for part in parts)
        except ValueError:
            raise BadWords(f"`--tensor-split {stated}` is no list of numbers") from None
        if not all(0 <= share < _MOST for share in shares):
            raise BadWords(f"`--tensor-split {stated}` is no list of shares")
        if any(shares[count:]):
            raise BadWords(f"`--tensor-split {stated}` is for more than {count} devices")
        return shares[:count] if any(shares[:count]) else ()

    def main_device(self, count: int) -> int:
        number = self._number("main_device", 0)
        if number >= max(1, count):
            raise BadWords(f"`--main-gpu {number}`: there are {count} devices")
        return number

    def overrides(self) -> Iterator[str]:
        """Patterns of what stays on the host. Raises BadWords."""
        if "all_experts_on_host" in self._told.switches:
            yield _ALL_EXPERTS
        count = self._number("host_experts", 0)
        if count:
            yield host_experts(min(count, 1000))
        for pattern, place in self._placed():
            if place == "CPU":
                yield pattern

    def flash(self, settings: Settings, model: ModelShape) -> bool:
        word = self._values.get("flash", "auto")
        if word in _ON or word in _OFF:
            return word in _ON
        if word not in ("auto", "-1"):
            raise BadWords(f"`--flash-attn {word}`: it takes on, off or auto")
        return has_flash(settings, model)

    def doubts(self, devices: Sequence[str]) -> Iterator[str]:
        mode = self._values.get("split_mode", "layer")
        if mode not in ("none", "layer", "row", "tensor"):
            raise BadWords(f"`--split-mode {mode}`: it takes none, layer, row or tensor")
        several = len(devices) > 1 and mode != "none"
        if mode in ("row", "tensor") and len(devices) > 1:
            yield f"`--split-mode {mode}` is computed as layer"
        if several and not self._values.get("split"):
            yield "no `--tensor-split`: the engine goes by the memory that is free; computed evenly"
        if any(place != "CPU" for _, place in self._placed()):
            yield "`--override-tensor` to another place than CPU is not looked at"
        if devices and self._fits() and self._layers() == ALL and not self._all():
            yield "neither `-ngl` nor `--fit off`: the engine chooses; computed with all layers"

    def notes(self) -> Iterator[str]:
        if self._number("slots", -1, least=-1) < 0:
            yield f"no `-np`: {_SLOTS} slots share the context"

    def _fits(self) -> bool:
        return self._values.get("fit", "on") in _ON

    def _all(self) -> bool:
        return self._values.get("layers") == "all"

    def _layers(self) -> int:
        word = self._values.get("layers", "auto")
        return ALL if word in ("auto", "all") else max(ALL, self._number("layers", 0, least=-2))

    def _cache_type(self, name: str) -> str:
        word = self._values.get(name, "f16")
        if word not in get_args(CacheType):
            raise BadWords(f"`{word}` is no type of a cache; {', '.join(get_args(CacheType))} are")
        return word

    def _placed(self) -> list[tuple[str, str]]:
        stated = self._values.get("overrides")
        pairs = [part.rpartition("=") for part in stated.split(",")] if stated else []
        for pattern, equals, _ in pairs:
            try:
                re.compile(pattern)
            except re.error as error:
                raise BadWords(f"`--override-tensor {pattern}`: {error}") from None
            if not equals:
                raise BadWords(f"`--override-tensor {stated}`: a pattern lacks its `=CPU`")
        return [(pattern, place) for pattern, _, place in pairs]

    def _number(self, name: str, default: int, *, least: int = 0) -> int:
        word = self._values.get(name)
        if word is None:
            return default
        if not re.fullmatch(r"-?\d{1,10}", word) or not least <= int(word) < _MOST:
            raise BadWords(f"`{word}` is no number of {_OF.get(name, name)}")
        return int(word)


_OF = {
    "context": "tokens",
    "batch": "tokens",
    "ubatch": "tokens",
    "slots": "slots",
    "layers": "layers; `all` is every one",
    "main_device": "a device",
    "host_experts": "blocks",
}


def _check_cache_types(settings: Settings, model: ModelShape) -> None:
    """Raises BadWords for what the engine would not start with."""
    if settings.value_type[0] in "qi" and not settings.flash:
        raise BadWords(f"`-ctv {settings.value_type}` needs flash attention; it is off")
    if model.is_mla and settings.key_type != settings.value_type:
        raise BadWords("a model with latent attention takes keys and values of one type alone")
