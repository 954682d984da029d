"""Types of single fields: each rejects a wrong value with its own sentence.

A validator here raises ValueError with what is allowed; where it stands in a file is added later.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.layout import OWN_SUFFIXES
from xgen_deploy.state.source import parse_source

_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"\d+(?:\.\d+)?"
_DURATION = re.compile(rf"(?:{_PART}(?:ms|s|m|h|d))+")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_RATE = re.compile(r"[1-9]\d{0,5}/[smhd]")
_GATEWAY = "gateway"
_TAKEN = "|".join(map(re.escape, OWN_SUFFIXES))
_PROJECT = "[a-z][a-z0-9_]{0,39}"
_INSTANCE_SCHEMA = f"^(?!{_GATEWAY}$)(?!.*(?:{_TAKEN})$)[A-Za-z0-9][A-Za-z0-9_.-]*$"
_MOUNT_OPTIONS = {"ro", "rw", "z", "Z"}
MAX_INSTANCE = 60
MAX_MODEL = 200
MAX_PORT = 65535


def flag(value: object) -> object:
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value


def seconds(value: object) -> object:
    """`10m`, `1h30m`, `60s` or plain seconds."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(_PART, value):
        return float(value)
    if not _DURATION.fullmatch(value):
        raise ValueError("a duration is a number of seconds, or text such as 60s, 10m, 2h, 1h30m")
    parts = re.findall(rf"({_PART})(ms|s|m|h|d)", value)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def rate(value: object) -> object:
    """`60/m`: a number of requests in each second, minute, hour or day."""
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise ValueError(
            "a rate is a number of requests a second, minute, hour or day, such as 60/m"
        )
    return value


def client_name(value: str) -> str:
    """It stands in the gateway's log and metrics as it is."""
    if not _INSTANCE.fullmatch(value) or len(value) > MAX_INSTANCE:
        raise ValueError(
            "a client's name begins with a letter or digit and holds only letters, digits, "
            f"`_`, `.` and `-`, at most {MAX_INSTANCE} characters"
        )
    return value


def port_range(text: str) -> tuple[int, int]:
    """`8001-8020` or one port. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,6})(?:\s*-\s*(\d{1,6}))?", text.strip())
    if not match:
        raise ValueError("ports are a range such as 8001-8020, or one port")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= MAX_PORT:
        raise ValueError("ports are a range such as 8001-8020, lower end first, within 1 to 65535")
    return first, last


def _ports(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str):
        port_range(text)
    return text


def flash(value: object) -> object:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def instance_name(value: str) -> str:
    """Safe in the name of a unit and of a container."""
    if not _INSTANCE.fullmatch(value) or len(value) > MAX_INSTANCE:
        raise ValueError(
            "an instance name begins with a letter or digit and holds only letters, digits, "
            f"`_`, `.` and `-`, at most {MAX_INSTANCE} characters"
        )
    suffix = next((s for s in OWN_SUFFIXES if value.endswith(s)), None)
    if value == _GATEWAY or suffix is not None:
        what = f"a name that ends in `{suffix}`" if suffix else f"`{_GATEWAY}`"
        raise ValueError(f"{what} is taken by the tool itself; choose another instance name")
    return value


def is_instance_name(value: str) -> bool:
    """Whether an instance may have this name; names read from a host are checked too."""
    try:
        return bool(instance_name(value))
    except ValueError:
        return False


def model_name(value: str) -> str:
    """The model ID that clients send."""
    if (
        not value
        or len(value) > MAX_MODEL
        or not value.isprintable()
        or any(map(str.isspace, value))
    ):
        raise ValueError(f"a model name is 1 to {MAX_MODEL} printable characters without spaces")
    if value.startswith("-"):
        raise ValueError("a model name that begins with `-` would be an option of the engine")
    return value


def project(value: str) -> str:
    if not re.fullmatch(_PROJECT, value):
        raise ValueError(
            "a project name is 1 to 40 lower-case letters, digits and `_`, beginning with a "
            "letter; it has no hyphen, so that names on hosts cannot collide" + _as_project(value)
        )
    return value


def _as_project(value: str) -> str:
    name = value.strip().lower().replace("-", "_").replace(" ", "_")
    return f". Did you mean `{name}`?" if re.fullmatch(_PROJECT, name) else ""


def is_project_name(value: str) -> bool:
    """Whether a project may have this name; names read from a host are checked too."""
    try:
        return bool(project(value))
    except ValueError:
        return False


def word(value: str) -> str:
    """Text that stands alone in a command: no spaces, not mistaken for an option."""
    if not value or value.startswith("-") or any(map(str.isspace, value)):
        raise ValueError("this must be one word that does not begin with `-`")
    return value


def unit_name(value: str) -> str:
    """A service of systemd, with the suffix that `systemctl` shows."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@:-]{0,200}\.service", value):
        raise ValueError("a unit is named as `systemctl` shows it: `llama.service`")
    return _by_hand(value)


