"""Cases kept as data beside the tests."""

from pathlib import Path
from typing import Any

import yaml


def load(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((Path(__file__).parent / "cases" / f"{name}.yaml").read_text())
