"""Where a model's files lie on this host, and what they hold."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.probe.remote.content_state import content_state
from xgen_deploy.probe.remote.files import file_state, learned
from xgen_deploy.probe.remote.gguf_folder import gguf_files, listed
from xgen_deploy.probe.remote.gguf_parts import gguf_model, is_gguf
from xgen_deploy.probe.remote.hf_cache import Missing, Several
from xgen_deploy.probe.remote.links import given_to_container, links
from xgen_deploy.probe.remote.locate import Source, locate
from xgen_deploy.probe.remote.machine import login_name
from xgen_deploy.probe.remote.open_to_all import closed_file, closed_folder, closed_inside
from xgen_deploy.probe.remote.reading import read_text

INDEX = "model.safetensors.index.json"


def models(sources: list[dict[str, Any]], state_dir: str) -> dict[str, Any]:
    known = learned(state_dir, "models")
    return {"models": [model(Source(**item), known) for item in sources]}


def model(source: Source, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Whatever is wrong with one model stays with it. `known` are GGUF facts by state."""
    if source.quantize is None:
        return _stated(source, known)
    from xgen_deploy.probe.remote.quantized import STATE, made  # seldom

    stated = _stated(source, known)
    there = not stated.get("missing")
    if there and stated.get("error"):
        return stated
    of = source.content or (stated.get("state") if there else None)
    note = made(source.model_dir, source.key, of)
    if note is None:
        problem = f"is there, and not made {source.quantize} yet"
        return dict(_missing(stated, problem), unquantized=stated) if there else stated
    path, state = note["path"], STATE + note["recipe"]
    kept = (known or {}).get(state)
    same = {str(content_state([path])): kept} if kept else {}
    found = _stated(source._replace(path=path, url=None, repository=None), same)
    return dict(found, state=state, quantized={"of": note["of"], "by": note["by"]})


def _missing(stated: dict[str, Any], problem: str) -> dict[str, Any]:
    return {"key": stated["key"], "path": stated.get("path"), "error": problem, "missing": True}


def _stated(source: Source, known: dict[str, Any] | None) -> dict[str, Any]:
    """What lies where the source says."""
    try:
        path, revision = locate(source)
        inspected = _any_file(path) if source.any_file else _inspect(source, path, known or {})
        answer = dict(inspected, key=source.key, revision=revision)
        own = answer.get("path") or path  # of a folder with one GGUF that file
        answer["closed_file"] = closed_file(path) or closed_file(own)
        answer["closed_folder"] = closed_folder(own)
        answer["real_path"] = os.path.realpath(path)
        if not answer.get("error"):
            path, folders = answer["path"], (source.model_dir, source.hf_home)
            answer["links"] = links(path, folders)
            answer["closed_inside"] = closed_inside(path, given_to_container(path, folders))
    except Missing as error:
        return {"key": source.key, "path": error.path, "error": str(error), "missing": True}
    except Several as error:
        return {
            "key": source.key,
            "path": error.path,
            "error": str(error),
            "choices": error.choices,
        }
    except PermissionError as error:
        return {
            "key": source.key,
            "path": error.filename,
            "error": f"may not be read by {login_name(os.geteuid())}",
        }
    except Exception as error:  # a fault in one model must not hide the others
        return {"key": source.key, "error": f"cannot be read: {error}"}
    return answer


def _any_file(path: str) -> dict[str, Any]:
    if not os.path.isfile(path):
        return {"path": path, "error": "is not a file"}
    return {"path": path, "size": os.path.getsize(path), "state": file_state([path])}


def _inspect(source: Source, path: str, known: dict[str, Any]) -> dict[str, Any]:
    """Raises Several, OSError."""
    if os.path.isdir(path):
        return _inspect_folder(source, path, known)
    if is_gguf(path):
        return gguf_model(path, known)
    facts = {"path": path, "format": "unknown", "size": os.path.getsize(path)}
    return dict(facts, error=_what_it_is(path))


def _inspect_folder(source: Source, path: str, known: dict[str, Any]) -> dict[str, Any]:
    """What reads JSON is imported only where there is some."""
    names = set(os.listdir(path))
    weights = {name for name in names if name.endswith((".safetensors", ".bin"))}
    alone = all(name.startswith("adapter_") for name in weights)
    if "adapter_config.json" in names and (alone or "config.json" not in names):
        from xgen_deploy.probe.remote.hf_model import hf_adapter

        return hf_adapter(path)
    files = [] if "config.json" in names and (weights or INDEX in names) else gguf_files(path)
    if files:
        return _gguf_in(source, path, files, known)
    if "config.json" in names:
        from xgen_deploy.probe.remote.hf_model import hf_model

        return hf_model(path)
    if "params.json" in names and any(name.startswith("consolidated") for name in weights):
        from xgen_deploy.probe.remote.hf_model import mistral_model

        return mistral_model(path)
    return {"path": path, "format": "unknown", "error": _what_the_folder_is(names)}


def _gguf_in(source: Source, path: str, files: list[str], known: dict[str, Any]) -> dict[str, Any]:
    """Those in the folder itself come before those beneath it."""
    files = [name for name in files if os.sep not in name] or files
    if len(files) > 1:
        problem = f"holds several GGUF files: {listed(files)}"
        raise Several(path, problem, [source.named(name) for name in files])
    return _inspect(source, os.path.join(path, files[0]), known)


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
