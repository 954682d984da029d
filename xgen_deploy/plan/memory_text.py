"""The lines of a plan about each GPU's memory: who takes what, and what is left. Pure."""

from collections.abc import Iterator

from xgen_deploy.state.forecast import Need
from xgen_deploy.state.memory import GPUMemory, Taker

_GIB = 1 << 30


def memory_line(memory: GPUMemory) -> str:
    """One line, in GiB."""
    parts = ", ".join(_parts(memory))
    total = "memory unknown" if memory.total is None else f"{gib(memory.total)} GiB"
    where = f" of {memory.where}, the tightest" if memory.where else ""
    return f"GPU {memory.label}{where}  {total}: {parts}"


def gib(count: int) -> str:
    """Of a little that is not nothing: `<0.1`."""
    if 0 < count < _GIB // 20:
        return "<0.1"
    return f"{count / _GIB:.1f}"


def _parts(memory: GPUMemory) -> Iterator[str]:
    if memory.others is None:
        yield "others unknown"
    elif memory.others:
        yield f"others {gib(memory.others)}"
    if memory.reserved:
        yield f"reserved {gib(memory.reserved)}"
    yield from map(_taker, memory.takers)
    left = memory.left
    if left is not None:
        most = "at most " if memory.at_most and left >= 0 else ""
        yield f"left {most}{gib(left)}" if left >= 0 else f"{gib(-left)} too little"


def _taker(taker: Taker) -> str:
    if taker.bytes is None:
        return f"{taker.instance} unknown"
    about = "" if taker.exact else "about "
    detail = f" ({needs_text(taker.need)})" if taker.need is not None else ""
    return f"{taker.instance} {about}{gib(taker.bytes)}{detail}"


def needs_text(need: Need) -> str:
    """`weights 41.2, cache 2.1, compute 0.5`."""
    parts = (("weights", need.weights), ("cache", need.cache), ("compute", need.compute))
    return ", ".join(f"{name} {gib(count)}" for name, count in parts if count)
