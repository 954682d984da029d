"""What a model must answer: stated in the manifest, and in the file that `accept record` writes."""

from pathlib import Path

from pydantic import ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import MAX_BYTES, Files, absolute_path
from xgen_deploy.state.accept import Accept, AcceptFile, Recorded
from xgen_deploy.state.instance_config import InstanceConfig, Mark


def with_recorded(instance: InstanceConfig, files: Files, problems: Problems) -> InstanceConfig:
    """With the file's expectations beside the stated ones, and the file's path absolute."""
    accept = instance.accept
    if accept is None:
        return instance
    mark = instance.marks.get("accept.file") or instance.marks.get("accept", instance.marks[""])
    if accept.file is not None:
        accept = replace(accept, file=absolute_path(accept.file, mark))
        accept = _joined(accept, _recorded(instance.model, accept, files, mark, problems))
    _check_kind(instance, accept, mark, problems)
    return replace(instance, accept=accept)


def _joined(accept: Accept, recorded: Recorded) -> Accept:
    prompts = (*accept.prompts, *recorded.prompts)
    return replace(accept, prompts=prompts, vectors=(*accept.vectors, *recorded.vectors))


def _recorded(model: str, accept: Accept, files: Files, mark: Mark, problems: Problems) -> Recorded:
    file = accept.file or ""
    if not Path(file).expanduser().is_file():
        problems.warn(
            mark, f"accept: there is no file {file} yet; `xgen-deploy accept record` writes it"
        )
        return Recorded()
    text = files.text(str(Path(file).expanduser()), "acceptance file")
    try:
        whole = AcceptFile.model_validate(read_json(text, MAX_BYTES))
    except (ValueError, ValidationError):
        problems.add(
            mark,
            f"accept: {file} is not what `accept record` writes; correct it or record it anew",
        )
        return Recorded()
    if model not in whole.models:
        problems.warn(
            mark,
            f"accept: {file} has nothing of `{model}` yet; `xgen-deploy accept record` writes it",
        )
    return whole.models.get(model, Recorded())


def _check_kind(instance: InstanceConfig, accept: Accept, mark: Mark, problems: Problems) -> None:
    kind = instance.type
    if accept.prompts and kind != "llm":
        problems.add(mark, f"accept: `{instance.model}` is {kind}; only an llm answers prompts")
    if accept.vectors and kind != "embedding":
        problems.add(
            mark, f"accept: `{instance.model}` is {kind}; only an embedding model gives vectors"
        )
