"""Engine builds in archives of this machine: where they lie on a host, by their content, and what
stands for one that a host has not got.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.errors import XgenError
from xgen_deploy.files.places import build_state, engine_places
from xgen_deploy.files.routes import mode_of
from xgen_deploy.frozen import replace
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Request, Sources
from xgen_deploy.resolve.locked import check_archive
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.facts import EngineFacts
from xgen_deploy.state.fetch import Lacking
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import BinaryArchive
from xgen_deploy.state.site import Site


def with_placed_archives(site: Site, catalog: Sources) -> Site:
    """Raises XgenError where one cannot be read here."""
    hosts, moved = dict(site.hosts), {}
    for name, host in site.hosts.items():
        if any(config.runtime != "docker" for config in site.on(name)):
            hosts[name], moved[name] = _placed(site, host, catalog)
    declared = tuple(_moved(c, moved[c.host]) if c.host in moved else c for c in site.declared)
    return replace(site, hosts=hosts, declared=declared)


def _placed(site: Site, host: Host, catalog: Sources) -> tuple[Host, Mapping[str, str]]:
    """Also where each place that was only taken by the archive's name is now."""
    moved, archives = {}, {}
    for place, archive in host.archives.items():
        artifact = _artifact(archive, host, catalog)
        name = PurePath(archive.archive).name
        if (reason := check_archive(site, name, artifact.files[0].sha256)) is not None:
            raise _cannot(host, archive, reason)
        path = engine_places(artifact, archive.path, model_dir=host.model_dir).path
        moved[place], archives[path] = path, archive
    binaries = {key: moved.get(path, path) for key, path in host.binaries.items()}
    return replace(host, archives=archives, binaries=binaries), moved


def _moved(config: InstanceConfig, moved: Mapping[str, str]) -> InstanceConfig:
    return replace(
        config,
        binary=moved.get(config.binary, config.binary) if config.binary else None,
        binaries={key: moved.get(path, path) for key, path in config.binaries.items()},
    )


def _artifact(archive: BinaryArchive, host: Host, catalog: Sources) -> Artifact:
    try:
        return catalog.describe(_request(archive)).artifact
    except HubError as error:
        raise _cannot(host, archive, error.reason) from None


def _cannot(host: Host, archive: BinaryArchive, reason: str) -> XgenError:
    return XgenError(f"{host.name}: the engine build {archive.archive} cannot be brought: {reason}")


def archive_requests(site: Site, host: Host) -> Iterator[tuple[Request, str]]:
    """For the archives of a host, each with the first instance that may run what is in it."""
    for place, archive in host.archives.items():
        users = (c for c in site.on(host.name) if place in (c.binary, *c.binaries.values()))
        user = next((c.name for c in users if c.runtime != "docker"), None)
        if user is not None:
            yield _request(archive), user


def _request(archive: BinaryArchive) -> Request:
    path = Path(archive.archive).expanduser()
    return Request(source=path.name, local=str(path))


@dataclass(frozen=True)
class LackingBuild:
    """`engines` are what the facts are to say in place of what is not there."""

    lacking: Lacking
    engines: tuple[EngineFacts, ...]


def lacking_builds(
    site: Site, host: Host, engines: tuple[EngineFacts, ...], catalog: Sources
) -> tuple[LackingBuild, ...]:
    """Of the builds that a host has not got those that can be brought."""
    by_path: dict[str, list[EngineFacts]] = {}
    for engine in engines:
        if engine.binary in host.archives and engine.state is None:
            by_path.setdefault(engine.binary, []).append(engine)
    return tuple(_lacking(site, host, path, named, catalog) for path, named in by_path.items())


def _lacking(
    site: Site, host: Host, path: str, engines: list[EngineFacts], catalog: Sources
) -> LackingBuild:
    archive = host.archives[path]
    artifact = _artifact(archive, host, catalog)
    backends = [b for e in engines if (b := backend_named(e.backend)) is not None]
    users = [c for c in site.on(host.name) if path in (c.binary, *c.binaries.values())]
    found = engine_places(
        artifact,
        archive.path,
        model_dir=host.model_dir,
        serves_gguf=any(b.trial_with_gguf for b in backends),
        as_login=any(c.runtime == "process" for c in users),
    )
    lacking = Lacking(
        key=path,
        artifact=artifact,
        places=found,
        mode="never" if {mode_of(c, host) for c in users} == {"never"} else "push",
        instances=tuple(c.name for c in users),
    )
    state = build_state(artifact, archive.path)
    return LackingBuild(
        lacking, tuple(replace(e, state=state, error=None, coming=True) for e in engines)
    )
