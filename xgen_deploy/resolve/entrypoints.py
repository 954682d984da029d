"""Whether the program that a build starts is the engine that it is named for."""

from dataclasses import dataclass

from xgen_deploy.backends import registry
from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.entrypoint import StartsNothing, is_python, program_of, shown
from xgen_deploy.state.facts import EngineFacts
from xgen_deploy.state.instance import Engine


@dataclass(frozen=True)
class Wrong:
    """What a build starts instead of the engine, and what to write so that it is the engine."""

    reason: str
    way_out: str


def wrong_program(backend: Backend, build: EngineFacts) -> Wrong | None:
    """None where nothing says that this build is not the engine. An image of which nothing is
    known, for it is still to be pulled, is not judged.
    """
    if build.image is None:
        return _wrong_binary(backend, build.binary or "")
    if not backend.entrypoint or (build.state is None and not build.entrypoint):
        return None
    if not build.entrypoint:
        reason = f"image {build.image} has no ENTRYPOINT"
    elif wrong := _wrong_entrypoint(backend, build.entrypoint):
        reason = f"the ENTRYPOINT of image {build.image}, `{shown(build.entrypoint)}`, {wrong}"
    else:
        return None
    return Wrong(reason, f"State its program: `{_to_write(backend, build.image)}`.")


def taken_to_serve(backend: Backend, engine: Engine) -> str | None:
    """For the reader of the plan, where an image starts something that nobody here knows and its
    `--help` was not read; what the manifest itself states is not questioned.
    """
    if not engine.entrypoint or engine.override_entrypoint or engine.known or not backend.programs:
        return None
    if backend.serves_by(program_of(engine.entrypoint)):
        return None
    return (
        f"image {engine.image} starts `{shown(engine.entrypoint)}`, which is taken to end in "
        f"`{shown(backend.entrypoint)}`; if it does not, state `{_to_write(backend, engine.image)}`"
    )


def _wrong_entrypoint(backend: Backend, entrypoint: tuple[str, ...]) -> str | None:
    if not backend.programs:
        return None
    try:
        program = program_of(entrypoint)
    except StartsNothing as error:
        return str(error)
    if backend.serves_by(program):
        return None
    if program.name in backend.programs | backend.not_serving:
        return "does not serve"
    other = next((b for b in registry.ENGINES if program.name in b.programs), None)
    return f"is {other.title}" if other is not None else None


def _wrong_binary(backend: Backend, path: str) -> Wrong | None:
    """A Python is no engine, but where the engine is a module of it."""
    if not backend.entrypoint or is_python(backend.entrypoint[0]) or not is_python(path):
        return None
    beside = f"{path.rpartition('/')[0]}/{backend.entrypoint[0]}"
    return Wrong(
        f"{path} is a Python, not {backend.title}",
        f"Name its own program: `binaries: {{{backend.name}: {beside}}}`.",
    )


def _to_write(backend: Backend, image: str | None) -> str:
    words = ", ".join(backend.entrypoint)
    return f"images: {{{backend.name}: {{image: {image}, entrypoint: [{words}]}}}}"
