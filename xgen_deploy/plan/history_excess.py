"""What an earlier declaration asks for that could give its host, or another one, more than the
present manifest does: pure. It needs the operator's word (`rollback --trust-history`).

Image and engine settings are not among it: they are shown in the plan. What runs other code,
reaches other files or names a secret is. `extra_args` too: engines have options that read and write
files. So is what a gateway sends where: a model that the host does not have now would bring it
other hosts' requests.
"""

from collections.abc import Iterator, Mapping

from xgen_deploy.files.places import is_brought_build
from xgen_deploy.render.rendered import describe
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import ENGINE_SETTINGS, Image, ImageWithEntrypoint, SecretRef
from xgen_deploy.state.site import Site

_LONGEST = 200


def beyond(then: InstanceConfig, site: Site) -> tuple[str, ...]:
    """One clause each, `field: value`, secrets by their reference; () where all is in the manifest
    for that very instance.
    """
    now = next((d for d in site.on(then.host) if d.name == then.name), None)
    host = site.hosts[then.host]
    images = now.images if now else {**site.images, **host.images}
    binaries = now.binaries if now else {**site.binaries, **host.binaries}
    grants = [
        *_routes(then, now, site),
        *_container(then, now),
        *(_image(then, now, images) if then.runtime == "docker" else ()),
        *(_binaries(then, now, binaries, host.model_dir) if then.runtime != "docker" else ()),
        *_template(then, now),
        *_engine(then, now),
        *_secrets(then, now),
    ]
    return tuple(f"{field}: {_shown(value)}" for field, value in grants)


_Grants = Iterator[tuple[str, object]]


def _routes(then: InstanceConfig, now: InstanceConfig | None, site: Site) -> _Grants:
    if then.model not in ({now.model} if now else {d.model for d in site.on(then.host)}):
        yield "model", then.model
    if then.fallback != (now.fallback if now else ()):
        yield "fallback", then.fallback or "none"


def _container(then: InstanceConfig, now: InstanceConfig | None) -> _Grants:
    known = now.container if now else None
    if then.container.args and then.container.args != (known.args if known else None):
        yield "container.args", then.container.args
    known_mounts = (known.mounts if known else None) or ()
    yield from (
        ("container.mounts", m) for m in then.container.mounts or () if m not in known_mounts
    )


def _image(then: InstanceConfig, now: InstanceConfig | None, known: Mapping[str, Image]) -> _Grants:
    entrypoint = _entrypoint(then.image)
    if entrypoint and entrypoint != _entrypoint(now.image if now else None):
        yield "image.entrypoint", entrypoint
    for key, image in then.images.items():
        entrypoint = _entrypoint(image)
        if entrypoint and entrypoint != _entrypoint(known.get(key)):
            yield f"images.{key}.entrypoint", entrypoint


def _entrypoint(image: Image | None) -> tuple[str, ...] | None:
    return image.entrypoint if isinstance(image, ImageWithEntrypoint) else None


def _binaries(
    then: InstanceConfig, now: InstanceConfig | None, known: Mapping[str, str], model_dir: str
) -> _Grants:
    """An earlier build is none where the manifest brings another one in its place."""

    def again(path: str, known: str | None) -> bool:
        paths = (path, known or "")
        return path == known or all(is_brought_build(p, model_dir) for p in paths)

    if then.binary and not again(then.binary, now.binary if now else None):
        yield "binary", then.binary
    for key, path in then.binaries.items():
        if not again(path, known.get(key)):
            yield f"binaries.{key}", path


def _template(then: InstanceConfig, now: InstanceConfig | None) -> _Grants:
    if then.chat_template and then.chat_template != (now.chat_template if now else None):
        yield "chat_template", then.chat_template


def _engine(then: InstanceConfig, now: InstanceConfig | None) -> _Grants:
    for section, kind in ENGINE_SETTINGS.items():
        for field in kind.trusted:
            value = getattr(getattr(then, section), field)
            if value and value != (getattr(getattr(now, section), field) if now else None):
                yield f"{section}.{field}", value


def _secrets(then: InstanceConfig, now: InstanceConfig | None) -> _Grants:
    """Variables too: what an engine loads can be told by one (`LD_PRELOAD`)."""
    if then.api_key is not None and then.api_key != (now.api_key if now else None):
        yield "api_key", then.api_key
    for name, value in then.env.items():
        if value != (now.env.get(name) if now else None):
            yield f"env.{name}", value


def _shown(value: object) -> str:
    if isinstance(value, SecretRef):
        text = describe(value)
    elif isinstance(value, tuple):
        text = " ".join(map(str, value))
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
