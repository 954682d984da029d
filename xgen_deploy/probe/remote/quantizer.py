"""llama.cpp's quantizer on this host: where it is, its version and options."""

from __future__ import annotations

import os
import re
from typing import Any

from xgen_deploy.probe.remote.commands import run, which

NAME = "llama-quantize"
PATIENCE = 12.0
_NOWHERE = "/nonexistent/model.gguf"
# `version: 0.7.0 (build 11669, commit …)`, `version: 4000 (abc)`, `main: build = 3000 (abc)`
_VERSION = (r"\(build (\d+)", r"build = (\d+)", r"version: (\S+)")


def quantizer(places: list[str], *, as_login: bool = False) -> dict[str, Any]:
    """As QuantizerFacts in state/facts.py. It is run without rights, or with the login's."""
    usable = (p for p in places if os.path.isfile(p) and os.access(p, os.X_OK))
    program = next(usable, None) or which(NAME)
    if program is None:
        return {"program": None}
    told = run([program, "--help"], PATIENCE, not as_login)
    text = told.out + told.err
    if "--allow-requantize" not in text:
        return {"program": program, "error": told.complaint}
    tried = run([program, _NOWHERE, _NOWHERE, "Q8_0"], PATIENCE, not as_login)
    said = tried.out + tried.err
    found = next((m for m in (re.search(v, said) for v in _VERSION) if m), None)
    version = f"b{found[1]}" if found and found[1].isdigit() else found[1] if found else "?"
    return {
        "program": program,
        "version": version[:40],
        "options": sorted(set(re.findall(r"--[a-z][a-z-]+", text)))[:100],
    }
