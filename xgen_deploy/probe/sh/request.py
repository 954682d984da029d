"""The request as the shell reads it: values in quotes, words of our own around them. Pure."""

import shlex
from collections.abc import Iterable, Iterator

from xgen_deploy.probe.remote.engines import ASKED
from xgen_deploy.state.facts import EngineRequest, ModelRequest, ProbeRequest


def shell_request(request: ProbeRequest) -> str:
    """Shell text that sets variables and defines what is asked for.

    Whatever a value holds, the shell takes it as one word and runs none of it. Raises ValueError
    for a value that holds a NUL, which no shell can carry.
    """
    values = {
        "project": request.project,
        "state_dir": request.state_dir,
        "etc_dir": request.etc_dir,
        "deadline": str(max(1, int(request.deadline))),
        "software_gpu": str(request.software_gpu),
        "health": "yes" if request.health else "no",
        "gateway_stats": request.gateway_stats or "",
        "watchdog": request.watchdog or "",
    }
    lines = [f"{name}={_word(value)}" for name, value in values.items()]
    lines += _function("ask_files", (("file_facts", path) for path in request.files))
    units = request.units.items()
    lines += _function("ask_units", (("unit_named", name, *pair) for name, pair in units))
    lines += _function("ask_models", (_model(one) for one in request.models))
    lines += _function("ask_engines", _engines(request.engines))
    return "\n".join(lines) + "\n"


def _model(one: ModelRequest) -> tuple[str, ...]:
    return ("model", one.key, one.source, one.revision, one.model_dir, one.hf_home)


def _engines(wanted: tuple[EngineRequest, ...]) -> Iterator[tuple[str, ...]]:
    """A build that several backends name is asked once."""
    builds: dict[tuple[str, ...], list[EngineRequest]] = {}
    for one in wanted:
        flags = (one.backend.startswith(ASKED), one.as_login, one.may_pull)
        words = (*("yes" if flag else "no" for flag in flags), one.binary or "", one.image or "")
        builds.setdefault((*words, "--", *(one.entrypoint or ())), []).append(one)
    for build, named in builds.items():
        yield ("engine", *build[:5], *(one.backend for one in named), *build[5:])


def _function(name: str, calls: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"{name}() {{", ":", *(" ".join(map(_word, call)) for call in calls), "}"]


def _word(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"no shell can carry a NUL: {text!r}")
    return shlex.quote(text)
