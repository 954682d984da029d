"""What is not as it was written: a unit, its drop-ins, its settings and secrets. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.state.facts import HostFacts, ServiceFacts

DISABLED = "the unit is disabled: it would not start at boot"


@dataclass(frozen=True)
class FileDrift:
    """`clause` says what is wrong. `content`: it says something else than what was written, and not
    only lies there otherwise. `secret`: it is a secret's, which only a change delivers again.
    """

    path: str
    clause: str
    content: bool = True
    secret: bool = False


def file_drift(
    definition: str,
    unit: ServiceFacts | None,
    written: Mapping[str, str],
    facts: HostFacts,
    rendered: Rendered | None,
    secrets: Iterable[str] = (),
) -> Iterator[FileDrift]:
    """`written` maps the files that were written to the SHA-256 of their content, `definition` is
    the unit or program among them, `secrets` are the paths of those that hold a secret. `rendered`
    are the files as this version writes them: those without a digest are looked for where these
    are the very ones that were written.
    """
    if unit is None or unit.sha256 is None:
        yield FileDrift(definition, f"{definition} is missing")
    elif unit.sha256 != written.get(definition):
        yield FileDrift(definition, f"{definition} was edited by hand")
    for file in facts.edited:
        if file.path in written and file.path != definition:
            how = "was edited by hand" if file.exists else "is missing"
            yield FileDrift(file.path, f"{file.path} {how}")
    if unit is not None and unit.overridden:
        yield FileDrift(
            f"{definition}.d", f"drop-ins change the unit: {', '.join(unit.overridden)}"
        )
    if not any(f.kind == "denied" for f in facts.etc_files):
        lying = {f.path for f in facts.etc_files}
        gone = (path for path in secrets if path not in lying)
        yield from (FileDrift(path, f"{path} is missing", secret=True) for path in gone)
    if rendered is not None and is_reproducible(rendered, written):
        yield from _lying_otherwise(rendered, written, facts)
    if unit is not None and unit.kind == "unit" and unit.enabled is False:
        yield FileDrift(definition, DISABLED, content=False)


def is_reproducible(rendered: Rendered, written: Mapping[str, str]) -> bool:
    """Whether this version writes what was written: an older one's templates may say otherwise."""
    return written.get(rendered.definition.path) == digest(rendered.definition)


def digest(file: File) -> str:
    """SHA-256 of its content."""
    return sha256(file.content.encode()).hexdigest()


def _lying_otherwise(
    rendered: Rendered, written: Mapping[str, str], facts: HostFacts
) -> Iterator[FileDrift]:
    """Files that are gone, and those that more can read than should."""
    if any(f.kind == "denied" for f in facts.etc_files):
        return
    lying = {f.path: f for f in facts.etc_files}
    for file in rendered.files:
        seen = lying.get(file.path)
        if seen is None and file.path not in written and not file.secret:
            yield FileDrift(file.path, f"{file.path} is missing")
        elif seen is not None and (seen.mode or 0) & ~file.mode:
            modes = f"mode {seen.mode:04o} instead of {file.mode:04o}"
            yield FileDrift(file.path, f"{file.path} has {modes}", content=False)
