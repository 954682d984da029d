"""How the models that run are asked: their addresses, and a line to try. Pure.

A host's record is untrusted, and these lines are there to be pasted: names and references of keys
are the manifest's own.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping

from rich.markup import escape

from xgen_deploy.plan.headlines import named
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site
from xgen_deploy.verify.curl import curl_line
from xgen_deploy.verify.entry_points import Way, example, gateway_ways, instance_ways

_MOST = 5


def asking_lines(
    site: Site, records: Mapping[str, Record], manifest: str, down: Collection[tuple[str, str]] = ()
) -> list[str]:
    """Lines with markup, to be printed as they are; none where nothing can be asked. `down` are
    instances, by host and name, that do not answer now. `manifest` is "" where it is in a bundle,
    of which `ask` takes none.
    """
    ways = _ways(site, records, down)
    if not ways:
        return []
    first = next((w for w in ways if w.kind == "llm"), ways[0])
    prompt = f"{first.host}$" if first.address is None and not _is_local(site, first) else "$"
    lines = [*_addresses(site, ways), f"  {escape(prompt)} {escape(curl_line(site, first))}"]
    return [*lines, f"  $ {escape(_ask(first, manifest))}"] if manifest else lines


def _ways(
    site: Site, records: Mapping[str, Record], down: Collection[tuple[str, str]]
) -> list[Way]:
    """Through a gateway where that is possible; to models and instances of the manifest alone."""
    models = {d.model for d in site.declared}
    instances = {(d.host, d.name): d.model for d in site.declared}
    through = [w for w in gateway_ways(site, records) if w.model in models]
    routed = {w.model for w in through}
    own = [
        w
        for w in instance_ways(site, records)
        if instances.get((w.host, w.name)) == w.model
        and w.model not in routed
        and (w.host, w.name) not in down
    ]
    return [*through, *own]


def _addresses(site: Site, ways: list[Way]) -> Iterator[str]:
    models: dict[tuple[str, str], list[str]] = {}
    for way in ways:
        place = "" if way.address is not None or _is_local(site, way) else f" on {way.host}"
        models.setdefault((f"{way.url}/v1", place), []).append(way.model)
    for (url, place), served in list(models.items())[:_MOST]:
        word = "model" if len(served) == 1 else "models"
        yield f"[bold]ask[/bold]  {escape(url)}{escape(place)}  {word} {escape(named(served))}"
    if len(models) > _MOST:
        yield f"     and {len(models) - _MOST} more; `xgen-deploy status --json` has all"


def _is_local(site: Site, way: Way) -> bool:
    return site.hosts[way.host].connection == "local"


def _ask(way: Way, manifest: str) -> str:
    question = example(way)
    words = (manifest, question.model, question.text, *question.documents)
    return f"xgen-deploy ask {shlex.join(words)}"
