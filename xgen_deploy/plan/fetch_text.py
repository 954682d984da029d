"""The lines of a plan about what is brought to hosts, and by whom. Pure."""

from collections.abc import Iterator, Sequence

from rich.markup import escape

from xgen_deploy.plan.headlines import duration, named
from xgen_deploy.sizes import size_text
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.fetch import Fetch, Leg


def fetch_lines(fetches: Sequence[Fetch], bundle: BundleOrigin | None = None) -> Iterator[str]:
    """With markup; nothing where nothing is brought."""
    for fetch in fetches:
        yield from _lines(fetch, bundle)
    if fetches:
        total = sum(f.artifact.size * len(f.hosts) for f in fetches)
        yield f"  {size_text(total)} are brought before anything that serves is touched"
        yield ""


def _lines(fetch: Fetch, bundle: BundleOrigin | None) -> Iterator[str]:
    artifact = fetch.artifact
    for chain in fetch.chains:
        first, *others = chain
        own = artifact.origin if artifact.kind == "image" else "this machine"
        here = bundle.file if bundle is not None else own
        source = artifact.origin if first.route == "host" else here
        way = f"from {source} to {first.host}" + "".join(f", then to {x.host}" for x in others)
        free = min((fetch.free[leg.host] for leg in chain if leg.host in fetch.free), default=None)
        room = f"  disk {size_text(free)} free" if free is not None else ""
        what = f"{artifact.name}  {_layers(artifact)}{size_text(artifact.size)} {way}{room}"
        what += _time(fetch, chain)
        verb = "push " if artifact.kind == "image" else "fetch"
        yield f"[cyan]> {verb}  [/cyan] {escape(what)}"
        if first.route == "push" and not artifact.is_here and bundle is None:
            yield f"      [dim]{escape(_by_here(first, artifact.origin))}[/dim]"
        yield from (f"      [dim]{escape(line)}[/dim]" for line in _talks(others))
    if any(places.unpack for places in fetch.places.values()):
        yield "      [dim]unpacked and tried out there before it is used[/dim]"
    if artifact.commit is not None:
        yield f"      [dim]{escape(_meaning(artifact.revision or 'main', artifact.commit))}[/dim]"
    if artifact.through is not None:
        yield f"      {_by_host(artifact, artifact.through)}"
    elif artifact.trusted:
        text = "trusted on first use: it was locked by way of a host, without TLS"
        yield f"      [yellow]{text}[/yellow]"
    if artifact.left_out:
        yield f"      [dim]left out: {escape(named(artifact.left_out))}[/dim]"
    if artifact.code:
        yield f"      [yellow]contains code: {escape(named(artifact.code))}[/yellow]"


def _time(fetch: Fetch, chain: Sequence[Leg]) -> str:
    """Where it is known of all of them, who get it side by side."""
    known = [fetch.seconds[leg.host] for leg in chain if leg.host in fetch.seconds]
    return f"  about {duration(max(known))}" if len(known) == len(chain) else ""


def _layers(artifact: Artifact) -> str:
    """Of an image, how many layers go, and of how many."""
    if artifact.image is None:
        return ""
    count = len(artifact.image.layers)
    return f"{count - artifact.layers_there} of {count} layers, "


def _meaning(revision: str, commit: str) -> str:
    """A locked one is known by its commit alone."""
    return f"commit {commit[:12]}" if revision == commit else f"{revision} is {commit[:12]}"


def _by_here(first: Leg, origin: str) -> str:
    because = f": {first.because}" if first.because else ""
    return f"this machine gets it from {origin}{because}"


def _by_host(artifact: Artifact, host: str) -> str:
    """With markup."""
    if artifact.trusted:
        text = f"trusted on first use: {host} alone reaches {artifact.origin}, without TLS"
        return f"[yellow]{escape(text)}[/yellow]"
    text = f"looked at by way of {host}: this machine does not reach {artifact.origin}"
    return f"[dim]{escape(text)}[/dim]"


def _talks(others: Sequence[Leg]) -> Iterator[str]:
    for leg in others:
        yield f"{leg.host} connects to {leg.before} for it"
