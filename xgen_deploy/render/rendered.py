"""What rendering gives: the files of an instance and the command that they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.settings import SecretRef


@dataclass(frozen=True)
class File:
    """A file to be written. `secret`: its content must not be shown, recorded or compared."""

    path: str
    content: str = field(repr=False)
    mode: int
    uid: int = 0
    secret: bool = False


@dataclass(frozen=True)
class Rendered:
    """`files` but the definition come first; `definition` makes the instance run (a unit, or a
    supervisor's program). `argv` is the engine's own command, for people.
    """

    service: str
    definition: File
    files: tuple[File, ...]
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)


class Secrets:
    """Values of secrets by reference. Without any (plan, render) a placeholder stands in."""

    def __init__(self, values: Mapping[SecretRef, SecretText] | None = None) -> None:
        self._values = values

    def value(self, ref: SecretRef) -> str:
        """For the file that it is written to."""
        if self._values is None:
            return f"<{describe(ref)}>"
        return self._values[ref].reveal()


def describe(ref: SecretRef) -> str:
    """A secret's reference for people: where it comes from, never what it is."""
    for kind in ("env", "file", "command", "host_file"):
        value = getattr(ref, kind)
        if value is not None:
            return f"secret from {kind} {value}"
    return "secret"
