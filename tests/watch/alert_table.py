"""The table of alerts in docs/monitoring.md; `python -m tests.watch.alert_table` writes it anew."""

import re
from pathlib import Path

from xgen_deploy.watch.rules.alert import Alert
from xgen_deploy.watch.rules.file import ALERTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
_HEAD = "| alert | severity | after | it says |\n|---|---|---|---|\n"
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_VALUE = re.compile(r"\{\{ \$value[^}]*\}\}")


def table() -> str:
    return _HEAD + "".join(map(_row, ALERTS))


def _row(alert: Alert) -> str:
    says = _VALUE.sub("N", _LABEL.sub(lambda label: label[1].upper(), alert.summary))
    after = "at once" if alert.after == "0s" else alert.after
    return f"| `{alert.name}` | {alert.severity} | {after} | {says} |\n"


def written(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(_HEAD)
    return before + table() + re.sub(r"\A(\|.*\n)*", "", rest)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
