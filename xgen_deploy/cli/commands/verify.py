"""`xgen-deploy verify`: checks that every instance is what the manifest says."""

import click
from rich.markup import escape

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.verify import VerifyDocument
from xgen_deploy.errors import XgenError, exit_code_of
from xgen_deploy.plan.desired import Desired, DesiredState
from xgen_deploy.plan.drift import Drift, drift_of
from xgen_deploy.plan.headlines import named
from xgen_deploy.plan.maintenance import recorded_instance
from xgen_deploy.resolve.gateway_needs import is_gateway_host
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.observation import Observation, reached
from xgen_deploy.state.secret_uses import engine_key
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each
from xgen_deploy.verify.acceptance_checks import check_acceptance
from xgen_deploy.verify.checks import (
    Check,
    check_forecast,
    check_recorded,
    check_report,
    check_request,
    with_pages,
)
from xgen_deploy.verify.gateway_checks import check_gateway
from xgen_deploy.verify.monitoring_checks import check_monitoring
from xgen_deploy.verify.status import current_report
from xgen_deploy.verify.stopped_check import stopped_check
from xgen_deploy.verify.watchdog import watchdog_status


@click.command("verify", cls=ManifestCommand)
@click.option(
    "--deep",
    is_flag=True,
    help="Also check units, files and ports with testinfra (needs the extra `verify`).",
)
@host_options
def command(settings: Settings, deep: bool) -> int:
    """Verify each instance: a real request, the engine's own report of layers, devices and context,
    its unit and container; and the gateway, with a real request through it to every model; and
    what watches the hosts.

    Nothing is changed. Exits with 1 on any difference.
    """
    with open_run(settings) as run:
        observed = run.observe(health=True)
        observations = reached(observed)
        secrets = SecretResolver(run.site)
        desired = DesiredState(run.site, run.renderer)

        def check_host(connection: Connection) -> list[Check]:
            observation = observations[connection.name]
            checks = _host(
                run.site, connection, observation, desired.of(observation), secrets, deep=deep
            )
            checks += _watchdog(observation)
            checks += check_monitoring(run.site, observation, connection, secrets)
            if not is_gateway_host(run.site, connection.name) or observation.record is None:
                return checks
            with connection.session() as session:
                name = connection.name
                gateway = check_gateway(
                    run.site, name, observations, session, secrets, run.renderer.templates
                )
                return [*checks, *gateway]

        results = each([run.connections[n] for n in observations], check_host)
    checks = [c for r in results.values() if not isinstance(r, XgenError) for c in r]
    checks += _other_gateways(run.site)
    failed = {n: r for n, r in {**observed, **results}.items() if isinstance(r, XgenError)}
    errors = {n: str(e) for n, e in failed.items()}
    screen = Screen(settings)
    bad = [c for c in checks if not c.ok]
    screen.lines(_lines(checks, errors, verbose=settings.verbose), always=bool(bad or errors))
    documented = tuple(host_errors(failed))
    screen.value(VerifyDocument(checks=tuple(checks), errors=documented))
    return 1 if bad else exit_code_of(failed.values())


