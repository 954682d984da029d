"""Quoting for the files that carry a command or a value, by the rules of each format.

Unit files: systemd.service(5), section COMMAND LINES; environment files: systemd.exec(5),
EnvironmentFile=; programs: supervisord's configuration format; the gateway: HAProxy's
configuration manual, section 2.2.
"""

import re
import shlex
from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_NO_PROGRAM = re.compile("[\"'\\\\$]")
_BROKEN = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
# Quotes keep a newline and a tab as they are: in systemd's environment files and in sh.
_BROKEN_IN_QUOTES = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def one_line(text: str) -> str:
    """The text itself. Raises ValueError where it would break out of its line; the error does not
    have the text, which may be a secret.
    """
    if _BROKEN.search(text):
        raise ValueError("a value holds a line break or control character")
    return text


def _lines(text: str) -> str:
    """The text itself, with newlines and tabs allowed. Raises ValueError."""
    if _BROKEN_IN_QUOTES.search(text):
        raise ValueError("a value holds a control character")
    return text


def unit_text(text: str) -> str:
    """A descriptive field of a unit: specifiers are not expanded."""
    return one_line(text).replace("%", "%%")


def unit_quoted(argument: str) -> str:
    """One argument of ExecStart=, so that neither specifiers nor variables are expanded."""
    escaped = one_line(argument).replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(escaped):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unit_argv(argv: Sequence[str]) -> str:
    """A whole command line of a unit. systemd refuses a program whose path has quotes or a
    backslash, and expands no `$$` in it; as an argument it may be any.
    """
    if _NO_PROGRAM.search(argv[0]):
        argv = ("/bin/sh", "-c", 'exec "$0" "$@"', *argv)
    return " ".join(unit_quoted(a) for a in argv)


def environment_quoted(value: str) -> str:
    """A value in an EnvironmentFile=; what double quotes leave special is escaped."""
    return '"' + re.sub(r'(["\\$`])', r"\\\1", _lines(value)) + '"'


def shell_quoted(value: str) -> str:
    """One word of a file that sh reads: strong quotes leave nothing special but `'`."""
    return "'" + _lines(value).replace("'", "'\\''") + "'"


def program_text(text: str) -> str:
    """A value of a supervisor's configuration: `%` begins an expansion there."""
    return one_line(text).replace("%", "%%")


def program_argv(argv: Sequence[str]) -> str:
    """A command that supervisord splits like a shell. It takes ` ;` and ` #` for comments even
    inside quotes, so an empty pair of quotes goes between the blank and the sign.
    """
    quoted = " ".join(shlex.quote(one_line(a)) for a in argv)
    return program_text(re.sub(r"([ \t])([;#])", r"\1''\2", quoted))


def haproxy_quoted(text: str) -> str:
    """One argument of HAProxy's configuration: strong quotes leave nothing special but `'`."""
    return "'" + one_line(text).replace("'", "'\\''") + "'"
