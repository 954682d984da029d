"""`xgen-deploy support`: what a ticket needs, in one text file without secrets and prompts."""

import getpass
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import click
from rich.markup import escape

from xgen_deploy.cli.manifest_command import is_manifest, usual_manifest
from xgen_deploy.cli.named_hosts import manifest_or_host_options, open_named
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.redaction import Pseudonyms, without_secrets
from xgen_deploy.cli.saved_file import write_file
from xgen_deploy.cli.screens.realigned import realigned
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.cli.screens.support_text import HostReport, SupportReport, support_lines
from xgen_deploy.cli.support_report import manifest_report, named_report
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.support import SupportDocument
from xgen_deploy.errors import UsageError, XgenError, exit_code_of
from xgen_deploy.state.site import Site
from xgen_deploy.visible import printable


@click.command("support")
@click.option("-o", "--output", metavar="FILE", help="Default: xgen-support-DATE.txt.")
@click.option(
    "--anonymous",
    is_flag=True,
    help="Replace names of hosts, users, projects and registries, addresses, paths and cards.",
)
@manifest_or_host_options
def command(settings: Settings, hosts: tuple[str, ...], output: str | None, anonymous: bool) -> int:
    """Write a text file for a ticket: versions, the plan, states, what engines reported and their
    errors, and facts of each host.

    Of a MANIFEST: its plan and all of its hosts. HOST is as ssh takes it, or with -i of an
    inventory. Secrets, prompts and answers are left out. Nothing is changed.
    """
    manifest = hosts[0] if hosts else usual_manifest()
    if not hosts or is_manifest(manifest):
        if len(hosts) > 1:
            raise UsageError(f"{manifest} is a manifest, and has hosts of its own; name it alone")
        with open_run(replace(settings, manifest=manifest), brings=False) as run:
            report, site = manifest_report(run), run.site
    else:
        with open_named(hosts, settings) as run:
            report, site = named_report(run), run.site
    path = output or time.strftime("xgen-support-%Y%m%d-%H%M%S.txt")
    write_file(path, "\n".join(_lines(replace(report, anonymous=anonymous), site)))
    errors = {n: h for n, h in report.hosts.items() if isinstance(h, XgenError)}
    screen = Screen(settings)
    screen.lines([f"wrote {escape(path)}; read it before you send it"])
    screen.lines([f"[red]{escape(str(error))}[/red]" for error in errors.values()], always=True)
    reached = {name: name not in errors for name in report.hosts}
    screen.value(SupportDocument(file=path, hosts=reached, errors=tuple(host_errors(errors))))
    return exit_code_of(errors.values())


def _lines(report: SupportReport, site: Site) -> Iterator[str]:
    pseudonyms = Pseudonyms()
    for kind, names in (_names(report, site) if report.anonymous else {}).items():
        pseudonyms.add(kind, names)

    def clean(lines: Sequence[str]) -> Sequence[str]:
        shown = [printable(without_secrets(line)) for line in lines]
        return realigned(shown, pseudonyms.apply) if report.anonymous else shown

    return support_lines(report, clean)


def _names(report: SupportReport, site: Site) -> Mapping[str, list[str | None]]:
    """What the text may say of hosts, users, projects and registries."""
    seen = [h for h in report.hosts.values() if isinstance(h, HostReport)]
    records = [p.project.record for h in seen for p in h.projects if p.project.record]
    applies = [a for h in seen for p in h.projects for a in p.applies]
    stopped = [i.stopped.by for r in records for i in r.instances.values() if i.stopped]
    people = [a.by for a in applies] + stopped + [r.last_apply.by for r in records if r.last_apply]
    images = [i.spec.image for r in records for i in r.instances.values() if i.spec.image]
    stated = [*site.images.values(), *(d.image for d in site.declared if d.image is not None)]
    images += [image if isinstance(image, str) else image.image for image in stated]
    registries = [image.partition("/")[0] for image in images if "/" in image]
    hosts = [*site.hosts.values(), *site.other_hosts.values()]
    return {
        "host": [
            *(name for h in hosts for name in (h.name, h.address, h.client_address)),
            *(name for r in records for name in r.hosts),
            *(h.facts.hostname for h in seen),
            *(by.partition("@")[2] for by in people),
            platform.node(),
        ],
        "user": [
            *(h.user for h in hosts),
            *(h.facts.user for h in seen),
            *(by.partition("@")[0] for by in people),
            getpass.getuser(),
        ],
        "project": [site.project, *(p.project.name for h in seen for p in h.projects)],
        "registry": [r for r in registries if "." in r or ":" in r],
    }
