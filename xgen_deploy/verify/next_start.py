"""What would keep a running instance from starting again as it did. Pure."""

from collections.abc import Iterator

from xgen_deploy.state.facts import HostFacts, ModelFacts
from xgen_deploy.state.instance import Spec


def start_warnings(spec: Spec, facts: HostFacts) -> tuple[str, ...]:
    """Clauses; nothing is said of what was not looked at, as of an instance that the manifest does
    not have any more.
    """
    return (*_files(spec, facts.models), *_build(spec, facts))


def _files(spec: Spec, models: tuple[ModelFacts, ...]) -> Iterator[str]:
    paths = {spec.source, spec.model_path, *(file.path for file in spec.beside)}
    for model in models:
        source = model.key.rsplit("@", 1)[0]
        if not paths.intersection((source, model.path)):
            continue
        if model.error is not None:
            yield f"its next start will fail: model {source}: {model.error}"
        elif _changed(spec, source, model):
            yield (
                f"model {source}: another file lies there since it was applied, which its next "
                "start would load; `xgen-deploy plan` shows the update"
            )


def _changed(spec: Spec, source: str, model: ModelFacts) -> bool:
    own = source == spec.source and spec.model_state is not None and model.state is not None
    return own and model.state != spec.model_state


def _build(spec: Spec, facts: HostFacts) -> Iterator[str]:
    """Of a binary; what is wrong with an image may be the daemon's trouble."""
    for engine in facts.engines:
        same = (engine.backend, engine.binary) == (spec.backend, spec.binary)
        if same and spec.binary is not None and engine.error is not None:
            yield f"its next start will fail: {spec.backend}: {engine.error}"
