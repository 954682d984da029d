"""Types of single fields of the gateway; as field_types.py has those of the rest."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

ANY_ORIGIN = "*"
# The largest request whose model is read from its body, unless stated.
MAX_BODY = 1 << 20
_LEAST, _MOST = 64 << 10, 64 << 20
_SIZE = re.compile(r"(\d{1,9})([kKmM]?)")
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
_ORIGINS = (
    "an origin is what a browser sends as `Origin`, in lower case and without a path: "
    "https://app.example.net, http://localhost:3000, or `*` for every page"
)


def origin(value: str) -> str:
    if value != ANY_ORIGIN and not _ORIGIN.fullmatch(value):
        stripped = value.rstrip("/").lower()
        hint = f". Did you mean `{stripped}`?" if _ORIGIN.fullmatch(stripped) else ""
        raise ValueError(_ORIGINS + hint)
    return value


def body_size(value: object) -> object:
    """`8M`, or plain bytes."""
    match = _SIZE.fullmatch(str(value)) if type(value) in (int, str) else None
    size = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    if not _LEAST <= size <= _MOST:
        raise ValueError("the size of a request is text such as 8M, from 64k to 64M")
    return size


Origin = Annotated[
    str, AfterValidator(origin), Field(json_schema_extra={"pattern": rf"^(\*|{_ORIGIN.pattern})$"})
]
BodySize = Annotated[
    int,
    BeforeValidator(body_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": _LEAST, "maximum": _MOST},
                {"type": "string", "pattern": r"^\d{1,9}[kKmM]?$"},
            ]
        }
    ),
]
