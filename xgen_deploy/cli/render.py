"""`xgen-deploy render`: the exact commands, units and containers, before anything is done."""

import shlex
from dataclasses import dataclass

import click
from rich.markup import escape

from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.planning import exit_code
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError
from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.build import default_scope, make_plan
from xgen_deploy.plan.gateway import gateway_of
from xgen_deploy.plan.make import decide
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.control_node import Seen
from xgen_deploy.run.run import Run, open_run
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.plan import HostPlan, Plan


@click.command("render")
@click.option("--host", help="Only this host.")
@host_options
def command(settings: Settings, host: str | None) -> int:
    """Show what `apply` would write and run on each host. Secrets stay placeholders."""
    screen = Screen(settings)
    with open_run(settings) as run:
        if host is not None and host not in run.site.hosts:
            raise UsageError(
                f"there is no host {host} in the manifest; there are {', '.join(run.site.hosts)}"
            )
        seen = run.observe(among=frozenset({host}) if host else None)
        plan = make_plan(
            run.site, seen, run.control_node, {h: default_scope(run.site, h) for h in seen}
        )
        found = {n: _rendered(run, n, s, plan.hosts[n]) for n, s in seen.items()}
    for name, parts in found.items():
        for one in parts:
            screen.lines(_text(name, one))
    problems = _problems(plan)
    if not problems and not any(found.values()):
        screen.lines([f"{escape(run.site.project)}: nothing is placed here"])
    screen.lines(problems, always=True)
    screen.value(
        {
            "hosts": {n: [_value(one) for one in parts] for n, parts in found.items()},
            "refusals": [str(r) for r in plan.refusals],
            "errors": {n: plan.hosts[n].error for n in plan.unreachable},
        }
    )
    return exit_code(plan)


@dataclass(frozen=True)
class _Shown:
    """An instance or the gateway."""

    name: str
    backend: str
    port: int
    rendered: Rendered


def _rendered(run: Run, name: str, seen: Seen, plan: HostPlan) -> list[_Shown]:
    if seen.facts is None:
        return []
    host = run.site.hosts[name]
    layout = run.control_node.layout(run.site, host)
    templates = Templates(read_templates())
    rendering: Rendering = run.control_node.rendering(run.site, host, templates)
    decided = decide(run.site, host, seen.facts, layout, rendering)
    instances = decided.resolved.instances
    found = [_Shown(i.name, i.spec.backend, i.spec.port, rendering.render(i)) for i in instances]
    gateway_host = gateway_of(plan, decided.record) if decided.record else None
    if gateway_host is not None:
        rendered = render_gateway(gateway_host, layout, templates)
        found.append(_Shown(GATEWAY, "haproxy", gateway_host.port, rendered))
    return found


def _text(host: str, one: _Shown) -> list[str]:
    rendered = one.rendered
    lines = [
        f"[bold]# {escape(host)}/{escape(one.name)}[/bold]  "
        f"{escape(one.backend)} on port {one.port}"
    ]
    lines += [f"{escape(k)}={escape(shlex.quote(v))}" for k, v in sorted(rendered.env.items())]
    lines += [escape(shlex.join(rendered.argv)), ""]
    for file in (*rendered.files, rendered.definition):
        lines.append(f"[dim]# {escape(file.path)}  mode {file.mode:04o}[/dim]")
        lines += [escape(line) for line in _content(file).splitlines()] + [""]
    return lines


def _content(file: File) -> str:
    return "(a secret; written by apply alone)" if file.secret else file.content


def _problems(plan: Plan) -> list[str]:
    lines = [f"[red]refused[/red]  {escape(str(r))}" for r in plan.refusals]
    for name in plan.unreachable:
        lines.append(f"[red]{escape(name)}: {escape(plan.hosts[name].error or '')}[/red]")
    return lines


def _value(one: _Shown) -> dict[str, object]:
    rendered = one.rendered
    return {
        "instance": one.name,
        "backend": one.backend,
        "argv": list(rendered.argv),
        "env": dict(rendered.env),
        "files": [
            {"path": f.path, "mode": f"{f.mode:04o}", "content": None if f.secret else f.content}
            for f in (*rendered.files, rendered.definition)
        ],
    }
