"""What a host in memory reports as long as somebody looks: lines that a test hands out."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from xgen_deploy.transport.process import Output

if TYPE_CHECKING:
    from tests.fake_host.host import FakeHost

_LOOK_UP = 0.05


class FakeReporter:
    """The process at the far end of `report`: each of the host's `reports` is one line."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host
        self._read = 0

    def read(self, timeout: float) -> Output:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._read < len(self._host.reports):
                self._read += 1
                return Output(out=json.dumps(self._host.reports[self._read - 1]).encode() + b"\n")
            if self._host.unreachable:
                raise ConnectionError(self._host.unreachable)
            time.sleep(_LOOK_UP)
        raise TimeoutError

    def send(self, data: bytes) -> None: ...

    def send_within(self, seconds: float) -> None: ...

    def end_input(self) -> None: ...

    def returncode(self) -> int:
        return 0

    def close(self) -> None: ...


def sample(clock: float, **instances: dict[str, Any]) -> dict[str, Any]:
    """One line of a reporter, with the loads of instances."""
    gpu = {"index": 0, "memory_used_mb": 10, "memory_total_mb": 100, "utilization_percent": 7}
    return {"at": clock, "clock": clock, "gpus": [gpu], "loads": instances}
