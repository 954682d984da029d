"""Turns an unexpected exception into the result of the one host that it concerns, so that the run
goes on for the others.
"""

from collections.abc import Callable
from pathlib import PurePath
from types import TracebackType
from typing import TypeVar

from xgen_deploy.errors import XgenError

R = TypeVar("R")
_PACKAGE = PurePath(__file__).parent


class Fault(XgenError):
    """A bug that showed on one host. `reason` is without the host's name."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


def fault_of(host: str, error: BaseException) -> Fault:
    """Names the exception's type and place only; its text may contain a secret."""
    return Fault(
        host,
        f"xgen-deploy itself failed there ({what_failed(error)}); "
        "the other hosts go on. Please report it.",
    )


def what_failed(error: BaseException) -> str:
    """`KeyError in probe/observe.py:42`."""
    return f"{type(error).__name__} in {_place(error.__traceback__)}"


def guarded(host: str, function: Callable[[], R]) -> R | XgenError:
    """`function`'s result; where it raises, the error to report for this host."""
    try:
        return function()
    except XgenError as error:
        return error
    except Exception as error:  # noqa: BLE001 - one host's data must not end the run
        return fault_of(host, error)


def _place(trace: TracebackType | None) -> str:
    """The innermost frame in this package, as file:line."""
    place = "an unknown place"
    while trace is not None:
        path = PurePath(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            place = f"{path.relative_to(_PACKAGE)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
