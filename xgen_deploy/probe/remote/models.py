"""Where a model's files lie on this host, and what they hold."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from xgen_deploy.probe.remote.files import file_state, learned
from xgen_deploy.probe.remote.gguf_parts import gguf_model, is_gguf
from xgen_deploy.probe.remote.hf_cache import Missing, snapshot
from xgen_deploy.probe.remote.machine import login_home, login_name
from xgen_deploy.probe.remote.open_to_all import closed_file, closed_folder
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sha256 import sha256


class Source(NamedTuple):
    key: str
    source: str
    revision: str
    model_dir: str
    hf_home: str
    any_file: bool = False


def models(sources: list[dict[str, Any]], state_dir: str) -> dict[str, Any]:
    known = learned(state_dir, "models")
    return {"models": [model(Source(**item), known) for item in sources]}


def model(source: Source, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Whatever is wrong with one model stays with it. `known` are GGUF facts by state."""
    try:
        path = locate(source)
        inspected = _any_file(path) if source.any_file else _inspect(path, known or {})
        answer = dict(inspected, key=source.key)
        answer.update(closed_file=closed_file(path), closed_folder=closed_folder(path))
    except Missing as error:
        return {"key": source.key, "path": error.path, "error": str(error), "missing": True}
    except PermissionError as error:
        return {
            "key": source.key,
            "path": error.filename,
            "error": f"may not be read by {login_name(os.geteuid())}",
        }
    except Exception as error:  # a fault in one model must not hide the others
        return {"key": source.key, "error": f"cannot be read: {error}"}
    return answer


def locate(source: Source) -> str:
    """The file or folder that the engine would be pointed at. Raises Missing."""
    text = source.source
    if text.startswith("https://"):
        return _existing(downloaded(text, source.model_dir), "is not downloaded yet")
    if text.startswith("~/"):
        return _existing(os.path.join(login_home(), text[2:]), "is not there")
    if text.startswith("/"):
        return _existing(text, "is not there")
    repository, _, file = text.partition(":")
    folder = snapshot(source.hf_home, repository, source.revision)
    if file:
        path = os.path.join(folder, file)
        return _existing(path, "is not in the local Hugging Face cache")
    return folder


def downloaded(url: str, model_dir: str) -> str:
    """Where apply puts what it downloads from `url`."""
    name = os.path.basename(url.split("?")[0].split("#")[0]) or "model"
    digest = sha256(url.encode()).hexdigest()[:16]
    return os.path.join(model_dir, "xgen", digest, name)


def _existing(path: str, problem: str) -> str:
    try:
        os.stat(path)
    except PermissionError:
        raise
    except OSError:
        raise Missing(path, problem) from None
    return path


def _any_file(path: str) -> dict[str, Any]:
    if not os.path.isfile(path):
        return {"path": path, "error": "is not a file"}
    return {"path": path, "size": os.path.getsize(path), "state": file_state([path])}


def _inspect(path: str, known: dict[str, Any]) -> dict[str, Any]:
    if os.path.isdir(path):
        return _inspect_folder(path, known)
    if is_gguf(path):
        return gguf_model(path, known)
    facts = {"path": path, "format": "unknown", "size": os.path.getsize(path)}
    return dict(facts, error=_what_it_is(path))


def _inspect_folder(path: str, known: dict[str, Any]) -> dict[str, Any]:
    """What reads JSON is imported only where there is some."""
    names = set(os.listdir(path))
    weights = {name for name in names if name.endswith((".safetensors", ".bin"))}
    alone = all(name.startswith("adapter_") for name in weights)
    if "adapter_config.json" in names and (alone or "config.json" not in names):
        from xgen_deploy.probe.remote.hf_model import hf_adapter

        return hf_adapter(path)
    if "config.json" in names:
        from xgen_deploy.probe.remote.hf_model import hf_model

        return hf_model(path)
    if "params.json" in names and any(name.startswith("consolidated") for name in weights):
        from xgen_deploy.probe.remote.hf_model import mistral_model

        return mistral_model(path)
    files = sorted(name for name in names if name.endswith(".gguf"))
    firsts = [name for name in files if "-of-" not in name or "-00001-of-" in name]
    if len(firsts) == 1:
        return _inspect(os.path.join(path, firsts[0]), known)
    if firsts:
        problem = "holds several GGUF files; name one: " + ", ".join(firsts[:5])
    else:
        problem = _what_the_folder_is(names)
    return {"path": path, "format": "unknown", "error": problem}


def _what_the_folder_is(names: set[str]) -> str:
    if "model_index.json" in names:
        return "is a pipeline for images (model_index.json), which no engine here serves"
    if "params.json" in names and any(name.endswith(".pth") for name in names):
        return (
            "is in Meta's own format (consolidated.*.pth), which no engine here loads: "
            "convert it to Hugging Face's"
        )
    return "is a folder without config.json or a GGUF file"


def _what_it_is(path: str) -> str:
    if os.path.getsize(path) == 0:
        return "is empty"
    if (read_text(path, 100) or "").startswith("version https://git-lfs"):
        return "is a Git LFS pointer, not the model: run `git lfs pull` where it came from"
    if path.endswith(".gguf"):
        return "not a valid GGUF: it does not begin with `GGUF`"
    return "is neither a GGUF file nor a folder with config.json"
