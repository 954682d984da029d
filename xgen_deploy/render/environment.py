"""What an engine is given beside its arguments: its environment, and its API key in a file."""

from xgen_deploy.backends.base import Backend, Command, KeyFile, KeyVariable
from xgen_deploy.render.rendered import File, Secrets
from xgen_deploy.render.templates import Templates
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.settings import SecretRef

# Private to the unit (PrivateTmp=), on disk, and removed when the unit stops.
_PRIVATE_TMP = "/var/tmp"  # noqa: S108


def key_file(instance: Instance, backend: Backend) -> KeyFile | None:
    how = backend.api_key
    return how if instance.spec.api_key and isinstance(how, KeyFile) else None


def key_files(
    instance: Instance,
    key: KeyFile | None,
    folder: str,
    secrets: Secrets,
    templates: Templates,
    *,
    uid: int,
) -> tuple[File, ...]:
    ref = instance.spec.api_key
    if ref is None or key is None:
        return ()
    text = templates.text(key.template, {"key": secrets.value(ref)})
    path = f"{folder}/{key.name}"
    return (File(path, text, 0o400 if uid else 0o600, uid=uid, secret=True),)


def environment(
    instance: Instance, backend: Backend, command: Command, secrets: Secrets
) -> dict[str, str]:
    """Without a container: the engine's variables, the manifest's over them, and the key."""
    spec = instance.spec
    env = dict(command.env)
    if command.compiles and spec.runtime == "systemd":
        env["HOME"] = _PRIVATE_TMP
    env |= {k: secrets.value(v) if isinstance(v, SecretRef) else v for k, v in spec.env.items()}
    if spec.api_key is not None and isinstance(backend.api_key, KeyVariable):
        env[backend.api_key.variable] = secrets.value(spec.api_key)
    return env


def has_secret(instance: Instance, backend: Backend) -> bool:
    spec = instance.spec
    key = spec.api_key is not None and isinstance(backend.api_key, KeyVariable)
    return key or any(isinstance(v, SecretRef) for v in spec.env.values())
