"""The engine builds of this host: whether they are there, and which options they have."""

from __future__ import annotations

import glob
import os
from typing import Any

from xgen_deploy.probe.remote.build_state import build_state
from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.docker_facts import SOCKET
from xgen_deploy.probe.remote.files import file_state, learned
from xgen_deploy.probe.remote.parts import side_by_side

HELP_PATIENCE = 12.0


class Cannot(Exception):
    """Why an engine build cannot be used."""


def engines(requests: list[dict[str, Any]], state_dir: str, socket: str = SOCKET) -> dict[str, Any]:
    """Builds are asked side by side, and one that several backends name is asked once."""
    known = learned(state_dir, "engines")
    builds = {_build(request): request for request in requests}
    answers = side_by_side(lambda item: engine(item, known, socket), list(builds.values()))
    by_build = dict(zip(builds, answers))
    return {
        "engines": [
            dict(by_build[_build(request)], backend=request["backend"]) for request in requests
        ]
    }


def _build(request: dict[str, Any]) -> tuple[Any, ...]:
    place = (request.get("binary"), request.get("image"), tuple(request.get("entrypoint") or ()))
    pushed = (request.get("pushed") or {}).get("ids")
    how = (request.get("may_pull"), request.get("login"), request.get("has_help"))
    return (*place, *how, tuple(pushed or ()))


def engine(request: dict[str, Any], known: dict[str, Any], socket: str) -> dict[str, Any]:
    """`request` and the answer are as in EngineRequest and EngineFacts."""
    facts = {key: request.get(key) for key in ("backend", "binary", "image")}
    facts["entrypoint"] = request.get("entrypoint") or []
    try:
        if request.get("image"):
            _ask_image(facts, request, known, socket)
        elif request.get("binary"):
            _ask_binary(facts, request, known)
        else:
            raise Cannot("neither a binary nor an image is named for it")
    except Cannot as error:
        facts["error"] = str(error)
    except Exception as error:  # a fault in one build must not hide the others
        facts["error"] = f"{type(error).__name__}: {error}"
    return facts


def _ask_binary(facts: dict[str, Any], request: dict[str, Any], known: dict[str, Any]) -> None:
    path = facts["binary"]
    if not os.path.isfile(path):
        raise Cannot(f"{path} is not there")
    if not os.access(path, os.X_OK):
        raise Cannot(f"{path} is not executable")
    libraries = sorted(glob.glob(os.path.join(os.path.dirname(os.path.realpath(path)), "lib*.so*")))
    files = [path, *filter(os.path.isfile, libraries)]
    facts["state"] = build_state(path, files[1:]) or file_state(files)
    if _recall(facts, request, known) or not request.get("has_help"):
        return
    answer = run([path, "--help"], HELP_PATIENCE, not request.get("as_login"))
    if answer.code != 0:
        raise Cannot(f"{path} --help, run without privileges: {answer.complaint}")
    _understand(facts, answer.out or answer.err)


def _ask_image(
    facts: dict[str, Any], request: dict[str, Any], known: dict[str, Any], socket: str
) -> None:
    from xgen_deploy.probe.remote import docker_image  # only where an image is named

    image = facts["image"]
    try:
        seen = docker_image.inspect(socket, image)
    except OSError as error:
        raise Cannot(f"Docker is not usable: {error}") from None
    pushed = request.get("pushed")
    if pushed and seen.status in (200, 404):
        _look_for(request, facts, seen.value if seen.status == 200 else None, socket)
    if seen.status == 404:
        _ask_registry(facts, request, socket)
    if seen.status != 200:
        raise Cannot(f"Docker says of {image}: {seen.complaint}")
    config = seen.value.get("Config") or {}
    facts["state"] = seen.value["Id"]
    facts["user"] = config.get("User") or None
    facts["entrypoint"] = facts["entrypoint"] or config.get("Entrypoint") or []
    if not facts["entrypoint"]:
        raise Cannot(f"image {image} has no ENTRYPOINT; state {{image: …, entrypoint: […]}}")
    if _recall(facts, request, known) or not request.get("has_help"):
        return
    try:
        text = docker_image.help_text(socket, facts["state"], facts["entrypoint"], HELP_PATIENCE)
    except (OSError, ValueError, RuntimeError) as error:
        raise Cannot(f"{image} --help in a container: {error}") from None
    _understand(facts, text)


def _look_for(request: dict[str, Any], facts: dict[str, Any], seen: Any, socket: str) -> None:
    from xgen_deploy.probe.remote import docker_layers  # only where images are pushed or locked

    pushed = request["pushed"]
    if seen is None and request.get("may_pull"):
        return
    if seen is not None and docker_layers.is_same(seen, pushed):
        return
    facts["layers_there"] = docker_layers.layers_there(socket, pushed["layers"])
    other = "is another one on this host" if seen is not None else "is not on this host"
    raise Cannot("image {} {}".format(facts["image"], other))


def _ask_registry(facts: dict[str, Any], request: dict[str, Any], socket: str) -> None:
    problem = "image {} is not on this host".format(facts["image"])
    if request.get("may_pull") and request.get("login"):
        facts["pullable"] = True
        problem += ", and its registry is asked with a login"
    elif request.get("may_pull"):
        from xgen_deploy.probe.remote import docker_image

        refusal = docker_image.pullable(socket, facts["image"])
        facts["pullable"] = refusal is None
        problem += ", but a registry has it" if refusal is None else "; " + refusal
    raise Cannot(problem)


def _recall(facts: dict[str, Any], request: dict[str, Any], known: dict[str, Any]) -> bool:
    entry = known.get(facts["state"])
    if not isinstance(entry, dict):
        return False
    if list(entry.get("entrypoint", facts["entrypoint"])) != list(facts["entrypoint"]):
        return False
    reading = entry.get("reading", 1)
    if reading < request.get("reading", 1):
        return False
    facts.update(flags=entry.get("flags", []), markers=entry.get("markers", []))
    facts.update(reading=reading, cached=True)
    return True


def _understand(facts: dict[str, Any], text: str) -> None:
    from xgen_deploy.probe.remote.engine_help import READING, read_help  # seldom asked

    said = read_help(text)
    if not said.flags:
        raise Cannot(f"its --help lists no options; it begins with `{text.strip()[:120]}`")
    facts.update(flags=said.flags, markers=said.markers, reading=READING)
