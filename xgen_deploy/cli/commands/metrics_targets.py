"""`xgen-deploy metrics-targets`: the exporters of hosts, for other Prometheus servers."""

import json

import click

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import read_site
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.metrics_targets import MetricsTargetsDocument, TargetEntry
from xgen_deploy.errors import UsageError
from xgen_deploy.resolve.monitoring import targets as targets_of
from xgen_deploy.watch.prometheus import targets as targets_text


@click.command("metrics-targets", cls=ManifestCommand)
@host_options
def command(settings: Settings) -> int:
    """Print the exporters of MANIFEST's hosts as Prometheus' `file_sd_configs` reads them. No host
    is contacted.

    A Prometheus that is not the manifest's own needs the token, the exporters' certificates and
    its address under `monitoring: {allow: […]}`.
    """
    site = read_site(settings)
    if site.monitoring is None:
        raise UsageError(
            f"{settings.manifest} has no `monitoring:`, so its hosts have no exporters"
        )
    known = targets_of(site, site.monitoring, {}, None)
    text = targets_text(site.project, [t for t in known if t.host in site.hosts])
    if not settings.json:
        print(text.rstrip("\n"))
    entries = tuple(TargetEntry.model_validate(entry) for entry in json.loads(text))
    Screen(settings).value(MetricsTargetsDocument(targets=entries))
    return 0
