"""Renders an instance's files: one method for each runtime, around the same engine command."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from xgen_deploy.backends.base import Backend, Command, KeyFile, Place, Unsupported
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.render import docker
from xgen_deploy.render.environment import environment, has_secret, key_file, key_files
from xgen_deploy.render.mount_units import mount_units
from xgen_deploy.render.put_back import put_back_script, put_back_unit
from xgen_deploy.render.rendered import File, Rendered, Secrets
from xgen_deploy.render.templates import Templates
from xgen_deploy.render.unit_commands import (
    file_wait_argv,
    gpu_wait_argv,
    pause_argvs,
    pauses_itself,
    with_gpu_numbers,
)
from xgen_deploy.render.watchdog import watchdog_files
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.record import Record

# Above every range that systemd or login.defs assigns (systemd's UIDS-GIDS: unused).
_UID_BASE = 0x70000000


@dataclass(frozen=True)
class Renderer:
    """What rendering needs on every host: the templates, and the Python interpreter with which the
    process runtime's supervisor starts engines.
    """

    templates: Templates
    python: str

    def on(self, layout: Layout) -> "Rendering":
        return Rendering(layout, self.templates, self.python)


class Rendering:
    """Renders the instances of one host. Pure: templates and secrets are given as values.

    `python` is the interpreter with which the process runtime's supervisor starts engines.
    """

    def __init__(self, layout: Layout, templates: Templates, python: str = "python3") -> None:
        self._layout = layout
        self._templates = templates
        self._python = python

    @property
    def templates(self) -> Templates:
        return self._templates

    def render(self, instance: Instance, secrets: Secrets | None = None) -> Rendered:
        """Without `secrets`, placeholders stand in for them. Raises Unsupported when the engine's
        build cannot do what was asked, ValueError when a value cannot be written safely.
        """
        secrets = secrets or Secrets()
        if instance.spec.runtime == "docker":
            return self._docker(instance, secrets)
        if instance.spec.runtime == "systemd":
            return self._systemd(instance, secrets)
        return self._process(instance, secrets)

    def put_back(self) -> str:
        """The script that restores an instance's previous version (see render/put_back.py)."""
        return put_back_script(self._layout, self._templates)

    def put_back_unit(self, name_on_host: str, script: Sequence[str]) -> str:
        """The unit that runs `script` (path and arguments) at the next boot."""
        return put_back_unit(name_on_host, script, self._layout, self._templates)

    def watchdog(self, record: Record, python: str | None) -> tuple[File, ...]:
        """The watchdog's files (see watchdog/remote.py); `python` is the host's interpreter."""
        return watchdog_files(record, self._layout, self._templates, python)

    def supervisor(self) -> str:
        """The configuration of the process runtime's supervisor."""
        return self._templates.text("supervisord.conf.j2", {"dir": self._layout.supervisor_folder})

    def _arguments(self, command: Command) -> tuple[str, ...]:
        return self._templates.arguments(command.template, command.values) + command.extra

    def _systemd(self, instance: Instance, secrets: Secrets) -> Rendered:
        spec, settings = instance.spec, self._layout.settings(instance.name_on_host)
        service = self._layout.service(instance.name_on_host)
        backend = _backend(instance)
        key = key_file(instance, backend)
        place = self._place(instance, f"/run/credentials/{service}.service", key)
        command = backend.command(instance, place)
        argv = (spec.binary or "", *self._arguments(command))
        env = environment(instance, backend, command, secrets)
        files = key_files(instance, key, settings, secrets, self._templates, uid=0)
        if env:
            text = self._templates.text("instance.env.j2", {"env": sorted(env.items())})
            secret = has_secret(instance, backend)
            files = (*files, File(f"{settings}/env", text, 0o600, secret=secret))
        values = self._unit_values(instance) | {
            "argv": with_gpu_numbers(command.numbered_gpus, argv),
            "env_file": f"{settings}/env" if env else None,
            "api_key_file": f"{settings}/{key.name}" if key else None,
            "api_key_name": key.name if key else None,
            "mlock": command.mlock,
            "groups": tuple(g for g in ("video", "render") if g in instance.groups)
            if instance.gpus and not instance.software_gpu
            else (),
            "private_devices": not instance.gpus,
            "nodes": instance.nodes,
        }
        unit = self._templates.text("systemd.service.j2", values)
        definition = File(self._layout.definition(instance.name_on_host), unit, 0o644)
        return Rendered(service, definition, files, argv, env)

    def _docker(self, instance: Instance, secrets: Secrets) -> Rendered:
        backend = _backend(instance)
        port, key = backend.container_port, key_file(instance, backend)
        place = Place(
            instance.spec.model_path,
            "0.0.0.0",  # noqa: S104 - inside
            port,
            f"{docker.FOLDER}/{key.name}" if key else None,
            contained=True,
        )
        command = backend.command(instance, place)
        arguments = self._arguments(command)
        service, uid = self._layout.service(instance.name_on_host), container_uid(instance)
        settings = self._layout.settings(instance.name_on_host)
        box = docker.container(
            instance,
            command,
            service,
            settings,
            uid,
            port,
            backend.api_key,
            secrets,
            self._templates,
        )
        run = (
            *self._templates.arguments("docker-run.args.j2", box.values),
            *(instance.spec.container.args or ()),
        )
        image = docker.proved_image(instance.spec.image or "", instance.spec.engine_state)
        argv = (instance.docker_cli, "run", *run, image, *box.before, *arguments)
        values = self._unit_values(instance) | {
            "argv": argv,
            "image": instance.spec.image or "",
            "docker_unit": instance.docker_unit,
            "remove_argv": (instance.docker_cli, "rm", "--force", service),
            "stop_argv": (instance.docker_cli, "stop", "--time", "30", service),
        }
        unit = self._templates.text("docker.service.j2", values)
        definition = File(self._layout.definition(instance.name_on_host), unit, 0o644)
        files = key_files(instance, key, settings, secrets, self._templates, uid=uid) + box.files
        return Rendered(service, definition, files, argv, box.env)

    def _process(self, instance: Instance, secrets: Secrets) -> Rendered:
        spec, settings = instance.spec, self._layout.settings(instance.name_on_host)
        backend = _backend(instance)
        key = key_file(instance, backend)
        place = self._place(instance, settings, key)
        command = backend.command(instance, place)
        argv = (spec.binary or "", *self._arguments(command))
        env = environment(instance, backend, command, secrets)
        run = with_gpu_numbers(command.numbered_gpus, argv)
        start = json.dumps({"argv": run, "env": env}, indent=1, ensure_ascii=False)
        service = self._layout.service(instance.name_on_host)
        text = self._templates.text(
            "program.conf.j2",
            {
                "service": service,
                "argv": (self._python, "-I", "-m", "xgen_deploy.launch", f"{settings}/start.json"),
                "log": self._layout.supervisor_log(instance.name),
                "digest": instance.digest,
            },
        )
        files = (
            *key_files(instance, key, settings, secrets, self._templates, uid=0),
            File(f"{settings}/start.json", start, 0o600, secret=has_secret(instance, backend)),
        )
        definition = File(self._layout.definition(instance.name_on_host), text, 0o600)
        return Rendered(service, definition, files, argv, env)

    def _place(self, instance: Instance, folder: str, key: KeyFile | None) -> Place:
        spec = instance.spec
        file = f"{folder}/{key.name}" if key else None
        return Place(spec.model_path, spec.listen, spec.port, file)

    def _unit_values(self, instance: Instance) -> dict[str, object]:
        unit = f"{self._layout.service(instance.name_on_host)}.service"
        return {
            "project": instance.project,
            "model": instance.spec.model,
            "instance": instance.name,
            "digest": instance.digest,
            "wait_argvs": tuple(filter(None, _waits(instance))),
            "mounts": mount_units(instance.mounted_folders),
            "pause_argvs": () if pauses_itself(instance.systemd) else pause_argvs(unit),
            "after": tuple(
                f"{self._layout.service(n)}{slot}.service"
                for n in instance.share
                for slot in ("", SECOND)
            ),
        }


def _waits(instance: Instance) -> tuple[tuple[str, ...], ...]:
    return gpu_wait_argv(instance.gpus), file_wait_argv(instance.awaited_files)


def container_uid(instance: Instance) -> int:
    """The uid of an instance's container, its own and the same at every apply."""
    name = f"{instance.project}/{instance.name}"
    return _UID_BASE + zlib.crc32(name.encode()) % 0x0FFF0000


def _backend(instance: Instance) -> Backend:
    backend = backend_named(instance.spec.backend)
    if backend is None:
        raise Unsupported(f"this version of xgen-deploy knows no backend {instance.spec.backend}")
    return backend
