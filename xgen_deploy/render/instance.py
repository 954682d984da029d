"""From an instance to its files: one function a runtime, over the same engine command."""

import json
import zlib
from collections.abc import Mapping

from xgen_deploy.backends.base import Place, Unsupported
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.layout import Layout
from xgen_deploy.manifest.schema import SecretRef
from xgen_deploy.render import docker
from xgen_deploy.render.rendered import File, Rendered, Secrets
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.instance import Instance

# Above every range that systemd or login.defs hands out (systemd's UIDS-GIDS: unused).
_UID_BASE = 0x70000000


class Rendering:
    """Renders instances of one host. Pure: texts of templates and secrets come in as values.

    `python` is the interpreter that the process runtime's supervisor starts programs with.
    """

    def __init__(self, layout: Layout, templates: Templates, python: str = "python3") -> None:
        self._layout = layout
        self._templates = templates
        self._python = python

    def render(self, instance: Instance, secrets: Secrets | None = None) -> Rendered:
        """Raises Unsupported when the engine's build cannot do what was asked, and ValueError
        when a value cannot be written safely.
        """
        chosen = secrets or Secrets()
        if instance.spec.runtime == "docker":
            return self._docker(instance, chosen)
        if instance.spec.runtime == "systemd":
            return self._systemd(instance, chosen)
        return self._process(instance, chosen)

    def put_back(self) -> str:
        """The script that puts an instance's previous version back, on the host by itself."""
        return self._templates.text("put-back.sh.j2", {})

    def supervisor(self) -> str:
        """The configuration of the process runtime's supervisor."""
        return self._templates.text("supervisord.conf.j2", {"dir": self._layout.process_dir})

    def _command(self, instance: Instance, place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
        backend = backend_named(instance.spec.backend)
        if backend is None:
            raise Unsupported(f"this version cannot serve with {instance.spec.backend} yet")
        command = backend.command(instance, place)
        arguments = self._templates.arguments(command.template, command.values)
        return arguments + (instance.spec.llama.extra_args or ()), dict(command.env)

    def _systemd(self, instance: Instance, secrets: Secrets) -> Rendered:
        spec, settings = instance.spec, self._layout.settings(instance.name)
        service = self._layout.service(instance.name)
        credential = f"/run/credentials/{service}.service/api-key"
        place = self._place(instance, credential)
        arguments, own = self._command(instance, place)
        argv = (spec.binary or "", *arguments)
        env = own | _values(spec.env, secrets)
        files = self._key_file(instance, secrets, uid=0)
        if env:
            text = self._templates.text("instance.env.j2", {"env": sorted(env.items())})
            files = (*files, File(f"{settings}/env", text, 0o600, secret=_has_secret(spec.env)))
        values = self._unit_values(instance) | {
            "argv": argv,
            "env_file": f"{settings}/env" if env else None,
            "api_key_file": f"{settings}/api-key" if spec.api_key else None,
            "mlock": bool(spec.llama.mlock),
            "groups": tuple(g for g in ("video", "render") if g in instance.groups)
            if instance.gpus and not instance.software_gpu
            else (),
            "private_devices": not instance.gpus,
            "nodes": instance.nodes,
        }
        unit = self._templates.text("systemd.service.j2", values)
        definition = File(self._layout.definition(instance.name), unit, 0o644)
        return Rendered(service, definition, files, argv, env)

    def _docker(self, instance: Instance, secrets: Secrets) -> Rendered:
        backend = backend_named(instance.spec.backend)
        port = backend.container_port if backend else instance.spec.port
        key = docker.API_KEY if instance.spec.api_key else None
        place = Place(instance.spec.model_path, "0.0.0.0", port, key)  # noqa: S104 - inside
        arguments, own = self._command(instance, place)
        service, uid = self._layout.service(instance.name), container_uid(instance)
        box = docker.container(
            instance,
            service,
            self._layout.settings(instance.name),
            uid,
            port,
            own,
            secrets,
            self._templates,
        )
        run = (
            *self._templates.arguments("docker-run.args.j2", box.values),
            *(instance.spec.container.args or ()),
        )
        image = instance.spec.image or ""
        argv = (instance.docker_cli, "run", *run, image, *box.before, *arguments)
        values = self._unit_values(instance) | {
            "argv": argv,
            "remove_argv": (instance.docker_cli, "rm", "--force", service),
            "stop_argv": (instance.docker_cli, "stop", "--time", "30", service),
        }
        unit = self._templates.text("docker.service.j2", values)
        definition = File(self._layout.definition(instance.name), unit, 0o644)
        files = self._key_file(instance, secrets, uid=uid) + box.files
        return Rendered(service, definition, files, argv, box.env)

    def _process(self, instance: Instance, secrets: Secrets) -> Rendered:
        spec, settings = instance.spec, self._layout.settings(instance.name)
        place = self._place(instance, f"{settings}/api-key")
        arguments, own = self._command(instance, place)
        argv = (spec.binary or "", *arguments)
        env = own | _values(spec.env, secrets)
        start = json.dumps({"argv": argv, "env": env}, indent=1, ensure_ascii=False)
        service = self._layout.service(instance.name)
        text = self._templates.text(
            "program.conf.j2",
            {
                "service": service,
                "argv": (self._python, "-I", "-m", "xgen_deploy.launch", f"{settings}/start.json"),
                "log": self._layout.log(instance.name),
                "digest": instance.digest,
            },
        )
        files = (
            *self._key_file(instance, secrets, uid=0),
            File(f"{settings}/start.json", start, 0o600, secret=_has_secret(spec.env)),
        )
        definition = File(self._layout.definition(instance.name), text, 0o600)
        return Rendered(service, definition, files, argv, env)

    def _place(self, instance: Instance, key_file: str) -> Place:
        spec = instance.spec
        return Place(spec.model_path, spec.listen, spec.port, key_file if spec.api_key else None)

    def _key_file(self, instance: Instance, secrets: Secrets, *, uid: int) -> tuple[File, ...]:
        ref = instance.spec.api_key
        if ref is None:
            return ()
        path = f"{self._layout.settings(instance.name)}/api-key"
        mode = 0o400 if uid else 0o600
        return (File(path, secrets.value(ref) + "\n", mode, uid=uid, secret=True),)

    def _unit_values(self, instance: Instance) -> dict[str, object]:
        return {
            "project": instance.project,
            "model": instance.spec.model,
            "instance": instance.name,
            "digest": instance.digest,
            "after": tuple(f"{self._layout.service(n)}.service" for n in instance.share),
        }


def container_uid(instance: Instance) -> int:
    """The user of an instance's container: its own, the same at every apply."""
    name = f"{instance.project}/{instance.name}"
    return _UID_BASE + zlib.crc32(name.encode()) % 0x0FFF0000


def _values(env: Mapping[str, str | SecretRef], secrets: Secrets) -> dict[str, str]:
    return {k: secrets.value(v) if isinstance(v, SecretRef) else v for k, v in env.items()}


def _has_secret(env: Mapping[str, str | SecretRef]) -> bool:
    return any(isinstance(v, SecretRef) for v in env.values())
