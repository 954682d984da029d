"""Has hosts make what a plan needs of what they have, before any lock is taken: each host its own,
all at once, one after another on each.
"""

from collections.abc import Container, Sequence
from typing import NoReturn

from xgen_deploy.apply.events import Listener
from xgen_deploy.apply.transfer_progress import TransferProgress
from xgen_deploy.errors import XgenError
from xgen_deploy.run.run import Run
from xgen_deploy.state.quantize import FILE_TYPES, Quantizing
from xgen_deploy.state.transfer import Quantize, TransferRequest
from xgen_deploy.transfer.chain import Hop, bring
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each


def quantize(
    run: Run, needed: Sequence[Quantizing], tell: Listener, *, but: Container[str]
) -> dict[str, XgenError]:
    """The hosts where it failed, with the reason; `but` are those that are left out."""
    by_host: dict[str, list[Quantizing]] = {}
    for quantizing in needed:
        if quantizing.host not in but:
            by_host.setdefault(quantizing.host, []).append(quantizing)

    def make_all(connection: Connection) -> XgenError | None:
        for quantizing in by_host[connection.name]:
            if (failure := _make(connection, quantizing, tell)) is not None:
                return failure
        return None

    outcomes = each([run.connections[name] for name in by_host], make_all)
    return {name: failure for name, failure in outcomes.items() if failure is not None}


def _make(connection: Connection, quantizing: Quantizing, tell: Listener) -> XgenError | None:
    name, size = quantizing.title, quantizing.size
    progress = TransferProgress(connection.name, name, size, tell, done="is made")
    progress.note(f"made by {quantizing.program} {quantizing.version}")
    hop = Hop(connection=connection, request=request_of(quantizing), address="", port=0)
    failure = bring([hop], _nothing, lambda _, event: progress(event))[connection.name]
    if failure is None:
        progress.done()
    else:
        progress.failed(str(failure))
    return failure


def _nothing(number: int) -> NoReturn:
    raise XgenError(f"no file {number} is sent")


def request_of(quantizing: Quantizing) -> TransferRequest:
    return TransferRequest(
        files=(),
        route="receive",
        root=quantizing.root,
        origin=quantizing.origin,
        quantize=Quantize(
            program=quantizing.program,
            source=quantizing.source,
            sha256=quantizing.sha256,
            place=quantizing.place,
            file_type=quantizing.file_type,
            number=FILE_TYPES[quantizing.file_type],
            size=quantizing.size,
            threads=quantizing.threads,
            slab=quantizing.slab,
            requantizes=quantizing.requantizes,
            engine=quantizing.engine,
            as_login=quantizing.as_login,
            note={
                "recipe": quantizing.recipe,
                "of": quantizing.source_state,
                "by": quantizing.version,
            },
        ),
    )
