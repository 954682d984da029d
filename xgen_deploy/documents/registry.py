"""What each command prints with --json."""

from importlib import import_module
from typing import Any

from pydantic import BaseModel

from xgen_deploy.documents.base import Document
from xgen_deploy.documents.streaming import STREAMING

_MODELS = {
    "validate": "validate.ValidateDocument",
    "gpus": "gpus.GPUsDocument",
    "fit": "fit.FitDocument",
    "render": "render.RenderDocument",
    "plan": "plan.PlanDocument",
    "show": "show.ShowDocument",
    "lock": "lock.LockDocument",
    "bundle": "bundle.BundleDocument",
    "status": "status.StatusDocument",
    "verify": "verify.VerifyDocument",
    "logs": "logs.LogsDocument",
    "ask": "ask.AskDocument",
    "accept": "accept.AcceptDocument",
    "history": "history.HistoryDocument",
    "models": "models.ModelsDocument",
    "config": "config.ConfigDocument",
    "projects": "projects.ProjectsDocument",
    "metrics-targets": "metrics_targets.MetricsTargetsDocument",
    "support": "support.SupportDocument",
    "unlock": "unlock.UnlockDocument",
    "serve": "serve.ServeDocument",
    **dict.fromkeys(("stop", "start", "restart"), "maintain.MaintainDocument"),
    **dict.fromkeys(STREAMING, "events.Line"),
}
COMMANDS = tuple(_MODELS)


def model_of(command: str) -> type[BaseModel]:
    """Of a command's document, or of one line of its events."""
    module, _, name = _MODELS[command].partition(".")
    model: type[BaseModel] = getattr(import_module(f"{__package__}.{module}"), name)
    return model


def empty_document(command: str) -> Document:
    """For a command that came to nothing else; of an unknown command, its errors alone."""
    model = model_of(command) if command in _MODELS else Document
    return model() if issubclass(model, Document) else Document()


def output_schema(command: str) -> dict[str, Any]:
    """JSON Schema of what the command prints."""
    schema = model_of(command).model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_published(schema)}


def _published(part: Any) -> Any:
    """Every key is always there; newer versions add further ones."""
    if isinstance(part, list):
        return [_published(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {k: _published(v) for k, v in part.items() if (k, v) != ("additionalProperties", False)}
    if isinstance(properties := kept.get("properties"), dict):
        kept["required"] = list(properties)
    if isinstance(text := kept.get("description"), str):
        kept["description"] = text.replace("None", "null")
    return kept
