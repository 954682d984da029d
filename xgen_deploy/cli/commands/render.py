"""`xgen-deploy render`: the exact commands, units and containers that `apply` would create."""

import shlex
import time
from dataclasses import dataclass

import click
from rich.markup import escape

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import unknown
from xgen_deploy.cli.opening import open_run_or_fleet
from xgen_deploy.cli.options import Settings, fleet_option, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.plan import plan_errors
from xgen_deploy.documents.render import FileEntry, RenderDocument, UnitEntry
from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.build import make_plan
from xgen_deploy.plan.desired import Desired, DesiredState
from xgen_deploy.plan.gateway import gateway_of
from xgen_deploy.plan.text import refusal_lines
from xgen_deploy.render.instance import Renderer
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.observation import Observation, reached
from xgen_deploy.state.plan import HostPlan, Plan


@click.command("render", cls=ManifestCommand)
@click.option("--host", help="Only this host.")
@fleet_option
@host_options
def command(settings: Settings, host: str | None, fleet: str | None) -> int:
    """Show what `apply` would write and run on each host. Secrets stay placeholders."""
    screen = Screen(settings)
    with open_run_or_fleet(settings, fleet) as run:
        if host is not None and host not in run.site.hosts:
            raise unknown("host", host, run.site.hosts)
        observed = run.observe(among=frozenset({host}) if host else None)
        desired = DesiredState(run.site, run.renderer)
        plan = make_plan(run.site, observed, desired, {}, now=time.time())
        rendered = {
            n: _rendered(run.renderer, o, desired.of(o), plan.hosts[n])
            for n, o in reached(observed).items()
        }
    for name, units in rendered.items():
        for unit in units:
            screen.lines(_text(name, unit), exact=True)
    problems = _problems(plan)
    if not problems and not any(rendered.values()):
        screen.lines([f"{escape(run.site.project)}: the manifest places nothing on these hosts"])
    screen.lines(problems, always=True)
    screen.value(
        RenderDocument(
            hosts={n: tuple(_value(unit) for unit in rendered.get(n, [])) for n in observed},
            refusals=tuple(str(r) for r in plan.refusals),
            errors=tuple(plan_errors(plan)),
        )
    )
    return plan.exit_code()


@dataclass(frozen=True)
class _Unit:
    """An instance or the gateway."""

    name: str
    backend: str
    port: int
    rendered: Rendered


def _rendered(
    renderer: Renderer, observation: Observation, desired: Desired, plan: HostPlan
) -> list[_Unit]:
    rendering = renderer.on(observation.layout)
    instances = desired.resolved.instances
    shown = [_Unit(i.name, i.spec.backend, i.spec.port, rendering.render(i)) for i in instances]
    gateway = gateway_of(plan, desired.record) if desired.record else None
    if gateway is not None:
        rendered = render_gateway(gateway, observation.layout, renderer.templates)
        shown.append(_Unit(GATEWAY, "haproxy", gateway.port, rendered))
    return shown


def _text(host: str, unit: _Unit) -> list[str]:
    rendered = unit.rendered
    lines = [
        f"[bold]# {escape(host)}/{escape(unit.name)}[/bold]  "
        f"{escape(unit.backend)} on port {unit.port}"
    ]
    lines += [f"{escape(k)}={escape(shlex.quote(v))}" for k, v in sorted(rendered.env.items())]
    lines += [escape(shlex.join(rendered.argv)), ""]
    for file in (*rendered.files, rendered.definition):
        lines.append(f"[dim]# {escape(file.path)}  mode {file.mode:04o}[/dim]")
        lines += [escape(line) for line in _content(file).splitlines()] + [""]
    return lines


def _content(file: File) -> str:
    return "(a secret; only `apply` writes it)" if file.secret else file.content


def _problems(plan: Plan) -> list[str]:
    lines = list(refusal_lines(plan.refusals))
    for name in plan.unreachable:
        lines.append(f"[red]{escape(name)}: {escape(plan.hosts[name].error or '')}[/red]")
    return lines


def _value(unit: _Unit) -> UnitEntry:
    rendered = unit.rendered
    return UnitEntry(
        instance=unit.name,
        backend=unit.backend,
        argv=tuple(rendered.argv),
        env=dict(rendered.env),
        files=tuple(
            FileEntry(path=f.path, mode=f"{f.mode:04o}", content=None if f.secret else f.content)
            for f in (*rendered.files, rendered.definition)
        ),
    )
