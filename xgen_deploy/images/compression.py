"""Compressed archives and layers, known by their first bytes."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from xgen_deploy.images.oci_layout import ImageError
from xgen_deploy.state.oci_image import GZIP, LAYER, ZSTD

_GZIP, _ZSTD, _BZIP2, _XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00"
_BUFFER = 1 << 20


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """What is in it, decompressed. Raises ImageError."""
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER)
    start = buffered.peek(8)[:8]
    try:
        yield _decompressed(cast(IO[bytes], buffered), start)
    except (zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ImageError(f"it is damaged: {error}") from None
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise ImageError(f"it is damaged: {error}") from None
    finally:
        buffered.detach()


def layer_type(path: Path) -> str:
    """The media type of a layer's file."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_GZIP):
        return LAYER + GZIP
    return LAYER + ZSTD if start.startswith(_ZSTD) else LAYER


def _decompressed(stream: IO[bytes], start: bytes) -> IO[bytes]:
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if start.startswith(_ZSTD):
        return cast(IO[bytes], _zstd().ZstdFile(stream))
    if start.startswith(_BZIP2):
        return cast(IO[bytes], bz2.BZ2File(stream))
    if start.startswith(_XZ):
        return cast(IO[bytes], lzma.LZMAFile(stream))
    return stream


def _zstd() -> Any:
    """In the standard library since Python 3.14, and the same module beside it before."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImageError(
        "it is compressed with zstd, which this Python cannot read",
        "`pip install backports.zstd`, or decompress it with `unzstd`.",
    )
