"""Whether all that an instance loads at its next start is there: parts, and what links lead to."""

from __future__ import annotations

import itertools
import os
import re
from typing import Any

BESIDE = ("mmproj", "draft", "chat_template")
MOST = 10_000
_PART = re.compile(r"(.+-)(\d{5})-of-(\d{5})(\.gguf)")


def all_present(spec: dict[str, Any]) -> bool:
    beside = [spec.get(name) for name in BESIDE] + list((spec.get("loras") or {}).values())
    paths = [spec["model_path"], *(found["path"] for found in beside if found)]
    return all(_present(path) for path in paths)


def _present(path: str) -> bool:
    part = _PART.fullmatch(path)
    if part and 0 < int(part[3]) <= MOST:
        numbers = range(1, int(part[3]) + 1)
        return all(os.path.exists(f"{part[1]}{n:05}-of-{part[3]}{part[4]}") for n in numbers)
    if not os.path.isdir(path):
        return os.path.exists(path)
    files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    present = [os.path.exists(file) for file in itertools.islice(files, MOST)]
    return bool(present) and all(present)
