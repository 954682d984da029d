"""`xgen-deploy config --from-host`: the manifest that a host kept of its last apply."""

import sys
import time
from collections.abc import Iterator, Mapping

from xgen_deploy.cli.named_hosts import open_named
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.config import ConfigDocument
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.limits import MANIFEST
from xgen_deploy.manifest.diagnostics import listing
from xgen_deploy.manifest.from_host import looked_up, manifest_from
from xgen_deploy.manifest.from_record import manifest_of_record
from xgen_deploy.manifest.yaml_text import yaml_text
from xgen_deploy.run.projects import HostProject, host_projects
from xgen_deploy.state.host import Host
from xgen_deploy.state.kept_manifest import KeptManifest, read_kept
from xgen_deploy.transport.base import Session
from xgen_deploy.visible import visible


def show_from_host(settings: Settings, name: str, project: str | None) -> int:
    """Prints the manifest of the host's only project, or of `project`. Returns the exit code."""
    with open_named((name,), settings) as run:
        if len(run.connections) != 1:
            raise UsageError(f"--from-host {name}: that is {listing(run.connections)}; name one")
        (host,) = run.site.hosts.values()
        with run.connections[host.name].session() as session:
            projects = host_projects(session, host, run.control_node)
            chosen = _chosen(projects, host.name, project)
            kept = _kept(session, chosen, host.name)
            whole = kept is not None
            kept = kept or _of_record(chosen, host.name)
    manifest = manifest_from(kept, host)
    _warn_of_commands(manifest, host.name)
    if not settings.json:
        print("\n".join(_heading(chosen, kept, manifest, host, whole=whole)))
        print(yaml_text(manifest), end="")
    Screen(settings).value(
        ConfigDocument(project=chosen.name, host=host.name, apply=kept.apply, manifest=manifest)
    )
    return 0


def _chosen(projects: tuple[HostProject, ...], host: str, name: str | None) -> HostProject:
    known = [project.name for project in projects]
    if not projects:
        raise UsageError(f"{host}: there is no project here")
    if name is None and len(projects) > 1:
        raise UsageError(f"{host}: there are {listing(known)}; choose one with --project")
    chosen = next((p for p in projects if name in (None, p.name)), None)
    if chosen is None:
        raise UsageError(f"{host}: there is no project {name} here; there is {listing(known)}")
    return chosen


def _kept(session: Session, project: HostProject, host: str) -> KeptManifest | None:
    content = session.read_file(project.layout.manifest, limit=MANIFEST + 1)
    return None if content is None else read_kept(content, project.name, host)


def _of_record(project: HostProject, host: str) -> KeptManifest:
    """Where an older version kept none. Raises XgenError."""
    kept = manifest_of_record(project.record, host) if project.record else None
    if kept is None:
        reason = project.error or "its record has no instance as it was declared"
        raise XgenError(f"{host}: no manifest of project {project.name} was kept, and {reason}")
    return kept


def _warn_of_commands(manifest: Mapping[str, object], host: str) -> None:
    """Whoever writes the manifest to a file may not read it."""
    for reference in dict.fromkeys(looked_up(manifest)):
        kind, _, command = reference.partition(" ")
        if kind == "command":
            text = f"warning: by the word of {host} this machine would run `{visible(command)}`"
            print(text, file=sys.stderr)


def _heading(
    project: HostProject,
    kept: KeptManifest,
    manifest: Mapping[str, object],
    host: Host,
    *,
    whole: bool,
) -> Iterator[str]:
    """What whoever uses it has to know; no word of the host's ends a comment."""
    last = project.record.last_apply if project.record else None
    by = ""
    if last is not None and last.number == kept.apply:
        day = time.strftime("%Y-%m-%d", time.localtime(last.began))
        by = f", by {visible(last.by)} on {day}"
    yield f"# Project {project.name} as apply #{kept.apply} left it{by}. Kept by {host.name}."
    if not whole:
        yield "# An older version applied it: this is what the record says of this host alone, and"
        yield "# nothing to apply."
    yield "# For `status`, `logs`, `restart`, `rollback`. Other hosts are named as SSH knows them:"
    yield "# complete the inventory where it does not."
    references = list(dict.fromkeys(looked_up(manifest)))
    if references:
        yield "# Looked up on this machine, a command is run, by all that starts or asks a model:"
        yield "# `restart`, `start`, `ask`, `verify`, `apply`, … Read these before you use them:"
        yield from (f"#   {visible(reference)}" for reference in references)
