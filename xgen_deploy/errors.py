"""Errors for the reader: sentences that name the host or file, what was found and what to do."""

from collections.abc import Iterable


class XgenError(Exception):
    """Base of every error that the command line prints as a sentence, never as a traceback.

    Where it concerns one host, that is its `host`, and `reason` the sentence without the name;
    `hint` is what to do about it, or "".
    """

    exit_code = 1
    host: str | None = None
    reason: str = ""
    hint: str = ""


class UsageError(XgenError):
    """The command line itself was wrong."""


class UnreachableError(XgenError):
    """A host could not be reached or used (exit code 4).

    `reason` is what happened, one clause; `hint` is what to do about it, or "".
    """

    exit_code = 4

    def __init__(self, host: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{host}: {reason}" + (f"\n  {hint}" if hint else ""))
        self.host = host
        self.reason = reason
        self.hint = hint


class LockedError(XgenError):
    """Another apply holds a host's lock (exit code 5)."""

    exit_code = 5

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


def reason_of(error: XgenError) -> str:
    """What happened, without what to do about it; of an unreachable host without its name."""
    return error.reason if isinstance(error, UnreachableError) else str(error)


def exit_code_of(errors: Iterable[XgenError]) -> int:
    """Of a command that goes on without some hosts: 4 where the only trouble is that these could
    not be reached, 1 where there is another error, 0 without any.
    """
    return first_that_holds(*(error.exit_code for error in errors))


def first_that_holds(*codes: int) -> int:
    """Of the exit codes of a command's parts: 1, else 4, else 0."""
    if any(code not in (0, UnreachableError.exit_code) for code in codes):
        return 1
    return max(codes, default=0)
