"""Problems and warnings in a manifest or an inventory, collected and reported all at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from xgen_deploy.errors import XgenError
from xgen_deploy.state.instance_config import Mark


@dataclass(frozen=True, order=True)
class Problem:
    """A sentence about one place; line and column count from 1, line 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        if not self.line:
            return f"{self.file}: {self.message}"
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ManifestError(XgenError):
    """All problems, sorted by place, without duplicates."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """Collects problems and warnings while reading goes on."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.warnings: list[str] = []

    def add(self, mark: Mark, message: str) -> None:
        self.found.append(Problem(mark.file, mark.line, mark.column, one_line(message)))

    def warn(self, mark: Mark, message: str) -> None:
        warning = one_line(f"{mark}: {message}")
        if warning not in self.warnings:
            self.warnings.append(warning)

    def raise_if_any(self) -> None:
        """Raises ManifestError where there is any problem."""
        if self.found:
            raise ManifestError(self.found)


def failure(file: str, message: str, line: int = 0, column: int = 0) -> ManifestError:
    """An error about one place, or about a file as a whole."""
    return ManifestError([Problem(file, line, column, one_line(message))])


def one_line(text: str) -> str:
    """Text with everything escaped that a terminal would act on; it may quote a file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean `x`?`, with the space before it, or ""."""
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f" Did you mean `{by_lower[close[0]]}`?" if close else ""


def listing(names: Iterable[str], most: int = 40) -> str:
    """`a, b, c`, cut after `most` names."""
    names = list(names)
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
