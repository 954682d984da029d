"""What systemd is said to say is a number or nothing."""

# A session's signature is whole, whatever of it is needed here.
# ruff: noqa: ARG002

from collections.abc import Mapping, Sequence

import pytest

from tests.apply.folder_host import FolderSession
from xgen_deploy.apply.systemd import Systemd
from xgen_deploy.transport.base import Completed


class Says(FolderSession):
    """systemd says this of any unit."""

    def __init__(self, number: str) -> None:
        super().__init__()
        self._number = number

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        shown = f"NRestarts={self._number}\nExecMainCode=1\nExecMainStatus={self._number}\n"
        return Completed(0, shown, "")


@pytest.mark.parametrize(
    ("text", "restarts", "status"),
    [("3", 3, 3), ("\u00b2", 0, None), ("9" * 5000, 0, None), ("-1", 0, None), ("", 0, None)],
)
def test_only_a_number_counts(text: str, restarts: int, status: int | None) -> None:
    state = Systemd("h", Says(text)).state("xgen-p-q")
    assert (state.restarts, state.status) == (restarts, status)
