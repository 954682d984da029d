"""NVIDIA's Python bindings, cut down to what the probe calls: each probe compiles them anew."""

import re
from collections.abc import Iterable
from importlib.metadata import files

_START = re.compile(r"^(?!(?:else|elif|except|finally)\b)[A-Za-z_@]", re.MULTILINE)
_DEFINES = re.compile(r"(?:def|class)\s+(\w+)|(\w+)\s*=(?!=)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_CALL = re.compile(r"\b(?:py)?nvml\.(nvml\w+)")
# On import the bindings make an exception class of each of these.
_KEPT = "NVML_ERROR_"


def nvml_bindings(caller: str) -> str:
    """The source of `pynvml`, reduced to what the source text `caller` uses as `nvml.NAME`.

    Raises RuntimeError where nvidia-ml-py is missing.
    """
    for file in files("nvidia-ml-py") or ():
        if file.name == "pynvml.py":
            return trimmed(file.read_text(encoding="utf-8"), set(_CALL.findall(caller)))
    raise RuntimeError("nvidia-ml-py is not installed completely: it has no pynvml.py")


def trimmed(source: str, used: Iterable[str]) -> str:
    """The definitions that `used` need, in their order; the whole source where that fails."""
    blocks = list(_blocks(source))
    names = [_name(block) for block in blocks]
    known: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        known.setdefault(name, []).append(index)
    if not set(used) <= set(known):
        return source
    pending = [i for name in used for i in known[name]]
    pending += [i for i, name in enumerate(names) if not name or name.startswith(_KEPT)]
    kept: set[int] = set()
    while pending:
        index = pending.pop()
        if index not in kept:
            kept.add(index)
            words = set(_WORD.findall(blocks[index])) & set(known)
            pending += [i for word in words for i in known[word]]
    short = "".join(blocks[index] for index in sorted(kept))
    return short if _compiles(short) else source


def _blocks(source: str) -> Iterable[str]:
    """The top-level statements, each with its indented block."""
    starts = [match.start() for match in _START.finditer(source)]
    decorated = [s for s in starts if source[source.rfind("\n", 0, s - 1) + 1 : s][:1] == "@"]
    starts = sorted(set(starts) - set(decorated))
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        yield source[start:end]


def _name(block: str) -> str:
    """The name that a statement defines; "" for one that must always run."""
    match = _DEFINES.match(re.sub(r"(?m)^@.*\n", "", block))
    return (match[1] or match[2]) if match else ""


def _compiles(source: str) -> bool:
    try:
        compile(source, "pynvml", "exec")
    except SyntaxError:
        return False
    return True
