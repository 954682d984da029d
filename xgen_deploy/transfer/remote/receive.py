"""Takes chunks from standard input: for each a line of JSON (`file`, `chunk`, `length`), then its
bytes.
"""

from __future__ import annotations

import json
from typing import Callable

from xgen_deploy.transfer.remote.lifeline import Lifeline
from xgen_deploy.transfer.remote.part import Part, Wrong

TRIES = 3


def receive(number: int, part: Part, lifeline: Lifeline, tell: Callable[..., None]) -> None:
    """Asks for the chunks that are missing, and once more for those that came damaged. Raises
    Ended, Wrong and OSError."""
    lifeline.receive()
    for _ in range(TRIES):
        missing = part.missing()
        if not missing:
            break
        tell("need", file=number, chunks=missing)
        for chunk in missing:
            _take(number, chunk, part, lifeline, tell)
    lifeline.idle()
    if part.missing():
        raise Wrong(f"chunk {part.missing()[0]} came damaged {TRIES} times")


def _take(
    number: int, chunk: int, part: Part, lifeline: Lifeline, tell: Callable[..., None]
) -> None:
    head = json.loads(lifeline.line())
    if (head["file"], head["chunk"], head["length"]) != (number, chunk, part.file.length(chunk)):
        raise Wrong(f"chunk {head['chunk']} of file {head['file']} was not asked for")

    def read(most: int) -> bytes:
        data = lifeline.read(most)
        tell("bytes", file=number, count=len(data))
        return data

    try:
        part.write(chunk, read)
    except Wrong as error:
        tell("note", file=number, text=str(error))