def _host(
    site: Site,
    connection: Connection,
    observation: Observation,
    desired: Desired,
    secrets: SecretResolver,
    *,
    deep: bool,
) -> list[Check]:
    """What the manifest cannot be applied to is checked as it was applied, where it runs."""
    name, facts, layout = observation.host, observation.facts, observation.layout
    records = desired.record.instances if desired.record else {}
    health = {h.instance: h for h in facts.health}
    checks = [
        Check(host=name, instance=r.instance or "-", what="manifest", ok=False, found=r.on_one_line)
        for r in desired.resolved.refusals
    ]
    instances, refused = desired.resolved.instances, _refused_but_recorded(site, desired, facts)
    if not instances and not refused:
        return checks
    with connection.session() as session:
        for instance in (*instances, *refused):
            last = records.get(instance.name)
            if instance not in refused:
                checks.append(check_recorded(instance, last))
            if last is None:
                continue
            service = facts.service(layout.service(instance.name_on_host))
            if last.stopped is not None:
                checks.append(stopped_check(name, instance.name, last.stopped, service))
                continue
            rendered = desired.rendered.get(instance.name)
            drift = drift_of(instance.name, last, facts, layout, rendered)
            checks.append(_drift(instance, drift))
            report = current_report(last, service, health.get(instance.name))
            key = instance.spec.api_key
            files = HostFiles(name, session)
            instance_secrets = InstanceSecrets(secrets, files, layout, instance.name, last)
            use = engine_key(name, instance.name)
            value = instance_secrets.value(use, key) if key else None
            backend = backend_named(instance.spec.backend)
            if report is not None and backend is not None:
                report = with_pages(report, backend, instance.spec, session, value)
            checks += check_report(instance, report)
            checks.append(check_forecast(instance, last, report))
            checks.append(check_request(instance, session, value))
            checks += check_acceptance(instance, layout, session, value)
            if deep:
                from xgen_deploy.verify.testinfra_checks import deep_checks

                checks += deep_checks(instance, layout, session)
    return checks


def _refused_but_recorded(site: Site, desired: Desired, facts: HostFacts) -> tuple[Instance, ...]:
    records = desired.record.instances if desired.record else {}
    resolved = {i.name for i in desired.resolved.instances}
    host = next((r.host for r in desired.resolved.refusals), "")
    return tuple(
        recorded_instance(site, host, d.name, records[d.name], facts)
        for d in site.on(host)
        if d.name in records and d.name not in resolved
    )


def _watchdog(observation: Observation) -> list[Check]:
    """What would restart a hung engine; none where nothing runs that it would look after."""
    if observation.record is None:
        return []
    status = watchdog_status(observation.facts, observation.record, observation.layout)
    if status is None:
        return []
    found = "" if status.state == "running" else f"it is {status.state}: {status.reason}"
    host = observation.host
    return [Check(host=host, instance="-", what="watchdog", ok=not found, found=found)]


def _other_gateways(site: Site) -> list[Check]:
    """Gateways that `--limit` left out: nothing was found out about them."""
    hosts = (site.gateway.hosts or ()) if site.gateway else ()
    return [
        Check(
            host=host,
            instance=GATEWAY,
            what="not verified",
            ok=True,
            found=f"{host} is outside --limit",
        )
        for host in hosts
        if host in site.other_hosts
    ]


def _drift(instance: Instance, drift: Drift | None) -> Check:
    return Check(
        host=instance.host,
        instance=instance.name,
        what="unit and container",
        ok=drift is None,
        found=drift.cause if drift else "",
    )


def _lines(checks: list[Check], errors: dict[str, str], *, verbose: bool) -> list[str]:
    lines = []
    for check in checks:
        where = escape(f"{check.host}/{check.instance}")
        text = f"{escape(check.what)}: {escape(check.found)}"
        if not check.ok:
            lines.append(f"[red]DIFFERS[/red]  {where}  {text}")
        elif check.found:
            lines.append(f"[yellow]note[/yellow]     {where}  {text}")
        elif verbose:
            lines.append(f"[green]ok[/green]       {where}  {escape(check.what)}")
    lines += [f"[red]{escape(text)}[/red]" for text in errors.values()]
    if errors and not checks:
        return [*lines, "nothing could be checked"]
    bad = sum(not c.ok for c in checks)
    others = ("-", GATEWAY, MONITORING)
    instances = len({(c.host, c.instance) for c in checks if c.instance not in others})
    verdict = f"[bold red]{bad} differ[/bold red]" if bad else "[green]all checks passed[/green]"
    if errors and not bad:
        verdict = f"[red]all passed; unknown: {escape(named(errors))}[/red]"
    of = f" of {instances} instance{'s'[: instances != 1]}" if instances else ""
    lines.append(f"{len(checks)} check{'s'[: len(checks) != 1]}{of}: {verdict}")
    return lines
