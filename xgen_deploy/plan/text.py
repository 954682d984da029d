"""The plan as lines for people, without anything that does not matter now.

Colour is markup of the `rich` library; values are escaped, so that nothing in a manifest can
act as markup.
"""

from collections.abc import Iterator, Sequence

from rich.markup import escape

from xgen_deploy.backends.registry import backend_named, sharing_slots_of
from xgen_deploy.plan.cordon_text import cordon_lines
from xgen_deploy.plan.fetch_text import fetch_lines
from xgen_deploy.plan.forecast_text import forecast_lines
from xgen_deploy.plan.grouping import groups_alike, merged, told_needs
from xgen_deploy.plan.headlines import named
from xgen_deploy.plan.maintenance import MAINTENANCE
from xgen_deploy.plan.memory_text import memory_line
from xgen_deploy.plan.nothing_to_do import nothing_sentence
from xgen_deploy.plan.quantizing import quantizing_lines
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.instance import Refusal, Spec
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.plan import FieldDiff, HostPlan, Operation, Plan, value_text

_NAMED = 12
_LOOK = {
    "create": ("green", "+"),
    "update": ("yellow", "~"),
    "repair": ("magenta", "!"),
    "restart": ("yellow", "~"),
    "stop": ("red", "-"),
    "start": ("green", "+"),
    "remove": ("red", "-"),
}


def plan_text(
    plan: Plan, took: float, *, verbose: bool = False, applying: bool = False
) -> list[str]:
    """Lines with markup; hosts with the same changes share them unless `verbose`. `took` is how
    long looking at the hosts took, in seconds. `applying`: the plan is about to be carried out, so
    that nothing is said about what was not done.
    """
    left = any(host.left for host in plan.hosts.values())
    cordons = any(host.cordon or host.uncordon for host in plan.hosts.values())
    changes = plan.operations or plan.prepares or left or cordons
    if not (changes or plan.refusals or plan.unreachable):
        return [*_warnings(plan), _nothing(plan, took)]
    lines = [_head(plan, took), *_bundle(plan), "", *_prepared(plan)]
    hosts = plan.hosts.values() if verbose else map(merged, groups_alike(plan.hosts, _operation))
    for host in hosts:
        lines += _host(host.host, host, verbose=verbose)
    lines += _refusals(plan)
    lines += _warnings(plan)
    lines += _secrets(plan)
    lines += _tail(plan, applying=applying)
    return lines


def fetch_text(plan: Plan, took: float) -> list[str]:
    """The same of what is brought alone, for `fetch`."""
    lines = [_head(plan, took), *_bundle(plan), "", *_prepared(plan)]
    for host in plan.hosts.values():
        if not host.reachable:
            lines += _host(host.host, host, verbose=False)
    lines += _refusals(plan)
    if not plan.prepares and not plan.refusals and not plan.unreachable:
        lines.append("nothing to fetch: the models are on their hosts")
    return lines


def _prepared(plan: Plan) -> Iterator[str]:
    yield from fetch_lines(plan.fetches, plan.bundle)
    yield from quantizing_lines(plan.quantizings)


def _head(plan: Plan, took: float) -> str:
    seen = len(plan.hosts) - len(plan.unreachable)
    of = f"{seen} of {len(plan.hosts)} hosts seen, {took:.1f} s"
    last = plan.last_apply or "last apply unknown"
    if plan.fleet is not None:
        of, last = f"{took:.1f} s", "a fleet in a file, no host was asked"
    file = f"{plan.manifest_file} {plan.manifest_digest[:7]}"
    return f"[bold]{escape(plan.project)}[/bold]  {escape(file)}  {escape(last)}  {of}"


def _bundle(plan: Plan) -> Iterator[str]:
    if plan.bundle is not None:
        yield f"  [dim]all of it from {escape(str(plan.bundle))}[/dim]"


def _nothing(plan: Plan, took: float) -> str:
    sentence = f"{escape(nothing_sentence(plan))} ({took:.1f} s)"
    return f"[bold]{escape(plan.project)}[/bold]  " + "; ".join([sentence, *_secrets(plan)])


