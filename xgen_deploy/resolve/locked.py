"""What a lock file means for the sources of instances: what is asked of hosts, what is refused.
Pure.
"""

import dataclasses
import posixpath
from collections.abc import Iterator, Mapping

from xgen_deploy.files.routes import mode_of
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.stated_files import StatedFile, model_files, stated_files
from xgen_deploy.state.facts import HostFacts, ModelFacts, PushedImage
from xgen_deploy.state.fetch import ModelFetch
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.lock_file import LockedModel, LockFile, lock_path
from xgen_deploy.state.locked import LOCAL, Locked
from xgen_deploy.state.refuse import Refused, refuse
from xgen_deploy.state.site import Site
from xgen_deploy.state.source import read_source
from xgen_deploy.state.source_request import Request

KNOWN = "sha256:"  # how a state begins that tells the content (probe/remote/content_state.py)


def with_locked(site: Site) -> Site:
    """The site with what its lock file says at each instance."""
    if site.lock is None:
        return site
    lock = site.lock
    declared = tuple(_locked(config, site.hosts[config.host], lock) for config in site.declared)
    return replace(site, declared=declared)


def _locked(config: InstanceConfig, host: Host, lock: LockFile) -> InstanceConfig:
    entries = {
        lock_key(config, stated): entry.brief
        for stated in lockable(config, host)
        if (entry := lock.entry(request_of(config, stated))) is not None
    }
    return replace(config, locked=entries)


def lockable(config: InstanceConfig, host: Host) -> Iterator[StatedFile]:
    """The files whose source can tell what they are: all but those that lie on the host anyhow."""
    for stated in (*model_files(config), *stated_files(config, host)):
        local = stated.field == "source" and config.local is not None
        if not stated.any_file and (local or read_source(stated.source).kind != "path"):
            yield stated


def request_of(config: InstanceConfig, stated: StatedFile) -> Request:
    """What its source is asked."""
    is_own = stated.field == "source"
    local = config.local if is_own else None
    patterns = config.fetch.files if isinstance(config.fetch, ModelFetch) and is_own else None
    locked = locked_as(config, stated)
    return Request(
        source=config.model if local is not None else stated.source,
        revision=stated.revision,
        patterns=patterns or (),
        code=bool(config.vllm.trust_remote_code) and is_own,
        local=local,
        sha256=config.sha256 if is_own else None,
        commit=locked.commit if locked else None,
    )


def lock_key(config: InstanceConfig, stated: StatedFile) -> str:
    return LOCAL if stated.field == "source" and config.local is not None else stated.key


def locked_as(config: InstanceConfig, stated: StatedFile) -> Locked | None:
    return config.locked.get(lock_key(config, stated))


def lock_requests(site: Site) -> dict[Request, tuple[str, ...]]:
    """What a lock file of the site is to hold, with the models that load from each; also of what
    `--limit` cut off."""
    hosts = {**site.other_hosts, **site.hosts}
    requests: dict[Request, dict[str, None]] = {}
    for config in (*site.declared, *site.elsewhere):
        host = hosts[config.host]
        for stated in lockable(config, host):
            request = request_of(replace(config, locked={}), stated)
            held = site.lock is not None and site.lock.entry(request) is not None
            if held or mode_of(config, host) != "never":
                alike = next((r for r in requests if _alike(r, request)), request)
                requests.setdefault(alike, {})[config.model] = None
    by_model = {request: tuple(sorted(models)) for request, models in requests.items()}
    order = sorted(by_model, key=lambda r: (by_model[r], r.source, r.revision))
    return {request: by_model[request] for request in order}


def _alike(one: Request, other: Request) -> bool:
    """Whether a lock file has one entry for both."""
    return dataclasses.replace(one, sha256=None) == dataclasses.replace(other, sha256=None)


def keys_to_bring(site: Site, host: Host, facts: HostFacts) -> frozenset[str]:
    """The keys of models that are missing, or that were brought from an address which has another
    file by now, if the lock file says so."""
    models = {m.key: m for m in facts.models}
    missing = {key for key, model in models.items() if model.missing}
    for config in site.on(host.name) if site.lock is not None else ():
        for stated in lockable(config, host):
            locked, model = locked_as(config, stated), models.get(stated.key)
            if locked is None or model is None or read_source(stated.source).kind != "url":
                continue
            if (model.state or "").startswith(KNOWN) and is_other(model, locked):
                missing.add(stated.key)
    return frozenset(missing)


