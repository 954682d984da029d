"""What is asked of logs, and the commands that read them on a host. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xgen_deploy.errors import UsageError
from xgen_deploy.state.layout import SECOND, Layout

USUAL, MANY = 200, 10_000  # lines


@dataclass(frozen=True)
class LogRequest:
    """`lines` None: the usual number, or with `since` (seconds since the epoch) or `pattern` as
    many as are kept here.
    """

    lines: int | None = None
    since: float | None = None
    pattern: re.Pattern[str] | None = None
    follow: bool = False

    @property
    def most(self) -> int:
        """Of the lines that are shown, the newest."""
        selecting = self.since is not None or self.pattern is not None
        return self.lines if self.lines is not None else (MANY if selecting else USUAL)

    def matches(self, line: str) -> bool:
        return self.pattern is None or self.pattern.search(line) is not None


def pattern_of(text: str | None) -> re.Pattern[str] | None:
    """Without a capital letter in it, it matches capitals too, as in journalctl. Raises
    UsageError."""
    if text is None:
        return None
    try:
        return re.compile(text, re.NOFLAG if any(map(str.isupper, text)) else re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"--grep {text}: not a regular expression: {error}") from None


def units_of(layout: Layout, instances: Sequence[str]) -> dict[str, str]:
    """Unit -> the instance that it runs."""
    return {
        f"{layout.service(name + slot)}.service": name
        for name in instances
        for slot in ("", SECOND)
    }


def log_argv(
    layout: Layout, instances: Sequence[str], request: LogRequest, *, entries: bool = False
) -> list[str]:
    """`entries`: with time and unit, for several instances (see entries.py). Raises
    UsageError."""
    if layout.process_dir is not None:
        return _tail(layout, instances, request)
    argv = ["journalctl", "--no-pager", *(f"--unit={u}" for u in units_of(layout, instances))]
    if request.since is not None:
        argv.append(f"--since=@{request.since:.0f}")
    if request.pattern is not None and not request.follow:
        argv.append(f"--grep={request.pattern.pattern}")  # with --lines it would turn them around
    else:
        argv.append(f"--lines={request.most}")
    if entries:
        argv += ["--output=json", "--all", "--output-fields=MESSAGE,UNIT,_SYSTEMD_UNIT"]
    return argv + (["--follow"] if request.follow else [])


def _tail(layout: Layout, instances: Sequence[str], request: LogRequest) -> list[str]:
    if request.since is not None:
        raise UsageError("the logs of the process runtime have no times; leave out --since")
    whole = request.pattern is not None and not request.follow
    argv = ["tail", f"--lines={'+1' if whole else request.most}"]
    argv += ["--verbose"] if len(instances) > 1 else []
    argv += [layout.log(name) for name in instances]
    return argv + (["--follow=name"] if request.follow else [])
