"""The desired state of a host, from the manifest and its observation. Pure."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from xgen_deploy.backends.base import Unsupported
from xgen_deploy.frozen import replace
from xgen_deploy.plan.choices import with_choices
from xgen_deploy.render.instance import Renderer, Rendering
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.resolve.host import Resolved, resolve_host
from xgen_deploy.resolve.host_rights import no_programs, not_root
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.host_python import INSTALL_PYTHON
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.repin import NO_REPIN, Repin
from xgen_deploy.state.site import Site

_NEEDED = ("services", "models", "engines", "ports", "gpu", "record")


@dataclass(frozen=True)
class Desired:
    """The desired state of a host. `record` is None where too much is unknown and all is refused.
    `rendered` has each instance's files as this version renders them, without secrets; `watchdog`
    are the paths of the watchdog's files for what runs there, () where it has nothing to watch.
    """

    record: Record | None
    resolved: Resolved
    rendered: Mapping[str, Rendered] = field(default_factory=dict)
    watchdog: tuple[str, ...] = ()


class DesiredState:
    """Of a site: decided once for each observation, whoever asks."""

    def __init__(
        self,
        site: Site,
        renderer: Renderer,
        *,
        repin: Repin = NO_REPIN,
        rebalance: bool = False,
    ) -> None:
        """`repin`: where an index of a GPU may mean another card than when it was applied.
        `rebalance`: what was chosen before may be chosen anew.
        """
        self._site = site
        self.renderer = renderer
        self._repin = repin
        self._rebalance = rebalance
        self._decided: dict[str, tuple[Observation, Desired]] = {}

    def of(self, observation: Observation) -> Desired:
        """Never raises: what is unknown or cannot be rendered is refused."""
        before = self._decided.get(observation.host)
        if before is not None and before[0] is observation:
            return before[1]
        rendering = self.renderer.on(observation.layout)
        repin = self._repin.on(observation.host)
        desired = _decide(self._site, observation, rendering, repin, rebalance=self._rebalance)
        self._decided[observation.host] = (observation, desired)
        return desired

    def hold(self, plan: Plan) -> None:
        """What was chosen for a plan is not chosen again."""
        self._site = with_choices(self._site, plan)


def _decide(
    site: Site,
    observation: Observation,
    rendering: Rendering,
    repin: Container[int],
    *,
    rebalance: bool,
) -> Desired:
    name, facts, record = observation.host, observation.facts, observation.record
    if facts.no_python is not None:
        refusal = Refusal(host=name, reason=facts.no_python, hint=INSTALL_PYTHON)
        return Desired(None, Resolved((), (refusal,), ()))
    forbidden = no_programs(name, facts)
    if forbidden is None and record is None:
        forbidden = not_root(site.hosts[name], facts, observation.layout)
    if forbidden is not None:
        return Desired(None, Resolved((), (forbidden,), ()))
    docker = any(d.runtime == "docker" for d in site.on(name))
    unknown = _unknown_parts(name, facts, docker=docker)
    if record is None:
        unknown = (*unknown, Refusal(host=name, reason=observation.record_error))
    if record is None or unknown:
        return Desired(None, Resolved((), unknown, ()))
    host, layout = site.hosts[name], observation.layout
    resolved = resolve_host(site, host, facts, record, layout, repin=repin, rebalance=rebalance)
    watchdog = tuple(f.path for f in rendering.watchdog(record, facts.python_path))
    return replace(_only_renderable(record, resolved, rendering), watchdog=watchdog)


def _unknown_parts(host: str, facts: HostFacts, *, docker: bool) -> tuple[Refusal, ...]:
    """A part that could not be read is unknown, which is not the same as empty."""
    return tuple(
        Refusal(
            host=host,
            reason=f"the probe could not read its {part}: {reason}",
            hint="Check the host; if it is overloaded, run the command again later.",
        )
        for part, reason in facts.errors.items()
        if part in _NEEDED or (docker and part == "docker")
    )


def _only_renderable(record: Record, resolved: Resolved, rendering: Rendering) -> Desired:
    """Refuses here, before anything is changed, what the engine's build cannot do."""
    kept: list[Instance] = []
    files = {}
    refusals = list(resolved.refusals)
    for instance in resolved.instances:
        try:
            rendered = rendering.render(instance)
        except (Unsupported, ValueError) as error:
            refusals.append(
                Refusal(
                    host=instance.host,
                    instance=instance.name,
                    reason=f"{instance.spec.backend}: {error}",
                    mark=instance.declared.marks.get(""),
                )
            )
        else:
            kept.append(instance)
            files[instance.name] = rendered
    decided = Resolved(tuple(kept), tuple(refusals), resolved.warnings)
    return Desired(record, decided, files)
