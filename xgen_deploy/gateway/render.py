"""Renders a gateway's files from its spec: configuration, keys, unit. Pure."""

import zlib
from collections.abc import Mapping

from xgen_deploy.gateway.config import Places, config_text, keys_text
from xgen_deploy.gateway.keys import GatewayKeys, placeholder_keys
from xgen_deploy.render.docker import bind, proved_image
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.render.templates import Templates
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import GATEWAY, PRIVILEGED, GatewaySpec
from xgen_deploy.state.gateway_paths import (
    config_file,
    gateway_socket,
    keys_file,
    proof_key_file,
    run_folder,
)
from xgen_deploy.state.layout import Layout

_UID_BASE = 0x70000000
_BIND_LOW_PORTS = "CAP_NET_BIND_SERVICE"
# Paths reach this fixed script as arguments. The folder's owner is the user that HAProxy runs as.
_COPY = (
    'set -e; owner=$(stat -L -c %u "$0"); group=$(stat -L -c %g "$0"); '
    'while [ $# -gt 1 ]; do install -m 0400 -o "$owner" -g "$group" -T "$1" "$0$2"; shift 2; done'
)
_Argv = tuple[str, ...]


def render_gateway(
    spec: GatewaySpec,
    layout: Layout,
    templates: Templates,
    keys: GatewayKeys | None = None,
    old_keys: Mapping[str, SecretText] | None = None,
) -> Rendered:
    """Without `keys` placeholders are rendered; `old_keys`: model -> its previous key. Raises
    ValueError for a value that cannot be written safely.
    """
    run = run_folder(layout)
    places = Places(socket=gateway_socket(layout), tls=f"{run}/tls.pem")
    uid = gateway_uid(layout.project)
    config = config_text(spec, places, templates, old_keys=old_keys or {})
    keys_config = keys_text(spec, keys or placeholder_keys(spec), templates, old_keys)
    proof = keys.proof if keys else None
    proof_key = (File(proof_key_file(layout), proof.reveal(), 0o600, secret=True),) if proof else ()
    files = (
        *proof_key,
        File(keys_file(layout), keys_config, 0o600, secret=True),
        File(config_file(layout), config, 0o600),
    )
    values = {
        "project": layout.project,
        "service": layout.service(GATEWAY),
        "uid": uid,
        "fetch_argv": _fetch(spec, layout, run),
        "capabilities": _BIND_LOW_PORTS if spec.port < PRIVILEGED else "",
    }
    read = ("-f", f"{run}/keys.cfg", "-f", f"{run}/haproxy.cfg")
    if spec.image is None:
        binary = spec.binary or ""
        argv: _Argv = (binary, "-Ws", *read)
        values |= {"argv": argv, "check_argv": (binary, "-c", *read)}
        unit = templates.text("gateway.service.j2", values)
    else:
        argv, docker_values = _container(spec, spec.image, layout, templates, read)
        unit = templates.text("gateway-docker.service.j2", values | docker_values)
    definition = File(layout.definition(GATEWAY), unit, 0o644)
    return Rendered(layout.service(GATEWAY), definition, files, argv, {})


def gateway_uid(project: str) -> int:
    """The uid of the gateway's container, the same at every apply."""
    return _UID_BASE + zlib.crc32(f"{project}/{GATEWAY}".encode()) % 0x0FFF0000


def _fetch(spec: GatewaySpec, layout: Layout, run: str) -> _Argv:
    """The command that copies what HAProxy reads, readable by its user alone. Each reload runs it
    again, so a renewed certificate needs nothing but a reload.
    """
    files = [(config_file(layout), "haproxy.cfg"), (keys_file(layout), "keys.cfg")]
    if spec.tls is not None:
        files += [(spec.tls.cert, "tls.pem"), (spec.tls.key, "tls.pem.key")]
    return ("/bin/sh", "-c", _COPY, f"{run}/", *(word for pair in files for word in pair))


def _container(
    spec: GatewaySpec, image: str, layout: Layout, templates: Templates, read: _Argv
) -> tuple[_Argv, dict[str, object]]:
    """The command that runs the container, and the values of its unit's template."""
    folder = run_folder(layout)
    cli, service, uid = spec.docker_cli, layout.service(GATEWAY), gateway_uid(layout.project)
    program, *rest = spec.entrypoint or ("haproxy",)
    values = {
        "service": service,
        "project": layout.project,
        "uid": uid,
        "userns": spec.docker_userns,
        "image": image,
        "mount": bind(folder, writable=True),
        "entrypoint": program if spec.entrypoint else None,
    }
    run = templates.arguments("gateway-docker-run.args.j2", values)
    before = tuple(rest) if spec.entrypoint else ()
    proved = proved_image(image, spec.image_state)
    argv = (cli, "run", *run, proved, *before, "-W", "-db", *read)
    return argv, {
        "argv": argv,
        "image": image,
        "docker_unit": spec.docker_unit,
        "own_argv": (
            "/usr/bin/install",
            "-d",
            "-m",
            "0700",
            "-o",
            str(uid),
            "-g",
            str(uid),
            folder,
        ),
        "empty_argv": ("/bin/rm", "-rf", folder),
        "remove_argv": (cli, "rm", "--force", service),
        "stop_argv": (cli, "stop", "--time", "30", service),
        "check_argv": (cli, "exec", service, program, *rest, "-c", *read),
        "signal_argv": (cli, "kill", "--signal", "USR2", service),
    }
