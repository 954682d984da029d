"""The site that a bundle is applied to: of its manifest, or of another one that takes from it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xgen_deploy.bundle.read import Bundle
from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.load import load_site
from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.fetch import FetchSettings, ModelFetch
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import Pull
from xgen_deploy.state.site import Site

# So deep that no `../` of a manifest leads out of what was unpacked.
_DEEP = "/".join("0123456789")


def bundled_site(
    bundle: Bundle,
    words: EngineWords,
    unpacked: Path,
    *,
    inventory: tuple[str, ...] = (),
    variables: tuple[str, ...] = (),
    older: bool = False,
) -> Site:
    """Of the bundle's own manifest, which is written to `unpacked`. What it states relative to
    itself, such as a secret's file, is looked for from the current folder. Inventories and
    variables go over those of the bundle. Raises XgenError."""
    part = bundle.index.manifest
    folder = unpacked / _DEEP
    for member in part.files:
        path = folder / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bundle.content(member.sha256))
    main = folder / part.main
    own = (str(folder / part.inventory),) if part.inventory is not None else ()
    given = tuple(f"@{folder / v[1:]}" if v.startswith("@") else v for v in part.variables)
    site = load_site(str(main), words, inventory=(*own, *inventory), variables=(*given, *variables))
    if site.project != bundle.index.project:
        raise UsageError(f"{bundle.path} is of project {bundle.index.project}, says its index")
    here, prefix = str(Path.cwd()), f"{unpacked}/"

    def moved(text: str) -> str:
        if not text.startswith(prefix):
            return text
        return os.path.normpath(f"{here}/{os.path.relpath(text, main.parent)}")

    site = Site.model_validate(_with_texts(site.model_dump(mode="json"), moved))
    site = replace(
        site,
        manifest_file=f"{part.main} in {bundle.path.name}",
        origin=bundle.index.origin,
    )
    return behind_wall(site, bundle, older=older)


def behind_wall(site: Site, bundle: Bundle, *, older: bool = False) -> Site:
    """Nothing is taken from anywhere but the bundle, by way of this machine."""
    origin = BundleOrigin(
        file=bundle.path.name,
        digest=bundle.digest,
        serial=bundle.index.serial,
        signer=bundle.signer,
        git=bundle.index.git,
        older=older,
    )
    return replace(
        site,
        bundle=origin,
        pull=_pull(site),
        fetch=FetchSettings(limit_rate=site.fetch.limit_rate),
        hosts={name: _closed(host) for name, host in site.hosts.items()},
        declared=tuple(_from_bundle(config, _pull(site)) for config in site.declared),
    )


def _closed(host: Host) -> Host:
    return replace(host, egress=False, fetch="never" if host.fetch == "never" else "push")


def _pull(site: Site) -> Pull:
    return "never" if site.pull == "never" else "push"


def _from_bundle(config: InstanceConfig, pull: Pull) -> InstanceConfig:
    fetch = config.fetch
    if isinstance(fetch, ModelFetch) and fetch.mode in ("auto", "host"):
        fetch = replace(fetch, mode="push")
    elif fetch in ("auto", "host"):
        fetch = "push"
    return replace(config, fetch=fetch, pull=pull)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _with_texts(part, change) for key, part in value.items()}
    return [_with_texts(part, change) for part in value] if isinstance(value, list) else value