def misfits(site: Site) -> Iterator[Refusal]:
    """Of a manifest that its lock file does not fit any more."""
    for config in with_locked(site).declared:
        try:
            _check_complete(site, config, site.hosts[config.host])
        except Refused as error:
            yield error.refusal


def check_locked(
    site: Site, config: InstanceConfig, host: Host, models: Mapping[str, ModelFacts]
) -> None:
    """Raises Refused where the lock file lacks a source, or the host has something else."""
    _check_complete(site, config, host)
    for stated in lockable(config, host):
        locked, facts = locked_as(config, stated), models.get(stated.key)
        if locked is not None and facts is not None and is_other(facts, locked):
            raise refuse(
                config,
                f"{facts.path} is not what {lock_name(site)} says: {_difference(facts, locked)}",
                "Remove it from the host, and the locked one is brought; or accept it with "
                f"`{command(site)} --update {config.model}` where its source has it.",
                stated.field,
            )


def is_other(facts: ModelFacts, locked: Locked) -> bool:
    """Of a GGUF, as far as it is known without reading it. A folder may hold more than was locked:
    it is known by its commit."""
    if facts.error is not None or facts.format != "gguf" or facts.state is None:
        return False
    if facts.quantized is not None:  # it is looked for by what it was made of
        return False
    if facts.state.startswith(KNOWN) and locked.content.startswith(KNOWN):
        return facts.state != locked.content
    return facts.size not in (None, locked.size)


def unproved_files(
    lock: LockFile, config: InstanceConfig, host: Host, instance: Instance, facts: HostFacts
) -> dict[str, str]:
    """SHA-256 by path of the locked files that it loads, where nobody has noted what they are."""
    models = {m.key: m for m in facts.models}
    loaded = {instance.spec.model_path, *(f.path for f in instance.spec.beside)}
    found: dict[str, str] = {}
    for stated in lockable(config, host):
        model, entry = models.get(stated.key), lock.entry(request_of(config, stated))
        if model is None or entry is None or model.path not in loaded or model.quantized:
            continue
        if model.state != entry.content:
            found |= digests_at(model.path or "", entry)
    return found


def digests_at(path: str, entry: LockedModel) -> dict[str, str]:
    """`path` is one of its files or the folder of all."""
    own = next((f.path for f in entry.files if path.endswith(f"/{f.path}")), None)
    base = f"{path}/" if own is None else path.removesuffix(own)
    return {f"{base}{f.path}": f.sha256 for f in entry.files if f.sha256 is not None}


def _difference(facts: ModelFacts, locked: Locked) -> str:
    if facts.size is not None and facts.size != locked.size:
        return f"it has {facts.size} bytes, and the lock {locked.size}"
    return "its content is another one"


def _check_complete(site: Site, config: InstanceConfig, host: Host) -> None:
    """What nobody is to bring may be missing in the lock."""
    if site.lock is None or mode_of(config, host) == "never":
        return
    for stated in lockable(config, host):
        request = request_of(config, stated)
        entry = site.lock.entry(request)
        if entry is None:
            reason = _lacks(site.lock, config, request)
        elif request.sha256 and entry.loaded_sha256 not in (None, request.sha256.lower()):
            reason = f"has another SHA-256 of {entry.title} than the manifest"
        else:
            continue
        hint = f"`{command(site)}` locks what the manifest states, and moves nothing else."
        raise refuse(config, f"{lock_name(site)} {reason}", hint, stated.field)


def _lacks(lock: LockFile, config: InstanceConfig, request: Request) -> str:
    what = request.local or f"{request.source} ({request.revision})"
    known = next((m for m in lock.models if config.model in m.models), None)
    if known is None:
        return f"does not have {what}"
    if (known.source, known.revision) == (request.source, request.revision) and not known.local:
        return f"was written for other files of {what} (`fetch.files` or `trust_remote_code`)"
    return f"does not have {what}; of {config.model} it has {known.title}"


def check_archive(site: Site, name: str, sha256: str | None) -> str | None:
    """Why an archive of an engine build is not the locked one, as a clause."""
    locked = site.lock.archive(name) if site.lock is not None else None
    if locked is None or locked.sha256 == sha256:
        return None
    update = f"`{command(site)} --update {name}`"
    return f"it is another file than in {lock_name(site)}; {update} takes it"


def command(site: Site) -> str:
    return f"xgen-deploy lock {site.manifest_file}"


def locked_images(site: Site) -> dict[str, PushedImage]:
    """What hosts are to have under the names of images."""
    return {i.name: i.content for i in site.lock.images} if site.lock is not None else {}


def lock_name(site: Site) -> str:
    return posixpath.basename(lock_path(site.manifest_file))
