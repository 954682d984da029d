"""The one place that prints JSON: a document at the end of a run, or one event a line."""

import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from xgen_deploy.documents.error_entry import ErrorEntry
from xgen_deploy.documents.streaming import STREAMING
from xgen_deploy.visible import json_text

if TYPE_CHECKING:
    from xgen_deploy.apply.events import Event
    from xgen_deploy.documents.base import Document


class JsonOutput:
    """What one run prints with --json, errors included; without it, nothing. Thread-safe."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        """`words` are the command line's: they decide until its options are read."""
        options = words[: words.index("--")] if "--" in words else words
        self.asked_for = "--json" in options
        self.command = ""
        self.began = False
        self.cut_short = False
        self._lock = threading.Lock()
        self._errors: list[ErrorEntry] = []
        self._of_plan: tuple[ErrorEntry, ...] = ()
        self._document: Document | None = None
        self._counts: dict[str, object] | None = None
        self._failed = 0
        self._printed = False
        self._closed = False

    def begin(self, *, asked_for: bool) -> None:
        """A command's options have been read."""
        self.began, self.asked_for = True, asked_for

    def document(self, document: "Document") -> None:
        """To be printed at the end of the run."""
        self._document = document

    def snapshot(self, document: "Document") -> None:
        """One of several documents, printed at once."""
        if self.asked_for:
            self._printed = True
            _print_document(document)

    def event(self, event: "Event") -> None:
        """One line, at once."""
        with self._lock:
            if event.kind == "failed":
                self._failed += 1
                self._errors.append(
                    ErrorEntry(message=event.text, host=event.host, instance=event.instance)
                )
            if self.asked_for and not self._closed:
                self._printed = True
                _print_line(event.model_dump(mode="json", by_alias=True))

    def error(self, entry: ErrorEntry) -> None:
        with self._lock:
            self._errors.append(entry)

    def plan_errors(self, entries: Iterable[ErrorEntry]) -> None:
        """Of the plan that was shown last."""
        self._of_plan = tuple(entries)

    def ended(
        self, number: int | None, done: int, failed: int, not_verified: Mapping[str, str]
    ) -> None:
        """How the operations ended, for the event `end`."""
        counts = {"number": number, "done": done, "failed": failed}
        self._counts = {**counts, "not_verified": dict(not_verified)}

    def close(self, code: int) -> None:
        """Prints the document, or the event `end`, with all errors."""
        with self._lock:
            closed, self._closed = self._closed, True
        errors = _distinct((*self._of_plan, *self._errors))
        if closed or not self.asked_for or not (self.began or errors):
            return
        if self.command in STREAMING:
            self._print_end(code, errors)
        elif not self._printed or errors:
            from xgen_deploy.documents.registry import empty_document

            document = self._document or empty_document(self.command)
            all_errors = _distinct((*document.errors, *errors))
            _print_document(document.model_copy(update={"errors": all_errors}))

    def _print_end(self, code: int, errors: tuple[ErrorEntry, ...]) -> None:
        from xgen_deploy.documents.events import End

        counts = self._counts
        if counts is None:
            unknown = self.cut_short and self._printed
            counts = {"done": None, "failed": None} if unknown else {"failed": self._failed}
        _print_line(_value(End(exit_code=code, errors=errors).model_copy(update=counts)))


def _distinct(errors: Iterable[ErrorEntry]) -> tuple[ErrorEntry, ...]:
    """Each once, as it was told first: with its way out."""
    first: dict[tuple[object, ...], ErrorEntry] = {}
    for error in errors:
        place = (error.file, error.line, error.column)
        first.setdefault((error.message, error.host, error.instance, *place), error)
    return tuple(first.values())


def print_json(value: object) -> None:
    """A document for people and programs, indented."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    _print(json_text(value, indent=2, ascii_only=not utf8))


def _print_document(document: "Document") -> None:
    print_json(_value(document))


def _print_line(value: object) -> None:
    _print(json_text(value, ascii_only=True))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _value(document: "Document") -> dict[str, object]:
    """As JSON values, `errors` last."""
    value = document.model_dump(mode="json", by_alias=True)
    errors = value.pop("errors")
    return {**value, "errors": errors}
