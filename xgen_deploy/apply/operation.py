"""Carries out one operation of a plan on its host; decides nothing."""

import hashlib
import time

from xgen_deploy.apply.checksum import check_sha256
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import Gate, Good, NotGood
from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.apply.previous import Previous
from xgen_deploy.apply.secrets import resolve_secrets
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import XgenError
from xgen_deploy.plan.operation import Operation
from xgen_deploy.record import InstanceRecord
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.resolve.instance import Instance
from xgen_deploy.transport.base import HostError

_ASK = 60.0
_TIMEOUT = 600.0
_FAILED_LINES = 2000


class Failed(Exception):
    """An operation that did not succeed; `log` are the engine's last lines."""

    def __init__(self, reason: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


def remove(work: HostAtWork, operation: Operation) -> None:
    """Takes an instance away and forgets it; what is not there is no error."""
    name = operation.name
    layout, service = work.layout, work.layout.service(name)
    work.supervision.stop(service)
    if layout.process_dir is None:
        _remove_containers(work, service, *operation.strays)
    if work.session.remove(layout.definition(name)):
        work.supervision.reload()
    work.session.remove(layout.settings(name))
    work.keep(
        instances={k: v for k, v in work.record.instances.items() if k != name},
        pending={k: v for k, v in work.record.pending.items() if k != name},
    )


def _remove_containers(work: HostAtWork, *names: str) -> None:
    cli = work.session.run(["sh", "-c", "command -v docker"], timeout=_ASK).stdout.strip()
    if cli and names:
        work.session.run([cli, "rm", "--force", *names], timeout=_ASK)


def bring_up(work: HostAtWork, operation: Operation, number: int, tell: Listener) -> Good:
    """Create, update or repair: what worked before is put back when the gate is not passed.

    Raises Failed.
    """
    instance = operation.instance
    if instance is None:
        raise XgenError(f"{operation.id}: nothing to bring up")
    secrets = resolve_secrets(instance, work.session)
    rendered = work.rendering.render(instance, secrets)
    check_sha256(work, instance)
    previous = Previous(work, instance.name)
    work.keep(pending={**work.record.pending, instance.name: instance.digest})
    had = previous.keep()
    key = instance.spec.api_key
    began = time.monotonic()
    try:
        _remove_containers(work, *operation.strays)
        good = _start(work, instance, rendered, secrets.value(key) if key else None, tell)
    except (NotGood, HostError) as error:
        log = error.log if isinstance(error, NotGood) else ()
        reason = error.reason if isinstance(error, NotGood) else str(error)
        _keep_failed_log(work, instance, rendered)
        ending = _back(work, instance, rendered, previous, had=had)
        tell(Event(kind="rolled_back", host=work.name, instance=instance.name, text=ending))
        raise Failed(f"{reason}. {ending}", log) from None
    _remember(work, instance, rendered, good, number, time.monotonic() - began)
    if had:
        previous.discard()
    return good


def _start(
    work: HostAtWork, instance: Instance, rendered: Rendered, api_key: str | None, tell: Listener
) -> Good:
    _write(work, instance, rendered)
    tell(Event(kind="start", host=work.name, instance=instance.name, text="starting"))
    work.supervision.start(rendered.service)
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise XgenError(f"{instance.spec.backend} cannot be asked for a real request")
    tell(Event(kind="progress", host=work.name, instance=instance.name, text="loading the model"))
    gate = Gate(instance, rendered.service, backend, work.session, work.supervision, api_key)
    proving = Event(kind="gate", host=work.name, instance=instance.name, text="a real request")
    return gate.wait(instance.declared.update.timeout or _TIMEOUT, lambda: tell(proving))


def _write(work: HostAtWork, instance: Instance, rendered: Rendered) -> None:
    folder = work.layout.settings(instance.name)
    work.session.make_dir(work.layout.etc_dir, mode=0o700)
    work.session.make_dir(folder, mode=0o700)
    for file in rendered.files:
        _write_file(work, file)
    path = rendered.definition.path
    if work.session.read_file(path) != rendered.definition.content.encode():
        _write_file(work, rendered.definition)
        work.supervision.reload()


def _write_file(work: HostAtWork, file: File) -> None:
    work.session.write_file(
        file.path, file.content.encode(), mode=file.mode, uid=file.uid, gid=file.uid
    )


def _back(
    work: HostAtWork, instance: Instance, rendered: Rendered, previous: Previous, *, had: bool
) -> str:
    """The previous version, or nothing at all where there was none; a clause about it."""
    pending = {k: v for k, v in work.record.pending.items() if k != instance.name}
    try:
        if had:
            timeout = instance.declared.update.timeout or _TIMEOUT
            ending = previous.put_back(timeout)
        else:
            work.supervision.stop(rendered.service)
            work.session.remove(rendered.definition.path)
            work.supervision.reload()
            work.session.remove(work.layout.settings(instance.name))
            ending = "It was stopped and taken away; nothing was there before"
        work.keep(pending=pending)
    except HostError as error:
        return f"Putting things back failed too: {error}"
    return ending


def _keep_failed_log(work: HostAtWork, instance: Instance, rendered: Rendered) -> None:
    """It outlives the rollback: `logs --previous` shows it."""
    text = work.supervision.log(rendered.service, None, lines=_FAILED_LINES)
    try:
        work.session.make_dir(f"{work.layout.state_dir}/failed", mode=0o700)
        work.session.write_file(work.layout.failed_log(instance.name), text.encode(), mode=0o600)
    except HostError:  # a full disk must not keep the previous version from coming back
        return


def _remember(
    work: HostAtWork,
    instance: Instance,
    rendered: Rendered,
    good: Good,
    number: int,
    seconds: float,
) -> None:
    definition = rendered.definition
    backend = backend_named(instance.spec.backend)
    entry = InstanceRecord(
        spec=instance.spec,
        digest=instance.digest,
        declared=instance.declared.model_copy(update={"marks": {}}),
        files={definition.path: hashlib.sha256(definition.content.encode()).hexdigest()},
        pins=instance.pins,
        health_path=backend.health_path if backend else "/health",
        applied_at=time.time(),
        apply=number,
        ready_seconds=round(seconds, 1),
        invocation=good.run,
        report=good.report,
    )
    work.keep(
        instances={**work.record.instances, instance.name: entry},
        pending={k: v for k, v in work.record.pending.items() if k != instance.name},
    )
