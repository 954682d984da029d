"""What rendering gives: the files of an instance and the command that they hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.manifest.schema import SecretRef


@dataclass(frozen=True)
class File:
    """A file to be written. `secret`: its content must not be shown, recorded or compared."""

    path: str
    content: str
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
    env: Mapping[str, str]


class Secrets:
    """Values of secrets by reference. Without values (plan, render) a placeholder stands in."""

    def __init__(self, values: Mapping[SecretRef, str] | None = None) -> None:
        self._values = values or {}

    def value(self, ref: SecretRef) -> str:
        return self._values.get(ref) or f"<{describe(ref)}>"


def describe(ref: SecretRef) -> str:
    """A secret's reference for people: where it comes from, never what it is."""
    for kind in ("env", "file", "command", "host_file"):
        value = getattr(ref, kind)
        if value is not None:
            return f"secret from {kind} {value}"
    return "secret"
