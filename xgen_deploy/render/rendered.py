"""The result of rendering: an instance's files, and the command in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.settings import SecretRef


@dataclass(frozen=True)
class File:
    """A file to write. `secret`: its content must not be shown, recorded or compared."""

    path: str
    content: str = field(repr=False)
    mode: int
    uid: int = 0
    secret: bool = False


@dataclass(frozen=True)
class Rendered:
    """`definition` makes the instance run (a unit, or a supervisor's program) and is written last,
    after `files`. `argv` and `env` are the engine's command and variables, for people.
    """

    service: str
    definition: File
    files: tuple[File, ...]
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)


class Secrets:
    """The values of secrets by reference; without values (plan, render), placeholders."""

    def __init__(self, values: Mapping[SecretRef, SecretText] | None = None) -> None:
        self._values = values

    def value(self, ref: SecretRef) -> str:
        """The text for the file that the secret is written to."""
        if self._values is None:
            return f"<{describe(ref)}>"
        return self._values[ref].reveal()


def describe(ref: SecretRef) -> str:
    """A secret for people: where its value comes from, never the value."""
    for kind in ("env", "file", "command", "host_file"):
        value = getattr(ref, kind)
        if value is not None:
            return f"secret from {kind} {value}"
    return "secret"
