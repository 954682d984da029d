"""Before anything is stopped: images are fetched, and the SHA-256 of a model is checked."""

import json
from collections.abc import Callable

from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.resolve.registry_hint import registry_hint
from xgen_deploy.secrets.registry import RegistryLogin
from xgen_deploy.state.image_name import full_name
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.lock_file import LockFile
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.transport.base import Completed, HostError, Session
from xgen_deploy.transport.program import pulling_program

_HOUR = 3600.0
_MINUTE = 60.0


class NotPulled(XgenError):
    """A host could not pull an image; nothing was changed there."""

    def __init__(self, host: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{host}: {reason}" + (f"\n  {hint}" if hint else ""))
        self.host = host
        self.reason = reason
        self.hint = hint


Login = Callable[[str], RegistryLogin | None]


def pull_images(
    plan: HostPlan,
    session: Session,
    tell: Listener,
    login: Login,
    python: str,
    lock: LockFile | None = None,
) -> bool:
    """Whether anything was pulled: the plan must then be made again, for a build that was not
    there could not be asked what it can do. `login` is what the manifest has for an image's
    registry, `python` the interpreter of the host. A locked image is pulled by its digest. Raises
    NotPulled.
    """
    images = {
        (o.instance.docker_cli, o.instance.spec.image)
        for o in plan.operations
        if o.instance is not None and o.instance.engine.pull and o.instance.spec.image
    }
    images |= {
        (o.gateway.docker_cli, o.gateway.image)
        for o in plan.operations
        if o.gateway is not None and o.gateway.image and o.gateway.image_state is None
    }
    for cli, image in sorted(images):
        tell(Event(kind="progress", host=plan.host, text=f"pulling {image}"))
        known = login(image)
        locked = lock.image(image) if lock is not None else None
        name = locked.pinned if locked is not None else image
        if known is None:
            done = session.run([cli, "pull", "--quiet", name], timeout=_HOUR)
        else:
            done = _with_login(name, known, session, python)
        if done.returncode == 0 and name != image:
            done = session.run([cli, "tag", name, image], timeout=_MINUTE)
        if done.returncode != 0:
            error = done.complaint or "no reason given"
            hint = registry_hint(plan.host, image, error)
            raise NotPulled(plan.host, f"pulling {image} failed: {error}", hint)
    return bool(images)


def _with_login(image: str, login: RegistryLogin, session: Session, python: str) -> Completed:
    """By the daemon itself, so that the login is written nowhere."""
    asked = {
        "image": full_name(image),
        "user": login.user,
        "password": login.password.reveal(),
        "registry": login.registry,
    }
    program = pulling_program().decode()
    return session.run([python, "-c", program], timeout=_HOUR, stdin=json.dumps(asked).encode())


def check_sha256(context: HostContext, instance: Instance) -> None:
    """Once for each state of the file. Raises HostError where the content differs."""
    spec = instance.spec
    if spec.sha256 is None:
        return
    last = context.record.instances.get(instance.name)
    if last and (last.spec.sha256, last.spec.model_state) == (spec.sha256, spec.model_state):
        return
    _check(context, spec.model_path, spec.sha256.lower(), "stated", "the manifest")


def check_locked_files(
    context: HostContext, instance: Instance, tell: Callable[[str], None]
) -> None:
    """Once for each state of the files. Raises HostError where one is not what the lock says."""
    spec, last = instance.spec, context.record.instances.get(instance.name)
    if last is not None and last.declared is not None:
        same_lock = last.declared.locked == instance.declared.locked
        before = (last.spec.model_state, last.spec.beside)
        if same_lock and before == (spec.model_state, spec.beside):
            return
    for path, digest in instance.unproved_files.items():
        tell(f"checking the SHA-256 of {path}")
        _check(context, path, digest, "locked", "the lock file")


def _check(context: HostContext, path: str, expected: str, kind: str, by: str) -> None:
    """Raises HostError."""
    done = context.session.run(["sha256sum", "--", path], timeout=_HOUR)
    digest = done.stdout.split(" ", 1)[0].lstrip("\\")
    if done.returncode != 0:
        reason = f"the SHA-256 of {path} could not be computed: {done.stderr.strip()}"
        raise HostError(context.name, reason)
    if digest != expected:
        raise HostError(
            context.name,
            f"{path} is not the {kind} file: its SHA-256 is {digest}, {by} says {expected}",
        )
