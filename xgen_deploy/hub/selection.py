"""Which files of a repository are brought: what an engine loads, nothing that runs. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from xgen_deploy.probe.remote.gguf_folder import models_among, of_quantization
from xgen_deploy.state.source import Source

_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
# A pickle runs code when it is loaded.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_TEXTS = (".json", ".jsonl", ".txt", ".jinja", ".model", ".tiktoken", ".vocab", ".md", ".yaml")
_LICENCE = re.compile(r"(licen[cs]e|notice|use_policy)[^/]*", re.IGNORECASE)
_OTHER_FOLDERS = ("original/", "onnx/", "openvino/", "flax/", "gguf/")


class NotSelected(Exception):
    """Nothing of the repository can be brought; what there is instead is in the text."""


@dataclass(frozen=True)
class Selection:
    """`loaded` is the file that an engine is pointed at, "" for the folder of all; `code` are those
    among `files` that engines would run."""

    files: tuple[str, ...]
    left_out: tuple[str, ...]
    loaded: str = ""
    code: tuple[str, ...] = ()


def select(
    names: Sequence[str], source: Source, *, patterns: Sequence[str] = (), code: bool = False
) -> Selection:
    """`names` are the repository's files. A GGUF is taken with its other parts, where it is split.
    `patterns` are what the manifest names, and then nothing else is taken. `code`: modules of
    Python too. Raises NotSelected.
    """
    loaded = _loaded(names, source)
    if patterns:
        chosen = [n for n in names if any(fnmatchcase(n, pattern) for pattern in patterns)]
        if not chosen:
            raise NotSelected(f"no file matches {', '.join(patterns)}; there are {_some(names)}")
    elif loaded:
        chosen = _whole(names, loaded)
    else:
        chosen = [n for n in names if _is_loaded(n) or (code and n.endswith(".py"))]
        if not any(n.endswith(".safetensors") for n in chosen):
            raise NotSelected(_no_weights(names))
    kept = set(chosen)
    python = tuple(n for n in chosen if n.endswith((".py", *_PICKLES)))
    return Selection(tuple(chosen), tuple(n for n in names if n not in kept), loaded, python)


def _loaded(names: Sequence[str], source: Source) -> str:
    """The one file that is meant, of a split GGUF the first part; "" where all of it is."""
    ggufs = sorted(n for n in names if n.endswith(".gguf"))
    if source.file is not None:
        if source.file in names:
            return source.file
        raise NotSelected(f"there is no {source.file}; its GGUF files are {_some(ggufs)}")
    meant = models_among(ggufs)
    if source.quantization is not None:
        meant = of_quantization(meant, source.quantization)
        if not meant:
            raise NotSelected(f"it has no file of {source.quantization}; it has {_some(ggufs)}")
    elif any(n.endswith(".safetensors") for n in names):
        return ""
    if len(meant) > 1:
        raise NotSelected(f"it has several GGUF files; name one after a colon: {_some(meant)}")
    return meant[0] if meant else ""


def _whole(names: Sequence[str], file: str) -> list[str]:
    """All parts of a split GGUF."""
    part = _PART.fullmatch(file)
    if part is None:
        return [file]
    parts = [f"{part[1]}-{i:05d}-of-{part[3]}.gguf" for i in range(1, int(part[3]) + 1)]
    missing = [n for n in parts if n not in names]
    if missing:
        raise NotSelected(f"of the parts of {file} it lacks {_some(missing)}")
    return parts


def _is_loaded(name: str) -> bool:
    if name.startswith(_OTHER_FOLDERS) or name.endswith(_PICKLES):
        return False
    last = name.rpartition("/")[2]
    if name.endswith(".safetensors"):
        return True
    return name.endswith(_TEXTS) or _LICENCE.fullmatch(last) is not None


def _no_weights(names: Sequence[str]) -> str:
    pickles = [n for n in names if n.endswith(_PICKLES)]
    if pickles:
        return (
            f"its weights are pickles, which run code when they are loaded ({_some(pickles)}); "
            "`fetch: {files: [...]}` takes them all the same"
        )
    return f"it has no weights; there are {_some(names)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return (", ".join(names[:8]) + more) or "none"
