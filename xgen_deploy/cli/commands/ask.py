"""`xgen-deploy ask`: one question to a model, from this machine."""

import sys
import time

import click

from xgen_deploy.backends.question import Question
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.asking import Asked, ask_one_of
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import unknown
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.ask import AskDocument, Score
from xgen_deploy.errors import UsageError, XgenError, exit_code_of
from xgen_deploy.manifest.checks.names import further_names
from xgen_deploy.resolve.gateway_needs import gateway_hosts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.site import Site
from xgen_deploy.verify.chat_template import lacks_chat_template
from xgen_deploy.verify.entry_points import ways_to

_NUMBERS = 4
_NO_TEMPLATE = (
    "{}'s file has no chat template, so the engine takes one that the model may not know; "
    "`--complete` goes on with the text instead"
)


@click.command("ask", cls=ManifestCommand)
@click.option("--max-tokens", type=click.IntRange(min=1), default=512, show_default=True)
@click.option(
    "--complete", is_flag=True, help="Go on with TEXT; for a model without a chat template."
)
@host_options
@click.argument("model")
@click.argument("text")
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
def command(
    settings: Settings,
    model: str,
    text: str,
    documents: tuple[str, ...],
    max_tokens: int,
    complete: bool,
) -> int:
    """Ask MODEL one question and print its answer as it comes; - reads TEXT from standard input.

    The question goes through the gateway where there is one, else over the SSH connection to an
    instance; which way it went is said. An embedding model answers with a vector, a reranker with a
    score for each DOCUMENT. MODEL may be an alias, an adapter that is served by name, or an
    instance, which is then asked itself.
    """
    began = time.monotonic()
    text = sys.stdin.read() if text == "-" else text
    with open_run(settings, brings=False) as run:
        chosen = _chosen(run.site, model)
        if any(d.type == "reranker" for d in chosen) and not documents:
            raise UsageError(
                f"{model} is a reranker: it scores documents against a query. Add them: "
                f"`xgen-deploy ask MANIFEST {model} QUERY DOCUMENT DOCUMENT`"
            )
        observed = run.observe(among=_hosts(run.site, chosen))
        ways = ways_to(run.site, observed, model)
        if not ways:
            raise _no_way(model, observed)
        screen = Screen(settings)
        if not complete and lacks_chat_template(observed, {d.model for d in chosen}):
            screen.note(_NO_TEMPLATE.format(model))
        question = Question(model, "llm", text, documents, max_tokens, complete)
        asked = ask_one_of(run, observed, ways, question, screen)
    _show(asked, documents, screen)
    screen.value(_document(asked, documents, time.monotonic() - began))
    return 0


def _chosen(site: Site, name: str) -> tuple[InstanceConfig, ...]:
    """Raises UsageError for a name that the manifest does not have."""
    words = engine_words()
    names = [(d, (d.model, *dict(further_names(d, words)))) for d in site.declared]
    chosen = tuple(d for d, own in names if name in (*own, d.name))
    if not chosen:
        raise unknown("model", name, dict.fromkeys(n for _, own in names for n in own))
    return chosen


def _hosts(site: Site, chosen: tuple[InstanceConfig, ...]) -> frozenset[str]:
    return frozenset((*(d.host for d in chosen), *gateway_hosts(site)))


def _no_way(model: str, observed: Observed) -> XgenError:
    lost = [o for o in observed.values() if isinstance(o, XgenError)]
    if lost:
        error = XgenError("\n".join((f"{model} cannot be asked:", *map(str, lost))))
        error.exit_code = exit_code_of(lost)
        return error
    return XgenError(
        f"nothing that runs answers to {model}: never applied, or stopped; `xgen-deploy status` "
        "says which"
    )


def _show(asked: Asked, documents: tuple[str, ...], screen: Screen) -> None:
    """What was not printed as it came."""
    if screen.json:
        return
    answer = asked.answer
    if answer.text:
        print()
    if answer.vector:
        first = ", ".join(f"{number:.4f}" for number in answer.vector[:_NUMBERS])
        more = ", …" if len(answer.vector) > _NUMBERS else ""
        print(f"a vector of {len(answer.vector)} numbers: {first}{more}")
    for document, score in _scored(asked, documents):
        print(f"{score:9.4f}  {document}")


def _scored(asked: Asked, documents: tuple[str, ...]) -> list[tuple[str, float]]:
    """Best first."""
    known = [(documents[n], s) for n, s in asked.answer.scores if 0 <= n < len(documents)]
    return sorted(known, key=lambda item: -item[1])


def _document(asked: Asked, documents: tuple[str, ...], seconds: float) -> AskDocument:
    way, answer = asked.way, asked.answer
    scores = tuple(Score(document=d, score=s) for d, s in _scored(asked, documents))
    return AskDocument(
        model=way.model,
        way=asked.how,
        url=way.url,
        host=way.host,
        instance=None if way.through_gateway else way.name,
        answer=answer.text or None,
        vector=answer.vector or None,
        scores=scores or None,
        seconds=round(seconds, 3),
    )
