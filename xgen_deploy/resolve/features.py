"""What an instance loads beside its model, found on its host; what its engine has no use for is
left out, with a note. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.backends.base import Backend
from xgen_deploy.resolve.model_kind import check_is_model, is_whole_model
from xgen_deploy.resolve.models import decide_layers, facts_of, usable_files
from xgen_deploy.resolve.stated_files import (
    StatedFile,
    draft_files,
    lora_files,
    projector_file,
    template_file,
)
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.features import FEATURES, Draft, FoundDraft, FoundFile, FoundLora, Lora
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

_PROJECTORS = ("clip", None)


@dataclass(frozen=True)
class Features:
    """The fields of the spec of the same names. `notes` are for the reader of the plan."""

    mmproj: FoundFile | None = None
    draft: FoundDraft | None = None
    loras: dict[str, FoundLora] = field(default_factory=dict)
    chat_template: FoundFile | None = None
    notes: tuple[str, ...] = ()


def find_features(
    config: InstanceConfig,
    backend: Backend,
    model: ModelFacts,
    files: Mapping[str, ModelFacts],
    *,
    on_gpu: bool,
) -> Features:
    """`files` are the probe's answers by key. Raises Refused for what is missing or does not fit
    the model.
    """
    stated = [name for name in FEATURES if getattr(config, name)]
    ignored = [name for name in stated if name not in backend.features]
    find = _Finder(config, backend, model, files)
    notes = [f"{name} is ignored: {backend.name} serves here" for name in ignored]
    draft = None
    if config.draft is not None and "draft" not in ignored:
        draft, note = find.draft(config.draft, on_gpu=on_gpu)
        notes += [note] if note else []
    return Features(
        mmproj=find.projector(config.mmproj) if config.mmproj and "mmproj" not in ignored else None,
        draft=draft,
        loras={n: find.lora(n, lora) for n, lora in config.loras.items() if "loras" not in ignored},
        chat_template=find.template(config.chat_template)
        if config.chat_template and "chat_template" not in ignored
        else None,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Finder:
    """Finds the files of one instance; each method raises Refused."""

    config: InstanceConfig
    backend: Backend
    model: ModelFacts
    files: Mapping[str, ModelFacts]

    def projector(self, source: str) -> FoundFile:
        stated = projector_file(self.config, source)
        facts = self._of_format(self._facts(stated, "projector"), stated, "projector")
        architecture = facts.gguf.architecture if facts.gguf else None
        if architecture not in _PROJECTORS:
            raise self._wrong(stated, f"projector {source} is a model ({architecture}) itself")
        return FoundFile(path=facts.path or source, state=facts.state)

    def draft(self, draft: Draft, *, on_gpu: bool) -> tuple[FoundDraft, str | None]:
        """Also a note for the plan, or None."""
        stated = self._its_format(draft_files(draft))
        facts = self._of_format(self._facts(stated, "draft model"), stated, "draft model")
        check_is_model(self.config, facts, "draft model", stated.field)
        layers, note = None, None
        if self.backend.offloads_layers and on_gpu:
            decided = decide_layers(
                self.config, facts, draft.n_gpu_layers, on_gpu=True, field="draft.n_gpu_layers"
            )
            layers, note = decided.offloaded, decided.note
        elif draft.n_gpu_layers not in (None, 0):
            note = "draft.n_gpu_layers is ignored: " + (
                f"{self.backend.name} serves here" if on_gpu else "this placement has no GPU"
            )
        found = FoundDraft(
            path=facts.path or stated.source,
            state=facts.state,
            n_gpu_layers=layers,
            tokens=draft.tokens,
        )
        return found, note

    def lora(self, name: str, lora: str | Lora) -> FoundLora:
        stated = self._its_format(lora_files(name, lora))
        facts = self._of_format(self._facts(stated, "adapter"), stated, "adapter")
        if is_whole_model(facts):
            raise self._wrong(stated, f"adapter {stated.source} is a whole model")
        made_for = facts.gguf.architecture if facts.gguf else None
        model = self.model.gguf.architecture if self.model.gguf else None
        if made_for and model and made_for != model:
            raise self._wrong(
                stated, f"adapter {stated.source} is for {made_for}, and the model is {model}"
            )
        rank = (facts.config or {}).get("r")
        return FoundLora(
            path=facts.path or stated.source,
            state=facts.state,
            scale=lora.scale if isinstance(lora, Lora) else None,
            rank=rank if isinstance(rank, int) else None,
        )

    def template(self, path: str) -> FoundFile:
        facts = self._facts(template_file(path), "chat template")
        return FoundFile(path=facts.path or path, state=facts.state)

    def _its_format(self, files: Mapping[str, StatedFile]) -> StatedFile:
        """The one that the model's own engine loads; any where there is none, to be refused."""
        return files.get(self.model.format or "gguf") or next(iter(files.values()))

    def _facts(self, stated: StatedFile, what: str) -> ModelFacts:
        facts = facts_of(self.config, stated.key, self.files, stated.field)
        usable_files(self.config, facts, what, stated.field)
        return facts

    def _of_format(self, facts: ModelFacts, stated: StatedFile, what: str) -> ModelFacts:
        if facts.format is not None and facts.format not in self.backend.formats:
            title = {"gguf": "GGUF", "hf": "in Hugging Face's format"}.get(facts.format, "neither")
            loads = f"is {title}, which {self.backend.name} does not load"
            raise self._wrong(stated, f"{what} {stated.source} {loads}")
        return facts

    def _wrong(self, stated: StatedFile, reason: str) -> Exception:
        return refuse(self.config, reason, f"Correct `{stated.field}`.", stated.field)
