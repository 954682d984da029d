"""What a look at a host found out at some cost, to be kept there for the next one."""

from xgen_deploy.probe.remote.files import LEARNED
from xgen_deploy.state.facts import EngineFacts, HostFacts, ModelFacts
from xgen_deploy.state.layout import Layout


def learned(facts: HostFacts, layout: Layout) -> dict[str, object]:
    """What was asked anew and is worth keeping, by the path it is kept at."""
    kept: dict[str, object] = {}
    builds = [e for e in facts.engines if e.state and e.flags]
    if not all(e.cached for e in builds):
        said = {e.state: _said(e) for e in builds}
        kept[layout.engines] = {"format": LEARNED["engines"], "engines": said}
    whole = [m for m in facts.models if m.state and m.gguf and not m.error and not _is_forecast(m)]
    if not all(m.cached for m in whole):
        read = {m.state: m.gguf.model_dump() for m in whole if m.gguf}
        kept[layout.models] = {"format": LEARNED["models"], "models": read}
    return kept


def _is_forecast(model: ModelFacts) -> bool:
    return model.quantized is not None and model.quantized.coming


def _said(engine: EngineFacts) -> dict[str, object]:
    return {"flags": engine.flags, "markers": engine.markers, "reading": engine.reading}
