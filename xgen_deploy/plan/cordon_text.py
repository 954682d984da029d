"""What a plan does to a cordon, as lines for people with markup. Pure."""

from collections.abc import Iterator

from rich.markup import escape

from xgen_deploy.state.cordon import Cordon, CordonedGPU
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.plan import HostPlan


def cordon_lines(host: HostPlan) -> Iterator[str]:
    if host.cordon is not None:
        yield f"  [red]- cordon [/red] {escape(_what(host.cordon))}"
        yield f"      {escape(host.cordon.clause)}: nothing is started there; `uncordon` ends that"
    if host.uncordon is not None:
        yield f"  [green]+ uncordon[/green] {escape(_what(host.uncordon))}"
        if host.uncordon.gpu is not None:
            yield f"      was  {escape(host.uncordon.gpu.clause)}"
            yield f"      is   {escape(_card_clause(host.uncordon.gpu, host.card_now))}"
        yield "      what it had stopped must pass its gate; otherwise it stays out of service"


def _what(cordon: Cordon) -> str:
    if cordon.gpu is None:
        return cordon.place
    return f"{cordon.place}  {cordon.gpu.device_name or cordon.gpu.identity}"


def _card_clause(before: CordonedGPU, now: GPUInfo | None) -> str:
    if now is None:
        return "missing: there is no card in its place"
    name = ", ".join(part for part in (now.device_name, now.identity) if part)
    return f"{name}: {'the same card' if before.identity in now.names else 'ANOTHER CARD'}"
