"""Why a change is not made."""

from xgen_deploy.errors import XgenError


class Refused(XgenError):
    """`status` is HTTP's, `hint` what to do instead: the lines to paste into the manifest."""

    def __init__(self, status: int, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.hint = hint
