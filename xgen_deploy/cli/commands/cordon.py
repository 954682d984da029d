"""`xgen-deploy cordon` and `uncordon`: a host or a GPU out of service, and back after a proof."""

import re
import time

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.gpu_names import place_of
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.cordoning import CordonRequest, UncordonRequest, repin_for

_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask. Required without a terminal.")
_place = click.argument("place", metavar="HOST[:GPU]")
_DURATION = re.compile(r"(\d{1,6})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command("cordon", cls=ManifestCommand)
@_yes
@click.option("--for", "duration", metavar="TIME", help="It ends by itself: 30m, 2h, 7d.")
@host_options
@_place
def cordon(settings: Settings, place: str, duration: str | None, yes: bool) -> int:
    """Take HOST, or one GPU of it, out of service, without an edit of the manifest.

    What runs there is drained and stopped, and nothing is started there until `uncordon`, by no
    apply, boot or watchdog. The host remembers it. GPU is an index as `gpus` prints it.
    """
    from xgen_deploy.apply.host_sessions import login

    until = None if duration is None else time.time() + _seconds(duration)
    with open_run(settings, brings=False) as run:
        host, index = place_of(place, run.site.hosts)
        request = CordonRequest(host=host, index=index, by=login(), until=until)
        return carry_out(run, settings, ApplyOptions(yes=yes, what="cordon", cordon=request))


@click.command("uncordon", cls=ManifestCommand)
@_yes
@host_options
@_place
def uncordon(settings: Settings, place: str, yes: bool) -> int:
    """Put HOST, or one GPU of it, back into service.

    Shows the card that was there and the one that is there now. What `cordon` had stopped is
    started as the manifest has it, on that card, and must pass its gate; otherwise it is stopped
    again and stays out of service.
    """
    with open_run(settings) as run:
        host, index = place_of(place, run.site.hosts)
        request = UncordonRequest(host=host, index=index)
        options = ApplyOptions(yes=yes, what="uncordon", uncordon=request, repin=repin_for(request))
        return carry_out(run, settings, options)


def _seconds(text: str) -> int:
    """Raises UsageError."""
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise UsageError(f"--for {text} is no time; write 30m, 2h or 7d")
    return int(match[1]) * _SECONDS[match[2]]
