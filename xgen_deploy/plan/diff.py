"""What differs between the applied spec and the desired one. Pure."""

from collections.abc import Mapping

from xgen_deploy.state.features import FEATURES
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.plan import FieldDiff

_HIDDEN = {"spec_version"}
_SAYS = {
    "model_state": "the model file's content",
    "engine_state": "the engine's build",
}


def diff_specs(before: Spec, after: Spec, marks: Mapping[str, Mark]) -> tuple[FieldDiff, ...]:
    """Dotted paths in the manifest's words, sorted; states of files are described, not shown."""
    old, new = flat(before.stated()), flat(after.stated())
    diff = []
    for path in sorted(old.keys() | new.keys()):
        if path in _HIDDEN or old.get(path) == new.get(path):
            continue
        says = _SAYS.get(path) or _content_of(path)
        if says is not None and path in old and path in new:
            diff.append(FieldDiff(path=says, before="as applied", after="changed"))
            continue
        diff.append(
            FieldDiff(path=path, before=old.get(path), after=new.get(path), mark=marks.get(path))
        )
    return tuple(diff)


def _content_of(path: str) -> str | None:
    """What is loaded beside a model has its state at `draft.state`, `loras.NAME.state`."""
    field = path.removesuffix(".state")
    return f"the content of {field}" if field != path and field.split(".")[0] in FEATURES else None


def flat(value: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """A nested mapping with dotted keys; lists stay whole."""
    flattened: dict[str, object] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flattened |= flat(item, f"{prefix}{key}.")
        else:
            flattened[f"{prefix}{key}"] = item
    return flattened


def cause_of(diff: tuple[FieldDiff, ...]) -> str:
    """`changed: n_ctx, port`, for people."""
    paths = [d.path for d in diff]
    if not paths:
        return "the format of its record changed"
    listed = ", ".join(paths[:4]) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")
    return f"changed: {listed}"
