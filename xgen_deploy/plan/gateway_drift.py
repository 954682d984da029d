"""Drift of a gateway: whether it still is what was applied, and if not, what repairs it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.drift import is_proven, process_drift, runs
from xgen_deploy.plan.file_drift import FileDrift, file_drift, is_reproducible
from xgen_deploy.plan.hand_edits import hand_edits
from xgen_deploy.plan.repair import READ_LATER, reload_is_safe
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.templates import Templates
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord
from xgen_deploy.state.gateway_paths import config_file, keys_file
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import FieldDiff

_NO_INTERRUPTION = "HAProxy loads its configuration again, no interruption"


@dataclass(frozen=True)
class GatewayDrift:
    """`cause` is all that differs, as a clause; `diff` what was edited by hand. `restarts`: it is
    to be started anew though it serves. `reload` as in state/plan.py, Operation.
    """

    cause: str
    diff: tuple[FieldDiff, ...]
    notes: tuple[str, ...]
    restarts: bool
    reload: bool


def gateway_drift(
    last: GatewayRecord, observation: Observation, templates: Templates
) -> GatewayDrift | None:
    """None where unit, configuration, keys and container are as applied."""
    layout, facts = observation.layout, observation.facts
    service = layout.service(GATEWAY)
    rendered = render_gateway(last.spec, layout, templates)
    unit, definition = facts.service(service), layout.definition(GATEWAY)
    files = (
        *file_drift(definition, unit, last.files, facts, rendered, _keys(rendered, last, layout)),
        *_config(facts, last, layout),
    )
    process = process_drift(unit) or _container_drift(service, last, facts)
    causes = [*dict.fromkeys(f.clause for f in files), *([process] if process else [])]
    if not causes:
        return None
    # HAProxy reads its configuration and keys anew at every reload: the rest is the unit's.
    of_unit = [f for f in files if f.path.startswith(definition)]
    proven = is_proven(of_unit, unit, last.invocation)
    proven = proven and (is_reproducible(rendered, last.files) or not _content(of_unit))
    serves = runs(unit) and _container_runs(service, last, facts)
    reload = reload_is_safe(facts) or not proven
    notes = [_NO_INTERRUPTION] if proven and process is None else []
    notes += [READ_LATER] if not reload and _content(of_unit) else []
    return GatewayDrift(
        cause="; ".join(causes),
        diff=hand_edits(files, rendered, last.files, facts.edited),
        notes=tuple(notes),
        restarts=serves and not (proven and process is None),
        reload=reload,
    )


def _config(facts: HostFacts, last: GatewayRecord, layout: Layout) -> Iterator[FileDrift]:
    config = next((f for f in facts.files if f.path == config_file(layout)), None)
    if config is not None and config.kind == "absent":
        yield FileDrift(config.path, f"{config.path} is missing")
    elif config is not None and config.sha256 and config.sha256 != last.files.get(config.path):
        yield FileDrift(config.path, f"{config.path} was edited by hand")


def _keys(rendered: Rendered, last: GatewayRecord, layout: Layout) -> tuple[str, ...]:
    return (keys_file(layout),) if is_reproducible(rendered, last.files) else ()


def _content(files: list[FileDrift]) -> bool:
    return any(f.content for f in files)


def _container_drift(service: str, last: GatewayRecord, facts: HostFacts) -> str | None:
    if last.spec.image is None:
        return None
    box = facts.docker.container(service)
    if box is None or box.state != "running":
        return "its container is missing" if box is None else f"its container is {box.state}"
    if last.spec.image_state and box.image_id != last.spec.image_state:
        return "its container runs another image than was applied"
    return None


def _container_runs(service: str, last: GatewayRecord, facts: HostFacts) -> bool:
    box = facts.docker.container(service)
    return last.spec.image is None or (box is not None and box.state == "running")
