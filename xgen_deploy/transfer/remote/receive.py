"""Takes chunks from standard input: for each a line of JSON (`file`, `chunk`, `length`), then its
bytes.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Callable

from xgen_deploy.transfer.remote.part import Part, Wrong

LINE = 4096
TRIES = 3


class Ended(Exception):
    """The other side is gone."""


def receive(number: int, part: Part, tell: Callable[..., None]) -> None:
    """Asks for the chunks that are missing, and once more for those that came damaged. Raises
    Ended, Wrong and OSError."""
    for _ in range(TRIES):
        missing = part.missing()
        if not missing:
            return
        tell("need", file=number, chunks=missing)
        for chunk in missing:
            _take(number, chunk, part, tell)
    if part.missing():
        raise Wrong(f"chunk {part.missing()[0]} came damaged {TRIES} times")


def _take(number: int, chunk: int, part: Part, tell: Callable[..., None]) -> None:
    stream: io.BufferedReader = sys.stdin.buffer  # type: ignore[assignment]
    line = stream.readline(LINE)
    if not line:
        raise Ended
    head = json.loads(line)
    if (head["file"], head["chunk"], head["length"]) != (number, chunk, part.file.length(chunk)):
        raise Wrong(f"chunk {head['chunk']} of file {head['file']} was not asked for")

    def read(most: int) -> bytes:
        data = stream.read1(most)
        if not data:
            raise Ended
        tell("bytes", file=number, count=len(data))
        return data

    try:
        part.write(chunk, read)
    except Wrong as error:
        tell("note", file=number, text=str(error))
