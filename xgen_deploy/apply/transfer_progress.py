"""What is told of transfers: bytes, rate and time left, a line a host."""

import time

from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.sizes import size_text
from xgen_deploy.transfer.host_transfer import TransferEvent

_EVERY = 1.0


class TransferProgress:
    """Of one artifact to one host, or to this machine. Called from that transfer's thread. `done`
    is what is said of it at the end."""

    def __init__(
        self, host: str, name: str, size: int, tell: Listener, *, done: str = "is there"
    ) -> None:
        self._host, self._name, self._size, self._tell = host, name, size, tell
        self._done = done
        self._began = self._told = time.monotonic()
        self._here = self._came = 0

    def __call__(self, event: TransferEvent) -> None:
        if event.event == "bytes":
            self._came += event.count
            now = time.monotonic()
            if now - self._told >= _EVERY:
                self._told = now
                self._say(self._text(now), waited=now - self._began)
        elif event.event == "resumed":
            self._here += event.count
        elif event.event == "waiting":
            self._say(f"{self._name}: waits for another transfer of the same file")
        elif event.event == "loading":
            self._say(f"{self._name}: Docker takes it", waited=time.monotonic() - self._began)
        elif event.event == "lost":
            self._say(f"{self._name}: gets the rest from this machine ({event.text})")
        elif event.event == "note":
            self.note(event.text)

    def note(self, text: str) -> None:
        self._say(f"{self._name}: {text}")

    def begin(self, source: str) -> None:
        self._say(f"fetching {self._name}, {size_text(self._size)} from {source}")

    def done(self) -> None:
        seconds = time.monotonic() - self._began
        text = f"{self._name} {self._done}"
        self._tell(Event(kind="done", host=self._host, text=text, seconds=seconds))

    def failed(self, text: str) -> None:
        text = text.removeprefix(f"{self._host}: ")
        self._tell(Event(kind="failed", host=self._host, text=f"{self._name}: {text}"))

    def _text(self, now: float) -> str:
        return progress_text(self._name, self._size, self._here, self._came, now - self._began)

    def _say(self, text: str, waited: float | None = None) -> None:
        self._tell(Event(kind="progress", host=self._host, text=text, waited=waited))


def progress_text(name: str, size: int, here: int, came: int, seconds: float) -> str:
    """`here` were there before, `came` since."""
    rate = came / max(seconds, 0.001)
    left = max(0, size - here - came)
    there = size_text(min(size, here + came))
    duration = _duration(left / rate if rate else 0.0)
    return f"{name}: {there} of {size_text(size)}, {size_text(rate)}/s, {duration} left"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