def _host(name: str, host: HostPlan, *, verbose: bool) -> Iterator[str]:
    if not host.reachable:
        yield f"[bold]{escape(name)}[/bold]  [red]UNREACHABLE[/red]  {escape(host.error or '')}"
        if host.hint:
            yield from (f"    {escape(line)}" for line in host.hint.splitlines())
        yield ""
        return
    cordons = host.cordon or host.uncordon
    if not (host.operations or host.refusals or host.left or cordons or verbose):
        return
    yield f"[bold]{escape(name)}[/bold]  {escape(host.headline)}"
    yield from cordon_lines(host)
    for operation in host.operations:
        yield from _operation(operation)
        if verbose and operation.instance is not None:
            lines = forecast_lines(operation.instance)
            yield from (f"      [dim]{escape(line)}[/dim]" for line in lines)
    for memory in host.memory:
        if verbose or memory.told:
            yield f"  {escape(memory_line(memory))}"
    if host.left:
        yield "  [red]- remove[/red]  what else is left of the project: settings, secrets, record"
    if verbose:
        yield from (f"    [dim]= {escape(n)}  unchanged[/dim]" for n in host.unchanged)
    yield ""


def _operation(operation: Operation) -> Iterator[str]:
    colour, sign = _LOOK[operation.action]
    what = "  ".join(_what(operation))
    stop = ""
    if operation.interrupts:
        stop = "   [bold red]INTERRUPTS[/bold red]" + (
            f" [red]~{_duration(operation.seconds)}[/red]" if operation.seconds else ""
        )
    yield f"  [{colour}]{sign} {operation.action:<7}[/{colour}] {escape(what)}{stop}"
    if not operation.diff or not operation.cause.startswith("changed:"):
        yield f"      {escape(operation.cause)}"
    width = max((len(d.path) for d in operation.diff), default=0)
    yield from (_diff_line(d, width) for d in operation.diff)
    yield from (f"      [dim]{escape(line)}[/dim]" for line in _how(operation))
    if operation.instance is not None and operation.engine_pull:
        yield f"      pulls {escape(operation.instance.spec.image or '')} first"
    yield from (f"      [dim]{escape(n)}[/dim]" for n in operation.notes)


def _how(operation: Operation) -> Iterator[str]:
    """How what serves is replaced, why, and what it waits for."""
    if operation.strategy is not None:
        yield (
            f"{operation.strategy.replace('-', ' ')}: {operation.why}"
            if operation.why
            else operation.strategy
        )
    if operation.strategy == "stop-first":
        yield "if it fails: the old one is started again"
    before = told_needs(operation)
    if before:
        yield f"after {', '.join(before)}"


def _what(operation: Operation) -> list[str]:
    words = [operation.name]
    if operation.instance is not None:
        spec = operation.instance.spec
        words += [spec.backend, f":{spec.port}"]
        if spec.gpus:
            words.append("GPU " + ",".join(str(g.index) for g in operation.instance.gpus))
            total = operation.instance.total_layers
            layers = total if spec.n_gpu_layers == "all" else spec.n_gpu_layers
            if spec.n_gpu_layers is not None:
                words.append(f"{layers if layers is not None else 'all'}/{total or '?'} layers")
        else:
            words.append("CPU")
        words.append(_context(spec))
    return words


def _context(spec: Spec) -> str:
    backend = backend_named(spec.backend)
    slots = backend.stated_slots(spec) if backend else None
    if slots:
        return f"{slots} slot{'s'[: slots != 1]} x {spec.n_ctx}"
    sharing = sharing_slots_of(spec)
    shared = f" shared by {sharing} slots" if sharing else ""
    return f"context {spec.n_ctx}{shared}"


def _diff_line(diff: FieldDiff, width: int) -> str:
    at = f"   [dim]{escape(str(diff.mark))}[/dim]" if diff.mark else ""
    before, after = escape(value_text(diff.before)), escape(value_text(diff.after))
    return f"      {escape(diff.path):<{width}}  {before} -> {after}{at}"


