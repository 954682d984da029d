"""Errors for the reader: sentences that name the host or file, what was found and what to do."""


class XgenError(Exception):
    """Base of every error that the command line prints as a sentence, never as a traceback."""

    exit_code = 1


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
