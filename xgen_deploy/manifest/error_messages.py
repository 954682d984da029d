"""Turns pydantic's errors into sentences about places in a file."""

from collections import defaultdict

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from xgen_deploy.manifest.diagnostics import Problems, listing, nearest
from xgen_deploy.manifest.foreign_names import advice, passed_on
from xgen_deploy.manifest.node import ListNode, MapNode, Node, Path, ScalarNode
from xgen_deploy.manifest.schema_walk import model_at
from xgen_deploy.state.serve import MAKES_BEARER, MAKES_HASH
from xgen_deploy.state.settings import (
    BinaryArchive,
    GatewayClient,
    ImageWithEntrypoint,
    SecretRef,
    SourceByFormat,
)

_SHOWN = 60
_NUMBERS = ("a whole number", "a number")
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false (or yes, no, on, off)",
    "dict_type": "a map",
    "model_type": "a map",
    "tuple_type": "a list",
    "finite_number": "a finite number",
    "greater_than_equal": "{ge:g} or more",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "{le:g} or less",
    "less_than": "less than {lt:g}",
    "literal_error": "{expected}",
}
_MAPS: dict[type[BaseModel], str] = {
    SecretRef: "a map such as `{env: NAME}`",
    SourceByFormat: "a map such as `{gguf: …, hf: …}`",
    BinaryArchive: "a map such as `{archive: …, path: …}`",
    ImageWithEntrypoint: "a map such as `{image: …, entrypoint: […]}`",
}
_ONLY_SECRETS = ("api_key", "webhook")
_HASHES = {
    "password_hash": f"this is no hash of a password; {MAKES_HASH}",
    "token_hash": f"this is no hash of a token; {MAKES_BEARER}",
}
_NEVER_PLAIN = (
    "a secret is `{env: NAME}`, `{file: PATH}`, `{command: COMMAND}` or `{host_file: PATH}`; "
    "its value is never written in a manifest"
)


def report(error: ValidationError, root: Node, kind: object, problems: Problems) -> set[Path]:
    """Adds a problem for each wrong value; returns their paths.

    `root` is the tree that was validated, `kind` the type that it was validated as.
    """
    places: dict[Path, list[ErrorDetails]] = defaultdict(list)
    for detail in error.errors(include_url=False):
        path, _ = _place(root, detail["loc"])
        if detail["type"] == "missing":
            path = (*path, detail["loc"][-1])
        places[path].append(detail)
    for path, details in places.items():
        below = any(other[: len(path)] == path and other != path for other in places)
        if not (below and all(_is_shape(detail) for detail in details)):
            _report_one(path, details, root, kind, problems)
    return set(places)


def _is_shape(detail: ErrorDetails) -> bool:
    return detail["type"].endswith("_type") or detail["type"] == "literal_error"


def _place(root: Node, loc: tuple[int | str, ...]) -> tuple[Path, Node]:
    """The steps of `loc` that exist in the file, and the node there: pydantic adds names of union
    branches."""
    path: list[str | int] = []
    node = root
    for step in loc:
        if isinstance(node, MapNode) and isinstance(step, str) and step in node.entries:
            node = node.entries[step].node
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            continue
        path.append(step)
    return tuple(path), node


def _report_one(
    path: Path, details: list[ErrorDetails], root: Node, kind: object, problems: Problems
) -> None:
    parent = _place(root, path[:-1])[1]
    node = _place(root, path)[1]
    first = details[0]
    key_mark = parent.key_mark(str(path[-1])) if path and isinstance(parent, MapNode) else node.mark
    label = _label(path)
    if first["type"] == "missing":
        problems.add(parent.mark, f"{_owner(path)}`{path[-1]}` is missing; it is required")
    elif first["type"] == "extra_forbidden":
        problems.add(key_mark, _unknown_key(str(path[-1]), model_at(kind, path[:-1])))
    elif any(detail["loc"][-1] == "[key]" for detail in details):
        problems.add(key_mark, _bad_key(str(path[-1]), first))
    else:
        problems.add(node.mark, f"{label}: {_wrong(node, details, kind, path)}")