def _refusals(plan: Plan) -> Iterator[str]:
    yield from refusal_lines(plan.refusals)
    if plan.refusals:
        yield ""


def refusal_lines(refusals: Sequence[Refusal]) -> Iterator[str]:
    """Those of one cause are said once, with every instance that it concerns."""
    causes: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refusals:
        causes.setdefault((refusal.reason, refusal.hint), []).append(refusal)
    for (reason, hint), alike in causes.items():
        where = named([r.where for r in alike])
        marks = dict.fromkeys(str(r.mark) for r in alike if r.mark)
        at = f" ({named(marks)})" if marks else ""
        first, *rest = f"{where}: {reason}{at}".splitlines()
        yield f"[red]refused[/red]  {escape(first)}"
        yield from (f"       {escape(line)}" for line in rest)
        yield from (f"           {escape(line)}" for line in hint.splitlines())


def _warnings(plan: Plan) -> Iterator[str]:
    for warning in plan.warnings:
        yield f"[yellow]warning[/yellow]  {escape(warning)}"
    where: dict[str, list[str]] = {}
    for name, host in plan.hosts.items():
        for warning in host.warnings:
            where.setdefault(warning, []).append(name)
    for warning, names in where.items():
        yield f"[yellow]warning[/yellow]  {escape(', '.join(names))}: {escape(warning)}"


def _secrets(plan: Plan) -> list[str]:
    names = [name for host in plan.hosts.values() for name in host.secrets_kept]
    instances = sum(name not in (GATEWAY, MONITORING) for name in names)
    whose = [f"{instances} instance{'s'[: instances != 1]}"] if instances else []
    whose += ["the gateway"] if GATEWAY in names else []
    whose += ["monitoring"] if MONITORING in names else []
    return [f"secrets of {' and '.join(whose)}: kept, not compared"] if whose else []


def _tail(plan: Plan, *, applying: bool) -> Iterator[str]:
    if plan.hosts and len(plan.unreachable) == len(plan.hosts):
        yield "No host was reached; nothing was changed."
        return
    counts = plan.summary()
    own = tuple(k for k in MAINTENANCE if k in counts)
    kinds: tuple[str, ...] = own or ("create", "update", "repair", "remove")
    parts = [f"{counts[k]} {k}" for k in (*kinds, "unchanged")]
    unknown = counts["unreachable"]
    hosts = f"; {unknown} host{'s'[: unknown != 1]} unknown" if unknown else ""
    yield ", ".join(parts) + hosts
    what = _interruptions(plan)
    if plan.left_out:
        what += f"[bold red]Refused and left out: {escape(', '.join(plan.left_out))}.[/bold red] "
    if plan.forbidden:
        what += "[bold red]Refused: nothing can be applied until this is fixed.[/bold red] "
        what += _way_past(plan)
    if applying and not plan.forbidden:
        if what:
            yield what.rstrip()
        return
    yield f"{what}Nothing was changed. Fingerprint {plan.fingerprint[:6]}"


def _way_past(plan: Plan) -> str:
    """What can be applied all the same: `--limit` with the names of what is not refused."""
    hosts_refused = {r.host for r in plan.refusals if r.instance is None}
    refused = {r.instance for r in plan.refusals}
    names = dict.fromkeys(
        o.name for o in plan.operations if o.instance and o.host not in hosts_refused
    )
    free = [name for name in names if name not in refused]
    return f"`--limit {escape(','.join(free))}` applies the rest. " if free else ""


def _interruptions(plan: Plan) -> str:
    """How many operations interrupt what serves, and which."""
    several = len({o.host for o in plan.operations}) > 1
    names = [o.id if several else o.name for o in plan.operations if o.interrupts]
    if not names:
        return ""
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    plural = "S"[: len(names) != 1]
    return f"[bold]{len(names)} INTERRUPTION{plural}[/bold]: {escape(shown)}. "


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
