"""What an alert and a recording rule are, and how Prometheus reads them. Pure."""

from dataclasses import dataclass
from typing import Literal

# none: it goes to nobody but the dead man's switch.
Severity = Literal["critical", "warning", "none"]
PREFIX = "Xgen"


@dataclass(frozen=True)
class Record:
    """A series that other rules use."""

    name: str
    expr: str

    @property
    def rule(self) -> dict[str, object]:
        return {"record": self.name, "expr": self.expr}


@dataclass(frozen=True)
class Alert:
    """`after` is how long `expr` has to hold. `summary` is a sentence that names the host and what
    on it, `command` what to run next; both are Prometheus' templates.
    """

    name: str
    expr: str
    after: str
    severity: Severity
    summary: str
    command: str

    @property
    def rule(self) -> dict[str, object]:
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.after,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "command": self.command},
        }


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated in this order."""

    name: str
    rules: tuple[Record | Alert, ...]

    @property
    def entry(self) -> dict[str, object]:
        return {"name": self.name, "rules": [rule.rule for rule in self.rules]}
