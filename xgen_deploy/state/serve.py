"""`serve:` of a manifest: who may look and change from a browser, and where it listens."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.field_types import Address, Port

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
Changes = Annotated[
    Literal["off", "propose", "apply"],
    BeforeValidator(lambda value: "off" if value is False else value),
]
LOOPBACK = "127.0.0.1"
PORT = 8765
MAKES_HASH = "`xgen-deploy serve --hash-password` makes one"
MAKES_BEARER = "`xgen-deploy serve --new-token` makes one"
_SCRYPT = r"^scrypt:\d{1,8}:\d{1,3}:\d{1,3}:[A-Za-z0-9_-]{16,64}:[A-Za-z0-9_-]{16,128}$"
_SHA256 = "^sha256:[0-9a-f]{64}$"
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?")
_USER = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"


def _dns_name(value: str) -> str:
    if not _DNS_NAME.fullmatch(value):
        raise ValueError("a name as browsers send it: fleet.example.net, in lower case")
    return value


class ServeUser(Frozen):
    """Who may use the page and the API, and what of the fleet."""

    role: Role = Field(description="viewer looks, operator reads logs and applies, admin edits.")
    password_hash: Annotated[str, Field(pattern=_SCRYPT)] | None = Field(
        default=None, description="What `xgen-deploy serve --hash-password` printed."
    )
    token_hash: Annotated[str, Field(pattern=_SHA256)] | None = Field(
        default=None, description="For scripts: what `xgen-deploy serve --new-token` printed."
    )
    hosts: tuple[str, ...] | None = Field(
        default=None, description="Only these hosts and groups; all of them unless stated."
    )
    models: tuple[str, ...] | None = Field(
        default=None, description="Only these models; all of them unless stated."
    )

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if self.password_hash is None and self.token_hash is None:
            raise ValueError("a user has a `password_hash`, a `token_hash`, or both")
        return self


class ServeTLS(Frozen):
    """Certificate and key of `xgen-deploy serve`, files of the machine that it runs on."""

    cert: str
    key: str


UserName = Annotated[str, Field(pattern=_USER)]
Users = dict[UserName, ServeUser]


class Serve(Frozen):
    """How `xgen-deploy serve` answers; options of the command go over it."""

    changes: Changes = Field(
        default="off",
        description="off: nothing is changed from there (unless stated); propose: a branch or a "
        "patch; apply.",
    )
    listen: Address = Field(default=LOOPBACK, description="127.0.0.1 unless stated.")
    port: Port = Field(default=PORT, description="8765 unless stated.")
    tls: ServeTLS | None = Field(default=None, description="Needed beyond loopback.")
    hosts: tuple[Annotated[str, AfterValidator(_dns_name)], ...] = Field(
        default=(), description="Further names under which browsers may ask for it."
    )
    users: Users = Field(
        default_factory=dict, description="Who may log in; the printed link alone unless stated."
    )
