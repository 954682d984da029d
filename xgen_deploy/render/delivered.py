"""The secrets that were delivered to an instance, read back from its files on the host. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.backends.base import KeyFile, KeyVariable
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.render import unquoting
from xgen_deploy.secret_text import Kind, SecretText
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.secret_rules import secret_problem
from xgen_deploy.state.settings import SecretRef


@dataclass(frozen=True)
class Delivered:
    """`env` has the secret variables alone. A secret that cannot be read back, or that could not
    be used, is left out.
    """

    api_key: SecretText | None = None
    env: Mapping[str, SecretText] = field(default_factory=dict)


def secret_files(spec: Spec, layout: Layout, name_on_host: str) -> dict[str, str]:
    """`key` and `env` -> the file that holds them, for those that hold a secret of the instance."""
    backend = backend_named(spec.backend)
    if backend is None:
        return {}
    folder, files = layout.settings(name_on_host), {}
    secret_env = any(isinstance(v, SecretRef) for v in spec.env.values())
    if spec.api_key is not None and isinstance(backend.api_key, KeyFile):
        files["key"] = f"{folder}/{backend.api_key.name}"
    elif spec.api_key is not None:
        secret_env = True
    names = {"docker": "secret-env", "systemd": "env", "process": "start.json"}
    return files | ({"env": f"{folder}/{names[spec.runtime]}"} if secret_env else {})


def delivered(spec: Spec, contents: Mapping[str, bytes | None]) -> Delivered:
    """`contents` are those of the `secret_files`, under the same names."""
    read = {
        "docker": unquoting.shell_values,
        "systemd": unquoting.environment_values,
        "process": unquoting.start_values,
    }[spec.runtime]
    values = read(_text(contents.get("env")))
    backend = backend_named(spec.backend)
    key = None
    if spec.api_key is not None and backend is not None:
        key = _key(backend.api_key, _text(contents.get("key")), values)
    secret = (name for name, v in spec.env.items() if isinstance(v, SecretRef))
    env = {name: _usable(values.get(name), "env") for name in secret}
    return Delivered(_usable(key, "key"), {n: v for n, v in env.items() if v is not None})


def _key(how: KeyFile | KeyVariable, text: str, values: Mapping[str, str]) -> str | None:
    if isinstance(how, KeyVariable):
        return values.get(how.variable)
    return unquoting.key_in(text, how.pattern)


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="surrogateescape")


def _usable(value: str | None, kind: Kind) -> SecretText | None:
    if value is None or secret_problem(SecretText(value), kind) is not None:
        return None
    return SecretText(value)
