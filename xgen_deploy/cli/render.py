"""`xgen-deploy render`: the exact commands, units and containers, before anything is done."""

import shlex

import click
from rich.markup import escape

from xgen_deploy.cli.job import Job, job
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.operation import Plan
from xgen_deploy.record import read_record
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.host import resolve_host
from xgen_deploy.resolve.instance import Instance
from xgen_deploy.survey import Seen, default_scope, make_plan
from xgen_deploy.template_files import read_templates


@click.command("render")
@click.option("--host", help="Only this host.")
@host_options
def command(settings: Settings, host: str | None) -> int:
    """Show what `apply` would write and run on each host. Secrets stay placeholders."""
    screen = Screen(settings)
    with job(settings) as work:
        if host is not None and host not in work.site.hosts:
            raise UsageError(
                f"there is no host {host} in the manifest; there are {', '.join(work.site.hosts)}"
            )
        seen = work.observe(among=frozenset({host}) if host else None)
        plan = make_plan(
            work.site, seen, work.workplace, {h: default_scope(work.site, h) for h in seen}
        )
        found = {n: _rendered(work, n, s) for n, s in seen.items()}
    for name, pairs in found.items():
        for instance, rendered in pairs:
            screen.lines(_text(name, instance, rendered))
    problems = _problems(plan)
    screen.lines(problems, always=True)
    screen.value(
        {
            "hosts": {n: [_value(i, r) for i, r in p] for n, p in found.items()},
            "refusals": [str(r) for r in plan.refusals],
        }
    )
    return 1 if plan.refusals else (4 if plan.unreachable else 0)


def _rendered(work: Job, name: str, seen: Seen) -> list[tuple[Instance, Rendered]]:
    if seen.facts is None:
        return []
    host = work.site.hosts[name]
    layout = work.workplace.layout(work.site, host)
    record = read_record(seen.facts.record, work.site.project, name)
    rendering: Rendering = work.workplace.rendering(work.site, host, Templates(read_templates()))
    instances = resolve_host(work.site, host, seen.facts, record, layout).instances
    return [(i, rendering.render(i)) for i in instances]


def _text(host: str, instance: Instance, rendered: Rendered) -> list[str]:
    lines = [
        f"[bold]# {escape(host)}/{escape(instance.name)}[/bold]  "
        f"{escape(instance.spec.backend)} on port {instance.spec.port}"
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


def _value(instance: Instance, rendered: Rendered) -> dict[str, object]:
    return {
        "instance": instance.name,
        "backend": instance.spec.backend,
        "argv": list(rendered.argv),
        "env": dict(rendered.env),
        "files": [
            {"path": f.path, "mode": f"{f.mode:04o}", "content": None if f.secret else f.content}
            for f in (*rendered.files, rendered.definition)
        ],
    }
