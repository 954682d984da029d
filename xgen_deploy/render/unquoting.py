"""Reads secrets back from the files that they were delivered in: the inverse of `quoting`.

A text that this tool does not write itself yields no value: {} or None.
"""

import json
import re

from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE

_NAME = "([A-Za-z_][A-Za-z0-9_]*)"
_SYSTEMD = re.compile(rf'^{_NAME}="((?:[^"\\]|\\.)*)"$', re.MULTILINE | re.DOTALL)
_SHELL_TEXT = r"'((?:[^']|'\\'')*)'"
_SHELL = re.compile(rf"^{_NAME}={_SHELL_TEXT}$", re.MULTILINE)
_HAPROXY = re.compile(rf"^ *setenv {_NAME} {_SHELL_TEXT}$", re.MULTILINE)


def environment_values(text: str) -> dict[str, str]:
    """The variables in an EnvironmentFile= (`quoting.environment_quoted`)."""
    return {name: re.sub(r'\\(["\\$`])', r"\1", v) for name, v in _SYSTEMD.findall(text)}


def shell_values(text: str) -> dict[str, str]:
    """The variables in a file that sh sources (`quoting.shell_quoted`)."""
    return {name: v.replace("'\\''", "'") for name, v in _SHELL.findall(text)}


def haproxy_values(text: str) -> dict[str, str]:
    """The variables in a gateway's `keys.cfg` (`quoting.haproxy_quoted`)."""
    return {name: v.replace("'\\''", "'") for name, v in _HAPROXY.findall(text)}


def start_values(text: str) -> dict[str, str]:
    """The variables in the process runtime's `start.json`."""
    try:
        env = read_json(text, PAGE)["env"]
        return {str(k): v for k, v in env.items() if isinstance(v, str)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def key_in(text: str, pattern: str | None) -> str | None:
    """The key in a file that an engine reads it from (see `backends.base.KeyFile`)."""
    if pattern is None:
        return text.removesuffix("\n") or None
    match = re.fullmatch(pattern, text)
    try:
        value = json.loads(match[1]) if match else None
    except ValueError:
        return None
    return value if isinstance(value, str) else None
