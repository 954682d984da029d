"""SHA-256 from the interpreter itself: `hashlib` loads OpenSSL first, which takes milliseconds."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def _built_in() -> Any:
    for name in ("_sha2", "_sha256"):  # since 3.12, and before
        try:
            return import_module(name).sha256
        except ImportError:
            continue
    return import_module("hashlib").sha256


sha256 = _built_in()