def _label(path: Path) -> str:
    names = [str(step) for step in path if isinstance(step, str)]
    return names[-1] if names else "the file"


def _owner(path: Path) -> str:
    names = [step for step in path[:-1] if isinstance(step, str)]
    return f"{names[-1]}: " if names else ""


def _unknown_key(key: str, model: type[BaseModel] | None) -> str:
    allowed = list(model.model_fields) if model else []
    instead = advice(key, model) if model else None
    if instead is not None:
        return f"unknown key `{key}`. {instead}"
    close = nearest(key, allowed)
    others = "" if close or not model else passed_on(model)
    return f"unknown key `{key}`.{close} Allowed here: {listing(allowed)}{others}"


def _bad_key(key: str, detail: ErrorDetails) -> str:
    if detail["type"] != "literal_error":
        return f"`{key}`: {_reason(detail)}"
    allowed = _choices(detail)
    return f"unknown name `{key}`.{nearest(key, allowed)} Allowed here: {listing(allowed)}"


def _reason(detail: ErrorDetails) -> str:
    reason = detail.get("ctx", {}).get("error")
    return str(reason) if reason else detail["msg"]


def _wrong(node: Node, details: list[ErrorDetails], kind: object, path: Path) -> str:
    reasons = [_reason(detail) for detail in details if detail["type"] == "value_error"]
    model = model_at(kind, path)
    if path[-1:] and path[-1] in _HASHES:  # what was found may be the password itself
        return _HASHES[str(path[-1])]
    if model is GatewayClient and not isinstance(node, MapNode):
        return _NEVER_PLAIN  # what was found may be the key itself
    if model is SecretRef and (path[0] == "monitoring" or _label(path[-1:]) in _ONLY_SECRETS):
        return reasons[0] if reasons and isinstance(node, MapNode) else _NEVER_PLAIN
    if reasons:
        shown = f"found {describe(node)}; " if isinstance(node, ScalarNode) else ""
        return shown + reasons[0]
    choices = [name for detail in details for name in _choices(detail)]
    close = nearest(node.text, choices) if isinstance(node, ScalarNode) else ""
    words = [_expected(detail) for detail in details]
    words = [_MAPS.get(model, word) if model and word == "a map" else word for word in words]
    if _is_quoted_number(node, details):
        words = [f"{w} without quotes" if w in _NUMBERS else w for w in words]
    allowed = ", or ".join(dict.fromkeys(words)) + _quotes(node, details)
    return f"found {describe(node)}; expected {allowed}" + (f".{close}" if close else "")


def _quotes(node: Node, details: list[ErrorDetails]) -> str:
    kinds = {detail["type"] for detail in details}
    if isinstance(node, ScalarNode) and "string_type" in kinds:
        return f' (quote it: `"{node.text}"`)'
    return ""


def _is_quoted_number(node: Node, details: list[ErrorDetails]) -> bool:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return False
    numeric = any(detail["type"] in ("int_type", "float_type") for detail in details)
    return numeric and node.text.lstrip("+-").isdigit()


def _expected(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        return listing(_choices(detail))
    words = _EXPECTED.get(detail["type"])
    return words.format(**detail.get("ctx", {})) if words else detail["msg"].lower()


def _choices(detail: ErrorDetails) -> list[str]:
    if detail["type"] != "literal_error":
        return []
    text = str(detail["ctx"]["expected"]).replace(" or ", ", ")
    return [choice.strip("'") for choice in text.split(", ")]


def describe(node: Node) -> str:
    """What a file has at a place, in words."""
    if isinstance(node, MapNode):
        return "a map"
    if isinstance(node, ListNode):
        return "a list"
    shown = node.text if len(node.text) <= _SHOWN else node.text[: _SHOWN - 1] + "…"
    if isinstance(node.value, str):
        return f"the text `{shown}`"
    if node.value is None:
        return "nothing"
    return shown if isinstance(node.value, bool) else f"the number {shown}"
