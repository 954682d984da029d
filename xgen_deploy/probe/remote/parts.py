"""Run the parts of the probe side by side; one that fails or hangs spoils no other."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, NamedTuple, TypeVar

Given = TypeVar("Given")
Answer = TypeVar("Answer")


class Part(NamedTuple):
    """`ask` fills fields of the document; `absent` are their values where it cannot."""

    name: str
    ask: Callable[[], dict[str, Any]]
    absent: dict[str, Any]


class Outcome(NamedTuple):
    fields: dict[str, Any]
    errors: dict[str, str]
    timings: dict[str, float]


def side_by_side(ask: Callable[[Given], Answer], items: list[Given]) -> list[Answer]:
    """`ask` of every item at once, in order; `ask` has its own deadline and raises nothing."""
    answers: dict[int, Answer] = {}

    def work(place: int, item: Given) -> None:
        answers[place] = ask(item)

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[place] for place in range(len(items))]


def run_parts(parts: list[Part], deadline: float) -> Outcome:
    """All parts at once, each in a thread of its own, for at most `deadline` seconds."""
    started = time.monotonic()
    done: dict[str, dict[str, Any]] = {}
    errors: dict[str, str] = {}
    timings: dict[str, float] = {}

    def work(part: Part) -> None:
        try:
            done[part.name] = part.ask()
        except Exception as error:  # one broken part must not cost the others
            errors[part.name] = f"{type(error).__name__}: {error}"
        timings[part.name] = round(time.monotonic() - started, 4)

    threads = [threading.Thread(target=work, args=(part,), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, started + deadline - time.monotonic()))
    fields: dict[str, Any] = {}
    for part in parts:
        answer = done.get(part.name)
        if answer is None:
            errors.setdefault(part.name, f"no answer within {deadline:.0f} s")
        fields.update(part.absent if answer is None else answer)
    return Outcome(fields, dict(errors), dict(timings))
