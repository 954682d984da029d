"""The GGUF models in a folder: which one is meant, and what there is to choose from."""

from __future__ import annotations

import os
import re

MOST_FILES = 10_000
SHOWN = 5
_LATER_PART = re.compile(r"-(?!00001-of-)\d{5}-of-\d{5}\.gguf$")
# Loaded beside a model, or not at all.
_BESIDE = re.compile(r"mmproj|imatrix", re.IGNORECASE)


def gguf_files(folder: str) -> list[str]:
    """Of each model its first file, beneath the folder, sorted."""
    names: list[str] = []
    seen = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen += len(files)
        if seen > MOST_FILES:
            break
        names += [os.path.relpath(os.path.join(place, n), folder) for n in files]
    return models_among(names)


def models_among(names: list[str]) -> list[str]:
    """Of the files with these names."""
    firsts = [name for name in names if _is_first(name)]
    models = [name for name in firsts if not _BESIDE.search(os.path.basename(name))]
    return sorted(models or firsts)


def of_quantization(names: list[str], quantization: str) -> list[str]:
    """Those whose name or folder has it. Without `UD-` it is not unsloth's own of that name, unless
    there is no other.
    """
    word = re.compile(rf"(?:^|[-._/]){re.escape(quantization)}(?=$|[-./])", re.IGNORECASE)
    found = [name for name in names if word.search(name)]
    plain = [name for name in found if f"UD-{quantization}".lower() not in name.lower()]
    return plain or found


def listed(names: list[str], most: int = SHOWN) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _is_first(name: str) -> bool:
    return name.endswith(".gguf") and not _LATER_PART.search(name)
