"""Whether a model's file has a chat template. Pure."""

from collections.abc import Container

from xgen_deploy.state.instance import Spec
from xgen_deploy.state.observation import Observation, Observed, reached

_OPTIONS = ("--chat-template", "--chat-template-file")


def lacks_chat_template(observed: Observed, models: Container[str]) -> bool:
    """That an instance of one of these models has a file that says so, and is told no other
    template: llama-server then takes one of its own.
    """
    return any(
        spec.model in models and not _is_told_one(spec) and _file_lacks_one(observation, spec)
        for observation in reached(observed).values()
        if observation.record is not None
        for spec in (last.spec for last in observation.record.instances.values())
    )


def _is_told_one(spec: Spec) -> bool:
    stated = (word.partition("=")[0] for word in spec.llama.extra_args or ())
    return spec.chat_template is not None or any(word in _OPTIONS for word in stated)


def _file_lacks_one(observation: Observation, spec: Spec) -> bool:
    files = (m.gguf for m in observation.facts.models if m.path == spec.model_path)
    return spec.type == "llm" and any(gguf and gguf.chat_template is False for gguf in files)