def container_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", value):
        raise ValueError("a container is named as `docker ps` shows it: `llama`")
    return _by_hand(value)


def _by_hand(value: str) -> str:
    """Another project's instance would only be started again by that project."""
    if value.startswith("xgen-"):
        raise ValueError(
            f"`{value}` is xgen-deploy's own; stop or remove it with its own project's manifest"
        )
    return value


def sha256(value: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise ValueError("a SHA-256 is 64 hexadecimal digits")
    return value.lower()


def source(value: str) -> str:
    """As it is kept: some ways to write one come down to another."""
    return parse_source(value).text


def host_path(value: str) -> str:
    """A path on the host; `~/` is the login's home there."""
    if not value.startswith(("/", "~/")):
        raise ValueError("this is a path on the host and begins with `/`")
    return value


def absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("this is a path on the host and begins with `/`")
    return value


def address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(
            "an address to listen on is an IP address, such as 127.0.0.1 or 0.0.0.0"
        ) from None
    return value


def peer_address(value: str) -> str:
    try:
        if not ipaddress.ip_address(value).is_unspecified:
            return value
    except ValueError:
        pass
    raise ValueError(
        "other hosts connect to it: the IP address of one of this host's interfaces, never "
        "0.0.0.0 or ::"
    )


def syslog_address(value: str) -> str:
    port = value.rpartition(":")[2] if value.count(":") == 1 else "514"
    if not re.fullmatch(r"/[\w./-]+|[\w.-]+(:\d+)?", value) or not 0 < int(port) <= MAX_PORT:
        raise ValueError(
            "syslog is `true`, HOST or HOST:PORT (UDP, 514), or a socket such as /dev/log"
        )
    return value


def tensor_pattern(value: str) -> str:
    if not value or re.search(r"[\s,=]", value):
        raise ValueError("a pattern of tensors' names has no blanks, commas or `=`")
    return value


def env_name(value: str) -> str:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(
            "the name of an environment variable holds letters, digits and `_`, and does not "
            "begin with a digit"
        )
    return value


def size(value: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?[kKmMgGtT]?", value):
        raise ValueError("a size is a number of bytes, or text such as 512M or 8G")
    return value


def size_bytes(text: str) -> int:
    """Of a checked size: K, M, G and T are powers of 1024."""
    power = "kmgt".find(text[-1].lower()) + 1
    return int(float(text[:-1] if power else text) * 1024**power)


def layer_share(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"(100|[1-9][0-9]?)%", value):
        return value
    raise PydanticCustomError("layer_share", "a share such as 50%")


def web_origin(value: str) -> str:
    """`https://hub.example.net`, with a path where there is one; a login in it is no place for a
    secret."""
    match = re.fullmatch(r"https?://([^/?#\s@]+)(/[^?#\s]*)?", value)
    if match is None:
        raise ValueError(
            "an address is https://host[:port] or http://host[:port], without a login in it"
        )
    return value.rstrip("/")


def shm_size(value: object) -> object:
    """As Docker writes it; `8gb`, `8GiB` and `8Gi`, as others write it, are `8g`."""
    text = str(value)
    match = re.fullmatch(r"(\d+)([bkmg]?)(?:(?<=[kmg])i?b?)?", text.lower())
    if match is None or isinstance(value, bool):
        raise ValueError("a size of shared memory is text such as 8g or 512m")
    return text[: match.end(2)]


def mount(value: str) -> str:
    parts = value.split(":")
    paths = len(parts) in (2, 3) and all(part.startswith("/") for part in parts[:2])
    options = mount_options(value) if paths else frozenset()
    if not paths or not options <= _MOUNT_OPTIONS:
        raise ValueError(
            "a mount is /path/on/host:/path/inside, with :ro where it is read-only, and :z or :Z "
            "where SELinux is to let the container in"
        )
    return value


def mount_options(mount: str) -> frozenset[str]:
    """Those after a mount's two paths."""
    return frozenset(",".join(mount.split(":")[2:]).split(",")) - {""}


def unless_auto(value: object) -> object:
    """What is left to the tool is not stated."""
    return None if value == "auto" else value


def gpu_lists(value: object) -> object:
    """A list of GPUs, `all`, or a list of such lists, one a replica; each GPU once in a list."""
    if isinstance(value, list | tuple):
        nested = [isinstance(item, list | tuple) for item in value]
        if any(nested) and not all(nested):
            raise ValueError(
                "either every item is one GPU ([0, 1]), or every item is a list, one for each "
                "replica ([[0], [1]])"
            )
        for group in value if any(nested) else [value]:
            _each_once(group)
    elif value not in (None, "all", "auto") and not isinstance(value, Mapping | Frozen):
        raise ValueError(
            "gpus is a list such as [0, 1], `all`, `auto`, `{count: 2}`, or [] for the CPU"
        )
    return value


def _each_once(group: Iterable[object]) -> None:
    seen = set()
    for item in group:
        key = item.lower() if isinstance(item, str) else item
        if isinstance(key, str | int) and key in seen:
            raise ValueError(f"GPU {item} is listed twice")
        seen.add(key if isinstance(key, str | int) else id(item))


def gpu(value: int | str) -> int | str:
    if isinstance(value, int):
        if value < 0:
            raise ValueError("the index of a GPU is 0 or more")
    elif not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z:._/-]*", value) or value.isdigit():
        raise ValueError("a GPU is an index without quotes, a UUID or a PCI address")
    return value


def _schema(*branches: dict[str, object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": list(branches)} if len(branches) > 1 else branches[0])


def registry_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?", value):
        raise ValueError("a registry is a host as images name it, such as registry.example.net")
    return value


Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[int, Field(strict=True, ge=1)]
NotNegative = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=1, le=MAX_PORT)]
Flag = Annotated[
    bool,
    Field(strict=True),
    BeforeValidator(flag),
    _schema({"type": "boolean"}, {"enum": ["yes", "no", "on", "off"]}),
]
Flash = Annotated[
    Literal["auto", "on", "off"],
    BeforeValidator(flash),
    _schema({"enum": ["auto", "on", "off"]}, {"type": "boolean"}),
]
Fit = Annotated[
    Literal["refuse", "warn", "off"],
    BeforeValidator(lambda value: "off" if value is False else value),
]
Seconds = Annotated[
    float,
    Field(strict=True, ge=0, allow_inf_nan=False),
    BeforeValidator(seconds),
    _schema(
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": rf"^({_PART}|({_PART}(ms|s|m|h|d))+)$"},
    ),
]
ObjectiveSeconds = Annotated[
    float,
    Field(strict=True, gt=0, allow_inf_nan=False),
    BeforeValidator(seconds),
    _schema(
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": rf"^({_PART}|({_PART}(ms|s|m|h|d))+)$"},
    ),
]
Ports = Annotated[
    str,
    BeforeValidator(_ports),
    _schema({"type": "string", "pattern": r"^\d+(\s*-\s*\d+)?$"}, {"type": "integer"}),
]
ProjectName = Annotated[
    str,
    AfterValidator(project),
    Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]{0,39}$"}),
]
ClientName = Annotated[
    str,
    AfterValidator(client_name),
    Field(json_schema_extra={"pattern": f"^{_INSTANCE.pattern}$", "maxLength": MAX_INSTANCE}),
]
Rate = Annotated[
    str, BeforeValidator(rate), Field(json_schema_extra={"pattern": f"^{_RATE.pattern}$"})
]
ModelName = Annotated[str, AfterValidator(model_name)]
InstanceName = Annotated[
    str,
    AfterValidator(instance_name),
    Field(json_schema_extra={"pattern": _INSTANCE_SCHEMA, "maxLength": MAX_INSTANCE}),
]
Word = Annotated[str, AfterValidator(word)]
RegistryName = Annotated[str, AfterValidator(registry_name)]
UnitName = Annotated[str, AfterValidator(unit_name)]
ContainerName = Annotated[str, AfterValidator(container_name)]
Sha256 = Annotated[
    str, AfterValidator(sha256), Field(json_schema_extra={"pattern": "^[0-9a-fA-F]{64}$"})
]
SourceText = Annotated[str, AfterValidator(source)]
HostPath = Annotated[str, AfterValidator(host_path)]
AbsolutePath = Annotated[str, AfterValidator(absolute)]
Address = Annotated[str, AfterValidator(address)]
PeerAddress = Annotated[str, AfterValidator(peer_address)]
TensorPattern = Annotated[str, AfterValidator(tensor_pattern)]
EnvName = Annotated[str, AfterValidator(env_name)]
Size = Annotated[str, AfterValidator(size)]
ShmSize = Annotated[str, BeforeValidator(shm_size), WithJsonSchema({"type": ["string", "integer"]})]
SyslogAddress = Annotated[str, AfterValidator(syslog_address)]
Mount = Annotated[str, AfterValidator(mount)]
