"""The container of an instance, with exactly what it may see of the host."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.backends.base import Command, KeyFile, KeyVariable
from xgen_deploy.render.rendered import File, Secrets
from xgen_deploy.render.templates import Templates
from xgen_deploy.state.field_types import mount_options
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.settings import SecretRef

FOLDER = "/run/xgen"
_ID = re.compile(r"sha256:[0-9a-f]{64}")
_SECRET_ENV = f"{FOLDER}/env"
# Values reach this fixed script in a file and as arguments, never as part of its text.
_WITH_SECRETS = f'set -a; . {_SECRET_ENV}; set +a; exec "$@"'


@dataclass(frozen=True)
class Container:
    """`values` are for `docker-run.args.j2`, `before` comes between the image and the engine's
    arguments, `env` has the variables that are not secret.
    """

    values: Mapping[str, object]
    before: tuple[str, ...]
    files: tuple[File, ...]
    env: Mapping[str, str]


def container(
    instance: Instance,
    command: Command,
    service: str,
    settings: str,
    uid: int,
    port: int,
    key: KeyFile | KeyVariable,
    secrets: Secrets,
    templates: Templates,
) -> Container:
    """Secret variables are mounted as a file, which a shell sources before it executes the engine:
    everyone who may talk to the daemon can read a container's environment (`docker inspect`).
    """
    spec = instance.spec
    env = {"HOME": "/tmp"} | dict(command.env)  # noqa: S108 - inside the container
    env |= {k: v for k, v in spec.env.items() if isinstance(v, str)}
    secret_env = {k: secrets.value(v) for k, v in spec.env.items() if isinstance(v, SecretRef)}
    mounts = [bind(folder) for folder in _folders(instance)]
    files = [
        File(
            f"{settings}/env",
            templates.text("container.env.j2", {"env": sorted(env.items())}),
            0o600,
        )
    ]
    if spec.api_key is not None and isinstance(key, KeyFile):
        mounts.append(bind(f"{settings}/{key.name}", f"{FOLDER}/{key.name}"))
    elif spec.api_key is not None and isinstance(key, KeyVariable):
        secret_env[key.variable] = secrets.value(spec.api_key)
    entrypoint, *rest = instance.engine.entrypoint or ("",)
    run_entrypoint: str | None = entrypoint if instance.engine.override_entrypoint else None
    before = tuple(rest) if instance.engine.override_entrypoint else ()
    if secret_env:
        text = templates.text("shell.env.j2", {"env": sorted(secret_env.items())})
        files.append(File(f"{settings}/secret-env", text, 0o400, uid=uid, secret=True))
        mounts.append(bind(f"{settings}/secret-env", _SECRET_ENV))
        run_entrypoint = "/bin/sh"
        before = ("-c", _WITH_SECRETS, "xgen", *instance.engine.entrypoint)
    stated = spec.container.mounts or ()
    listen = f"[{spec.listen}]" if ":" in spec.listen else spec.listen
    values = {
        "service": service,
        "project": instance.project,
        "instance": instance.name,
        "digest": instance.digest,
        "image": spec.image or "",
        "uid": uid,
        "userns": instance.docker_userns,
        "shm_size": spec.container.shm_size or command.shm_size,
        "may_compile": command.compiles,
        "mlock": command.mlock,
        "publish": f"{listen}:{spec.port}:{port}",
        "env_file": f"{settings}/env",
        "mounts": (*mounts, *(_stated_mount(m) for m in stated if not _relabels(m))),
        "volumes": tuple(m for m in stated if _relabels(m)),
        "gpu_request": _nvidia_request(instance),
        "devices": _devices(instance),
        "groups": _groups(instance),
        "entrypoint": run_entrypoint,
    }
    return Container(values, before, tuple(files), env)


def proved_image(image: str, state: str | None) -> str:
    """The image that a unit runs: by the ID that was observed, where there is one, because a tag
    can move to another image.
    """
    return state if state and _ID.fullmatch(state) else image


def bind(source: str, target: str | None = None, *, writable: bool = False) -> str:
    """The value of `--mount`: comma-separated fields, quoted as CSV where needed. Read-only unless
    `writable`.
    """
    fields = ["type=bind", f"source={source}", f"target={target or source}"]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields if writable else [*fields, "readonly"])
    return line.getvalue()


def _stated_mount(mount: str) -> str:
    """A mount as the manifest writes it: `/a:/b:ro` or `/a:/b`."""
    source, target, *_ = mount.split(":")
    return bind(source, target, writable="ro" not in mount_options(mount))


def _relabels(mount: str) -> bool:
    """For SELinux: `--mount` has no word for it, `--volume` takes it as the manifest writes it."""
    return not mount_options(mount).isdisjoint({"z", "Z"})


def _folders(instance: Instance) -> tuple[str, ...]:
    """What to mount for the model and what it loads beside it: the host's model folder that has a
    file, else the parent of a model or draft (both may be in several files), else the file itself;
    and where links in there lead.
    """
    spec = instance.spec
    models = (spec.model_path, *((spec.draft.path,) if spec.draft else ()))
    mounts = [_holder(path, instance) or _parent(path) for path in models]
    for path in (f.path for f in spec.beside if f is not spec.draft):
        if not any(_is_in(path, mount) for mount in mounts):
            mounts.append(_holder(path, instance) or path)
    for path in instance.linked_folders:
        if not any(_is_in(path, mount) for mount in mounts):
            mounts.append(path)
    return tuple(dict.fromkeys(mounts))


def _holder(path: str, instance: Instance) -> str | None:
    return next((folder for folder in instance.model_folders if _is_in(path, folder)), None)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0] or "/"


def _nvidia_request(instance: Instance) -> str | None:
    """The value of `--gpus`, by UUID; its inner quotes keep the list one field of Docker's CSV."""
    ids = instance.device_request
    return f'"device={",".join(ids)}"' if ids else None


def _devices(instance: Instance) -> tuple[str, ...]:
    """Inside the container, render nodes are numbered in the engine's order. ROCm's runtime opens
    them by the kernel's number (libhsakmt, `drm_render_minor`), so for ROCm they keep it.
    """
    nodes = [n for n in instance.nodes if "/dri/" in n]
    others = [n for n in instance.nodes if "/dri/" not in n]
    names = [f"/dev/dri/renderD{128 + i}" for i in range(len(nodes))]
    if others:
        names = [g.render_node or n for g, n in zip(instance.gpus, names, strict=True)]
    inside = [f"{node}:{name}" for node, name in zip(nodes, names, strict=True)]
    return (*instance.cdi, *others, *inside)


def _groups(instance: Instance) -> tuple[int, ...]:
    """Group IDs: the `render` group has no fixed number and is missing in many images."""
    return tuple(sorted({instance.groups[n] for n in instance.nodes if n in instance.groups}))
