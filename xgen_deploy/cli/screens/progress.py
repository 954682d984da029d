"""The progress of an apply: lines on a terminal or in a log, or JSON events."""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from xgen_deploy.apply.events import Event
from xgen_deploy.apply.host import ApplyIdentity
from xgen_deploy.apply.outcomes import HostResult
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.running_rows import Intervals, RunningRows, where
from xgen_deploy.cli.screens.screen import print_line
from xgen_deploy.documents.error_entry import ErrorEntry
from xgen_deploy.documents.maintain import HostEntry, InstanceEntry
from xgen_deploy.plan.headlines import named
from xgen_deploy.visible import printable


class Progress:
    """Shows events; thread-safe."""

    def __init__(self, settings: Settings, console: Console, live: Live | None) -> None:
        self._settings = settings
        self._console = console
        self._live = live
        self._lock = threading.Lock()
        self._rows = RunningRows()
        self._intervals = Intervals()
        self.events: list[Event] = []
        if live is not None:
            live.update(self._rows)

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._rows.keep(event)
            if not self._intervals.is_due(event):
                return
            self.events.append(event)
            if self._settings.json:
                self._settings.output.event(event)
                return
            for line in _lines(event, every_step=self._live is None):
                if not self._settings.quiet or event.kind == "failed":
                    print_line(self._console, line)

    def problem(self, host: str, text: str) -> None:
        """A failure of a whole host."""
        self(Event(kind="failed", host=host, text=text.removeprefix(f"{host}: ")))

    def warning(self, text: str) -> None:
        """A problem that does not change how the apply ended."""
        print(printable(text), file=sys.stderr)

    def summary(
        self,
        identity: ApplyIdentity,
        results: list[HostResult],
        lost: int,
        unreached: Sequence[str] = (),
    ) -> None:
        """The last line; see Reporter."""
        done = sum(r.ok for h in results for r in h.results)
        failed = sum(not r.ok for h in results for r in h.results) + lost
        failed += sum(any(o.bad for o in h.asked) for h in results)
        not_seen = {o.model: o.detail for h in results for o in h.asked if not (o.good or o.bad)}
        if self._settings.json:
            self._settings.output.ended(identity.number, done, failed, not_seen)
        else:
            self._last_line(_name(identity), done, list(_trouble(failed, unreached, not_seen)))

    def fetched(self, done: int, failed: int) -> None:
        """The last line of a `fetch`."""
        if self._settings.json:
            self._settings.output.ended(None, done, failed, {})
        else:
            self._last_line("fetch", done, list(_trouble(failed, (), {})))

    def _last_line(self, name: str, done: int, trouble: list[str]) -> None:
        if not self._settings.quiet or trouble:
            words = [f"{done} done", *(trouble or ["[green]all good[/green]"])]
            print_line(self._console, f"{escape(name)}: {', '.join(words)}")


class Gathering(Progress):
    """Collects events for a command that prints one JSON document at its end."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        if event.waited is not None:
            return
        with self._lock:
            self.events.append(event)

    def summary(
        self,
        identity: ApplyIdentity,
        results: list[HostResult],
        lost: int,
        unreached: Sequence[str] = (),
    ) -> None:
        """Nothing: see `by_host`."""

    @property
    def failed(self) -> tuple[ErrorEntry, ...]:
        return tuple(
            ErrorEntry(message=e.text, host=e.host, instance=e.instance)
            for e in self.events
            if e.kind == "failed"
        )

    def on(self, host: str, lost: str | None) -> HostEntry:
        """How it went on one host; `lost` is why that could not be reached."""
        events = [e for e in self.events if e.host == host]
        done = (f"{host}/{e.instance}: {e.text}" for e in events if e.kind == "done")
        failed = [f"{host}/{e.instance or ''}: {e.text}" for e in events if e.kind == "failed"]
        instances = (
            InstanceEntry(
                instance=e.instance, outcome=e.kind, text=e.text, seconds=e.seconds, log=e.log
            )
            for e in events
            if e.instance is not None and (e.kind == "done" or e.kind == "failed")
        )
        error = lost or (failed[0] if failed else None)
        return HostEntry(done=tuple(done), error=error, instances=tuple(instances))


@contextmanager
def progress(settings: Settings) -> Iterator[Progress]:
    """Live display on a terminal, plain lines elsewhere."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if not console.is_terminal or settings.json or settings.quiet:
        yield Progress(settings, console, None)
        return
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        yield Progress(settings, console, live)


def _trouble(failed: int, unreached: Sequence[str], not_seen: Mapping[str, str]) -> Iterator[str]:
    """What keeps the end from being `all good`."""
    if failed:
        yield f"[bold red]{failed} FAILED[/bold red]"
    if unreached:
        yield f"[bold red]not reached: {escape(printable(named(unreached)))}[/bold red]"
    if not_seen:
        models = "; ".join(f"{model} ({reason})" for model, reason in not_seen.items())
        yield f"[yellow]not verified: {escape(printable(models))}[/yellow]"


def _name(identity: ApplyIdentity) -> str:
    if identity.what == "destroy":  # no host has its number any more
        return identity.what
    number = f"apply #{identity.number}"
    return number if identity.what == "apply" else f"{identity.what} ({number})"


def _lines(event: Event, *, every_step: bool) -> Iterator[str]:
    name = escape(where(event))
    took = f" ({event.seconds:.1f} s)" if event.seconds is not None else ""
    if event.kind == "done":
        yield f"[green]ok[/green]      {name}  {escape(event.text)}{took}"
    elif event.kind == "failed":
        yield f"[red]FAILED[/red]  {name}  {escape(event.text)}{took}"
        yield from (f"          [dim]{escape(line)}[/dim]" for line in event.log)
    elif every_step:
        waited = f" ({event.waited:.0f} s)" if event.waited is not None else ""
        yield f"...     {name}  {escape(event.text)}{waited}"
