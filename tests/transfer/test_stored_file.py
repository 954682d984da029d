"""A file that lies within others is read as one."""

import os
from pathlib import Path

import pytest

from xgen_deploy.transfer.local_file import Extent, Stored, chunk_of
from xgen_deploy.transfer.remote.part import CHUNK


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Stored, bytes]:
    content = os.urandom(CHUNK + 5000)
    first, second = tmp_path / "a", tmp_path / "b"
    cut = CHUNK + 1000  # within the second chunk
    first.write_bytes(b"before" + content[:cut])
    second.write_bytes(content[cut:] + b"after")
    extents = (Extent(first, 6, cut), Extent(second, 0, len(content) - cut))
    return Stored(extents), content


@pytest.mark.parametrize("chunk", [0, 1])
def test_its_chunks(stored: tuple[Stored, bytes], chunk: int) -> None:
    file, content = stored
    got = b"".join(chunk_of(file, chunk, len(content), piece=1 << 20))
    assert got == content[chunk * CHUNK :][:CHUNK]


def test_it_got_shorter(stored: tuple[Stored, bytes]) -> None:
    file, content = stored
    with file.extents[1].path.open("r+b") as end:
        end.truncate(10)
    with pytest.raises(OSError, match="shorter"):
        b"".join(chunk_of(file, 1, len(content), piece=1 << 20))
    with pytest.raises(OSError, match="shorter"):
        b"".join(chunk_of(file, 1, len(content) + 1, piece=1 << 20))
