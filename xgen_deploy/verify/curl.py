"""The line for a shell that asks a model. Pure.

It is there to be pasted, and a host's record is untrusted: names and references of keys are the
manifest's own.
"""

import json
import shlex

from xgen_deploy.state.settings import Gateway, SecretRef
from xgen_deploy.state.site import Site
from xgen_deploy.verify.entry_points import Way, example


def curl_line(site: Site, way: Way) -> str:
    question = example(way)
    body = shlex.quote(json.dumps(question.example, ensure_ascii=False))
    key = _key(site, way)
    header = f' -H "Authorization: Bearer {key}"' if key else ""
    url = shlex.quote(f"{way.url}{question.path}")
    return f"curl {url}{header} -H 'Content-Type: application/json' -d {body}"


def _key(site: Site, way: Way) -> str | None:
    """What a shell puts the key in for, where the manifest has one."""
    if way.through_gateway:
        ref = _gateway_key(site.gateway, way.model) if site.gateway else None
    else:
        own = (d.api_key for d in site.declared if (d.host, d.name) == (way.host, way.name))
        ref = next(own, None)
    return None if ref is None else _of(ref)


def _gateway_key(gateway: Gateway, model: str) -> SecretRef | None:
    """The common one, else that of a client who may use the model."""
    clients = (gateway.clients or {}).values()
    allowed = (c.key for c in clients if c.models is None or model in c.models)
    return gateway.api_key or next(allowed, None)


def _of(ref: SecretRef) -> str:
    if ref.env is not None:
        return f"${ref.env}"
    if ref.command is not None:
        return f"$({ref.command})"
    return f"$(cat {shlex.quote(ref.file or ref.host_file or '')})"
