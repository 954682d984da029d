"""NVIDIA's bindings, cut down to what the probe calls: a host compiles them at every run."""

import re
from collections.abc import Iterable
from importlib.metadata import files

_START = re.compile(r"^(?!(?:else|elif|except|finally)\b)[A-Za-z_@]", re.MULTILINE)
_DEFINES = re.compile(r"(?:def|class)\s+(\w+)|(\w+)\s*=(?!=)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_CALL = re.compile(r"\b(?:py)?nvml\.(nvml\w+)")
# The bindings make an exception of each of these when they are imported.
_KEPT = "NVML_ERROR_"


def nvml_bindings(caller: str) -> str:
    """The source of `pynvml` as far as the source `caller` uses it, as `nvml.NAME`.

    Raises RuntimeError where nvidia-ml-py is missing.
    """
    for file in files("nvidia-ml-py") or ():
        if file.name == "pynvml.py":
            return trimmed(file.read_text(encoding="utf-8"), set(_CALL.findall(caller)))
    raise RuntimeError("nvidia-ml-py is not installed completely: it has no pynvml.py")


def trimmed(source: str, wanted: Iterable[str]) -> str:
    """The definitions that `wanted` need, in their order; all of them where that fails."""
    blocks = list(_blocks(source))
    names = [_name(block) for block in blocks]
    known: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        known.setdefault(name, []).append(place)
    if not set(wanted) <= set(known):
        return source
    pending = [p for name in wanted for p in known[name]]
    pending += [p for p, name in enumerate(names) if not name or name.startswith(_KEPT)]
    kept: set[int] = set()
    while pending:
        place = pending.pop()
        if place not in kept:
            kept.add(place)
            words = set(_WORD.findall(blocks[place])) & set(known)
            pending += [p for word in words for p in known[word]]
    short = "".join(blocks[place] for place in sorted(kept))
    return short if _compiles(short) else source


def _blocks(source: str) -> Iterable[str]:
    """The statements of the outermost level, each with what is indented below it."""
    starts = [found.start() for found in _START.finditer(source)]
    decorated = [s for s in starts if source[source.rfind("\n", 0, s - 1) + 1 : s][:1] == "@"]
    starts = sorted(set(starts) - set(decorated))
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        yield source[start:end]


def _name(block: str) -> str:
    """What a statement defines; empty for one that must always run."""
    found = _DEFINES.match(re.sub(r"(?m)^@.*\n", "", block))
    return (found[1] or found[2]) if found else ""


def _compiles(source: str) -> bool:
    try:
        compile(source, "pynvml", "exec")
    except SyntaxError:
        return False
    return True
