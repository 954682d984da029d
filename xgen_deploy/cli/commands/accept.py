"""`xgen-deploy accept record`: writes what models answer now, for later gates to hold them to."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click

from xgen_deploy.bounded_json import read_json
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import unknown
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.saved_file import write_file
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.accept import AcceptDocument, RecordedModel
from xgen_deploy.errors import XgenError, exit_code_of, first_that_holds
from xgen_deploy.manifest.file_text import MAX_BYTES
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.accept import AcceptFile, AcceptPrompt, AcceptVector, Recorded
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.observation import Observed
from xgen_deploy.state.secret_uses import engine_key
from xgen_deploy.verify.acceptance import Acceptance, NoAnswer
from xgen_deploy.verify.vectors import TEXTS

_RECORD = "record"
_FOR_ALL = 0o666  # as far as the umask lets: it belongs in the repository
_PROMPTS = ("What is the capital of France?", "Count from one to five.")


class _AcceptCommand(ManifestCommand):
    """Its first word is what to do, its second the manifest."""

    def with_manifest(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] != [_RECORD]:
            return args
        return [_RECORD, *super().with_manifest(ctx, args[1:])]


@click.command("accept", cls=_AcceptCommand)
@click.argument("action", type=click.Choice([_RECORD]))
@host_options
@click.argument("model", required=False)
def command(settings: Settings, action: str, model: str | None) -> int:  # noqa: ARG001
    """Record what MODEL (default: every model with `accept.file`) answers now.

    An instance that serves is asked for the prompts and texts of the model's `accept.file`, and for
    a few of its own where there are none yet; its answers are written into that file. From then on
    a change after which the model answers otherwise is put back, and `verify` reports the
    difference.
    """
    with open_run(settings) as run:
        chosen = list(_chosen(run, model))
        observed = run.observe(among=frozenset(d.host for d in chosen))
        failed = {n: o for n, o in observed.items() if isinstance(o, XgenError)}
        recorder = _Recorder(run, observed)
        models = {name: recorder.record(name, chosen) for name in _models(chosen)}
    screen = Screen(settings)
    for name, entry in models.items():
        counts = f"{entry.prompts} prompts" if entry.prompts else f"{entry.vectors} vectors"
        screen.lines([f"{name}: {counts} of {entry.host}/{entry.instance} are in {entry.file}"])
    screen.value(AcceptDocument(models=models))
    return exit_code_of(failed.values())


def _models(chosen: list[InstanceConfig]) -> dict[str, None]:
    return dict.fromkeys(d.model for d in chosen)


def _chosen(run: Run, model: str | None) -> Iterator[InstanceConfig]:
    """Raises XgenError where there is none."""
    known = dict.fromkeys(d.model for d in run.site.declared)
    if model is not None and model not in known:
        raise unknown("model", model, known)
    stated = [d for d in run.site.declared if d.accept is not None and d.accept.file is not None]
    chosen = [d for d in stated if model in (None, d.model)]
    if not chosen:
        raise XgenError(
            f"{model or 'no model'} has no `accept: {{file: …}}`: name the file in the manifest "
            "that its answers are to be written to, for example `accept: {file: accept.json}`"
            if model
            else "no model has `accept: {file: …}`: name the file in the manifest that a model's "
            "answers are to be written to, for example `accept: {file: accept.json}`"
        )
    yield from chosen


class _Recorder:
    def __init__(self, run: Run, observed: Observed) -> None:
        self._run = run
        self._observed = observed
        self._secrets = SecretResolver(run.site)

    def record(self, model: str, chosen: list[InstanceConfig]) -> RecordedModel:
        """From the first instance of the model that answers. Raises XgenError."""
        reasons, codes = [], []
        for declared in (d for d in chosen if d.model == model):
            try:
                return self._of(declared)
            except (NoAnswer, XgenError) as error:
                reason = str(error).removeprefix(f"{declared.host}: ")
                reasons.append(f"{declared.host}/{declared.name}: {reason}")
                codes.append(error.exit_code if isinstance(error, XgenError) else 1)
        nobody = XgenError(f"no instance of {model} could be asked: {'; '.join(reasons)}")
        nobody.exit_code = first_that_holds(*codes)
        raise nobody

    def _of(self, declared: InstanceConfig) -> RecordedModel:
        observation = self._observed[declared.host]
        if isinstance(observation, XgenError):
            raise observation
        if observation.record is None:
            raise NoAnswer(observation.record_error)
        last = observation.record.instances.get(declared.name)
        if last is None or last.stopped is not None:
            raise NoAnswer("it does not serve")
        with closing(self._run.connections[declared.host].session()) as session:
            files = HostFiles(declared.host, session)
            own = InstanceSecrets(self._secrets, files, observation.layout, declared.name, last)
            use, ref = engine_key(declared.host, declared.name), last.spec.api_key
            acceptance = Acceptance(last.spec, session, own.value(use, ref) if ref else None)
            path = Path((declared.accept and declared.accept.file) or "").expanduser()
            whole = _read(path)
            recorded = _answers(acceptance, whole.models.get(declared.model, Recorded()))
        _write(path, AcceptFile(models={**whole.models, declared.model: recorded}))
        return RecordedModel(
            file=str(path),
            host=declared.host,
            instance=declared.name,
            prompts=len(recorded.prompts),
            vectors=len(recorded.vectors),
        )


def _answers(acceptance: Acceptance, before: Recorded) -> Recorded:
    """Of the same prompts and texts. Raises NoAnswer, XgenError."""
    match acceptance.spec.type:
        case "embedding":
            texts = tuple(v.text for v in before.vectors) or TEXTS
            pairs = zip(texts, acceptance.vectors(texts), strict=True)
            return Recorded(vectors=tuple(AcceptVector(text=t, vector=v) for t, v in pairs))
        case "llm":
            fresh = tuple(AcceptPrompt(prompt=p, expect="-") for p in _PROMPTS)
            prompts = (_answered(acceptance, p) for p in before.prompts or fresh)
            return Recorded(prompts=tuple(prompts))
    raise NoAnswer("a reranker's scores cannot be recorded")


def _answered(acceptance: Acceptance, prompt: AcceptPrompt) -> AcceptPrompt:
    """A pattern stays; text is what it answers now."""
    answer = acceptance.text(prompt).strip()
    if prompt.pattern is not None:
        return prompt
    if not answer:
        raise NoAnswer(f"the answer to `{prompt.prompt[:40]}` is empty")
    return prompt.model_copy(update={"expect": answer[:8000]})


def _read(path: Path) -> AcceptFile:
    if not path.exists():
        return AcceptFile()
    return AcceptFile.model_validate(read_json(path.read_bytes(), MAX_BYTES))


def _write(path: Path, whole: AcceptFile) -> None:
    """As a whole or not at all. Raises XgenError."""
    value = whole.model_dump(mode="json", exclude_none=True)
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    if len(text.encode()) >= MAX_BYTES:
        raise XgenError(
            f"{path} would be larger than {MAX_BYTES >> 20} MiB, which no manifest may have; give "
            "each model a file of its own"
        )
    write_file(str(path), text, mode=_FOR_ALL)
