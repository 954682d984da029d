"""Where samples come from, each asked on its own: one that fails costs its own samples alone."""

from __future__ import annotations

import threading
import time
from typing import Callable, NamedTuple, Sequence

from xgen_deploy.watch.remote.samples import Sample, sample


class Answer(NamedTuple):
    """`error`: why its values cannot be had. `at`: when they were collected, None for now."""

    samples: list[Sample]
    error: str | None = None
    at: float | None = None


class Source(NamedTuple):
    """`interval`: how old its values may be at most, in seconds, if all is well. `ask` is told how
    many seconds there are; what has not answered by then is left behind.
    """

    name: str
    interval: float
    ask: Callable[[float], Answer]


class Sources:
    """Remembers when each source last answered."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._answered: dict[str, float] = {}

    def collect(self, seconds: float) -> list[Sample]:
        """All are asked side by side."""
        answers: dict[str, Answer] = {}
        threads = [
            threading.Thread(target=_ask, args=(source, seconds, answers), daemon=True)
            for source in self._sources
        ]
        for thread in threads:
            thread.start()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        samples: list[Sample] = []
        for source in self._sources:
            answer = answers.get(source.name, Answer([], "no answer in time"))
            samples += answer.samples + self._about(source, answer)
        return samples

    def _about(self, source: Source, answer: Answer) -> list[Sample]:
        if answer.error is None:
            self._answered[source.name] = answer.at or time.time()
        at = self._answered.get(source.name)
        about = [
            sample("xgen_collection_interval_seconds", source.interval, source=source.name),
            sample("xgen_collection_error", answer.error is not None, source=source.name),
        ]
        if at is not None:
            about.append(sample("xgen_collected_timestamp_seconds", at, source=source.name))
        return about


def _ask(source: Source, seconds: float, answers: dict[str, Answer]) -> None:
    try:
        answers[source.name] = source.ask(seconds)
    except Exception as error:
        answers[source.name] = Answer([], f"{type(error).__name__}: {error}")
