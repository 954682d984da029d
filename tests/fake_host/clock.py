"""A clock that does not wait: sleeping moves it on at once."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time

import pytest

# Where the control side waits for a host. A thread of the standard library keeps the real clock.
_WAITING = ("xgen_deploy.apply", "xgen_deploy.verify")


class SkippingClock:
    """In place of the module `time`."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def sleep(self, seconds: float) -> None:
        self.skipped += max(0.0, seconds)

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped

    def time(self) -> float:
        return time.time() + self.skipped

    def strftime(self, form: str) -> str:
        return time.strftime(form)


def skip_waiting(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    """For every module of these packages, whatever it is called."""
    clock = SkippingClock()
    for package in map(importlib.import_module, _WAITING):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
    for name, module in tuple(sys.modules.items()):
        if name.startswith(_WAITING) and getattr(module, "time", None) is time:
            monkeypatch.setattr(module, "time", clock)
    return clock
