"""Sizes as they are shown to a reader."""

_MIB, _GIB = 1 << 20, 1 << 30


def size_text(count: float) -> str:
    """`4.7 GiB`, of so many bytes."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"
