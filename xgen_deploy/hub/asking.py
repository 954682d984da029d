"""How a hub is asked, whatever its API is."""

import http.client
import re
import time
from dataclasses import dataclass

from xgen_deploy.bounded_json import read_json
from xgen_deploy.transfer.remote.web_source import (
    Access,
    Answer,
    Connect,
    Refused,
    Unavailable,
    open_at,
)

_PAGE = 32 << 20
_PATIENCE = 120.0


@dataclass(frozen=True)
class Revision:
    """What a branch, tag or commit means now."""

    commit: str
    gated: bool = False
    license: str | None = None


class HubError(Exception):
    """The hub cannot be asked, or has not got it; `hint` is what to do, or "". `unreachable`:
    nothing answers there."""

    def __init__(self, reason: str, hint: str = "", *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.hint, self.unreachable = reason, hint, unreachable


def ask(endpoint: str, url: str, access: Access, connect: Connect | None) -> tuple[object, Answer]:
    """A JSON document. Raises Refused and HubError."""
    try:
        answer = open_at(url, access, 0, None, connect=connect)
        with answer.response as response:
            content = read_some(response, _PAGE + 1)
        return read_json(content, _PAGE), answer
    except Refused:
        raise
    except ValueError:
        raise HubError(f"{endpoint} does not answer as a hub does") from None
    except (OSError, Unavailable, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise HubError(
            f"{endpoint} cannot be asked from here: {reason}",
            "State a reachable `fetch: {endpoint: ...}` or a `proxy`, or lock the files with "
            "`xgen-deploy lock` where it can be reached.",
            unreachable=True,
        ) from None


def is_commit(revision: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def read_some(response: http.client.HTTPResponse, most: int) -> bytes:
    """At most so many bytes, and not for ever. Raises Unavailable, OSError and HTTPException."""
    end, content = time.monotonic() + _PATIENCE, bytearray()
    while len(content) < most:
        if time.monotonic() > end:
            raise Unavailable(f"its answer is not whole after {_PATIENCE:.0f} s")
        piece = response.read1(most - len(content))
        if not piece:
            break
        content += piece
    return bytes(content)
