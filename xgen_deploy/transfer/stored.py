"""What a host says of the files of models that lie on it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import UnreachableError
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import STORED_FILES
from xgen_deploy.state.have import Layers
from xgen_deploy.state.stock import OtherFile, Path, Size, Stock, StoredFile
from xgen_deploy.transport.base import Connection, HostError
from xgen_deploy.transport.process import heard
from xgen_deploy.visible import on_one_line

_LINE = 4 << 20
_SILENCE = 600.0
_SHOWN = 1000


class FileLine(StoredFile):
    kind: Literal["file"]


class OtherLine(OtherFile):
    kind: Literal["other"]


class PathLine(Frozen):
    kind: Literal["path"]
    path: Path
    real: Path


class NetworkLine(Frozen):
    kind: Literal["network"]
    root: Path


class ImageLine(Frozen):
    """An image that Docker has there."""

    kind: Literal["image"]
    layers: Layers


class Removed(Frozen):
    kind: Literal["removed"]
    root: Path
    name: str
    size: Size


class Kept(Frozen):
    """It was to be removed, and is still there; `text` says why."""

    kind: Literal["kept"]
    root: Path
    name: str
    text: str


class Read(Frozen):
    """So many bytes more were read."""

    kind: Literal["read"]
    count: Size


class Checked(Frozen):
    """`chunks` are those that are damaged, where that is known. `earlier`: it was found right when
    a check was cut before its end."""

    kind: Literal["checked"]
    root: Path
    name: str
    ok: bool
    earlier: bool = False
    chunks: Annotated[tuple[int, ...], Field(max_length=1 << 20)] = ()
    text: str = ""


class EndLine(Frozen):
    """`text` is what kept it from its end, or ""."""

    kind: Literal["end"]
    text: str


Line = Annotated[
    FileLine
    | OtherLine
    | PathLine
    | NetworkLine
    | ImageLine
    | Removed
    | Kept
    | Read
    | Checked
    | EndLine,
    Field(discriminator="kind"),
]
_LINES: TypeAdapter[Line] = TypeAdapter(Line)


def look(
    connection: Connection, roots: Sequence[str], paths: Sequence[str], *, images: bool = False
) -> Stock:
    """What lies in the folders `roots`, and where the paths lead; with `images` also what Docker
    has. Raises UnreachableError and HostError."""
    files, others, real, network, layers = [], [], {}, [], []
    request = {"do": "look", "roots": list(roots), "paths": list(paths), "images": images}
    for line in answers(connection, request):
        if isinstance(line, FileLine):
            files.append(StoredFile(**line.model_dump(exclude={"kind"})))
        elif isinstance(line, OtherLine):
            others.append(OtherFile(**line.model_dump(exclude={"kind"})))
        elif isinstance(line, PathLine):
            real[line.path] = line.real
        elif isinstance(line, NetworkLine):
            network.append(line.root)
        elif isinstance(line, ImageLine):
            layers.append(line.layers)
    return Stock(tuple(files), tuple(others), real, tuple(network), tuple(layers))


def prune(
    connection: Connection, files: Sequence[StoredFile], keep: Sequence[str]
) -> tuple[Removed | Kept, ...]:
    """Removes them, unless one is open or no longer the same; `keep` are paths that are needed.
    Raises UnreachableError and HostError."""
    chosen = [f.model_dump(include={"root", "name", "mtime_ns", "at", "state"}) for f in files]
    roots = list(dict.fromkeys(file.root for file in files))
    request = {"do": "prune", "roots": roots, "files": chosen, "keep": list(keep)}
    return tuple(a for a in answers(connection, request) if isinstance(a, Removed | Kept))


def check(
    connection: Connection, roots: Sequence[str], read: Callable[[int], None]
) -> tuple[Checked, ...]:
    """Reads the files that were brought whole; `read` hears of the bytes. Raises UnreachableError
    and HostError."""
    checked = []
    for answer in answers(connection, {"do": "check", "roots": list(roots)}):
        if isinstance(answer, Read):
            read(answer.count)
        elif isinstance(answer, Checked):
            checked.append(answer)
    return tuple(checked)


def answers(connection: Connection, request: Mapping[str, Any]) -> Iterator[Line]:
    """Its lines up to the end, without that. Raises UnreachableError and HostError."""
    name = connection.name
    with connection.transfer(json.dumps(request).encode(), "models") as (process, first):
        count = 0
        for lines in heard(process, first, limit=_LINE, within=_SILENCE):
            for text in lines:
                line = _read(name, text)
                if isinstance(line, EndLine):
                    if line.text:
                        raise HostError(name, line.text[:_SHOWN])
                    return
                count += 1
                if count > STORED_FILES:
                    raise HostError(name, f"it told of more than {STORED_FILES} files")
                yield line


def _read(host: str, text: bytes) -> Line:
    try:
        return _LINES.validate_python(on_one_line(read_json(text, _LINE)))
    except (ValueError, ValidationError):
        raise UnreachableError(
            host, "its answer is malformed", "Run the same command again."
        ) from None
